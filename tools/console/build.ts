import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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
/** What the data channel of a terminal takes of node, as browsers have it; and the client itself, which has node's types. */
const forBrowsers: Readonly<Record<string, string>> = {
  'node:crypto': join(import.meta.dirname, 'browser', 'crypto.ts'),
  './exec-client.js': join(import.meta.dirname, 'browser', 'exec-client.ts'),
};
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
  const { outputFiles, metafile } = await build({
    absWorkingDir: app,
    entryPoints: ['main.tsx', 'style.css'],
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    // What few pages need (a terminal) is loaded by those.
    splitting: true,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    metafile: true,
    plugins: [
      {
        name: 'for browsers',
        setup: (bundler) => {
          bundler.onResolve({ filter: /^(?:node:crypto|\.\/exec-client\.js)$/ }, ({ path }) => ({
            path: forBrowsers[path] ?? path,
          }));
          // Of the protocol's room the page takes the client alone: nothing else of it is loaded, and nothing runs that a page may not do.
          bundler.onResolve({ filter: /^\.\// }, ({ path, importer }) =>
            importer.endsWith('/exec/protocol/index.ts')
              ? { path: join(dirname(importer), path), sideEffects: false }
              : undefined,
          );
          // What else is in that room may use node: it is left out as a whole, which is looked at below.
          bundler.onResolve({ filter: /^node:/ }, ({ path, importer }) =>
            path in forBrowsers || !importer.includes('/exec/protocol/') ? undefined : { path, external: true },
          );
        },
      },
    ],
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const absent = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.filter((one) => one.external === true),
  );
  if (absent.length > 0) throw new Error(`browsers do not have ${absent.map(({ path }) => path).join(', ')}`);
  const assets = new Map<string, Asset>();
  const named = new Map<string, string>();
  const add = async (name: string, bytes: Uint8Array): Promise<void> => {
    assets.set(
      name,
      await packed(types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream', Buffer.from(bytes)),
    );
  };
  await Promise.all(outputFiles.map(({ path, contents }) => add(basename(path), contents)));
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs))
    if (entryPoint !== undefined) named.set(entryPoint.replace(/\.tsx$/, '.js'), basename(path));
  const icon = readFileSync(join(app, 'icon.svg'));
  named.set('icon.svg', `icon-${digestOf(icon).slice(0, 16)}.svg`);
  await add(named.get('icon.svg') ?? '', icon);
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
