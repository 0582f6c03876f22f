import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** One file of the console, as it is sent. */
export interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

export interface ConsoleBuild {
  /** The page: names the assets that belong to it. */
  readonly page: Asset;
  /** Validator of the page. */
  readonly digest: string;
  /** By name; a name holds a hash of what is in it, so that it never means anything else. */
  readonly assets: ReadonlyMap<string, Asset>;
}

const app = join(import.meta.dirname, 'app');
const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * Builds the console from its sources: a tenth of a second for the bundle and some more for brotli, when somebody first opens it. esbuild
 * is in the tree for the agent's program; it does here what Vite would ask its own bundler for, so there is no second tool and nothing to
 * build when the project is installed. The same sources give the same names in every process.
 */
export async function buildConsole(): Promise<ConsoleBuild> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    absWorkingDir: app,
    entryPoints: ['main.tsx', 'style.css'],
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const assets = new Map<string, Asset>();
  const add = async (name: string, bytes: Buffer): Promise<string> => {
    const [stem = '', ending = ''] = name.split('.');
    const hashed = `${stem}-${digestOf(bytes).slice(0, 16)}.${ending}`;
    assets.set(hashed, await packed(types[ending] ?? 'application/octet-stream', bytes));
    return hashed;
  };
  const named = new Map<string, string>();
  for (const { path, contents } of outputFiles) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    named.set(name, await add(name, Buffer.from(contents)));
  }
  named.set('icon.svg', await add('icon.svg', readFileSync(join(app, 'icon.svg'))));
  const html = readFileSync(join(app, 'index.html'), 'utf8').replaceAll(
    /\bassets\/([a-z]+\.[a-z]+)/g,
    (_all, name: string) => `/console/assets/${named.get(name) ?? name}`,
  );
  const page = Buffer.from(html);
  return { page: await packed('text/html; charset=utf-8', page), digest: digestOf(page), assets };
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function packed(type: string, plain: Buffer): Promise<Asset> {
  const [br, gzipped] = await Promise.all([
    promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    promisify(gzip)(plain, { level: 9 }),
  ]);
  return { type, plain, br, gzip: gzipped };
}
