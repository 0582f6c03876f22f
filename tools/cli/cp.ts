import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pour } from '@slipway/scheduler/exec/protocol';
import { ecsClient } from './aws-client.ts';
import { CopyConnection } from './copy-connection.ts';
import { CliError } from './errors.ts';
import { type ExecTarget, findTarget } from './exec-target.ts';
import { bytesOf } from './output.ts';
import { Progress } from './progress.ts';

/** One side of a copy: a path here, or in a container of a task. */
interface Place {
  readonly of: string | undefined;
  readonly path: string;
}

/** `slipway cp`: copies a file or a folder from or to a container, as the engine's own archive of it; the container needs no program. */
export async function cp(from: string, to: string, options: { readonly container?: string }): Promise<void> {
  const [source, target] = [placeOf(from), placeOf(to)];
  const remote = source.of ?? target.of;
  if (remote === undefined || (source.of !== undefined && target.of !== undefined))
    throw new CliError('one of both is in a container: <service or task>:<path>', 2);
  const client = ecsClient();
  try {
    const found = await findTarget(client, remote, options.container);
    if (source.of === undefined) await upload(found, source.path, target.path);
    else await download(found, source.path, target.path);
  } finally {
    client.destroy();
  }
}

/** `web:/etc/hosts`, `staging/web:/etc/hosts`, an ARN of a task before the colon; `./a:b` is a path here. */
function placeOf(text: string): Place {
  const [, of, path] = /^((?:arn:[^/]+\/)?[^:./][^:]*):(.+)$/.exec(text) ?? [];
  return of === undefined || path === undefined ? { of: undefined, path: text } : { of, path };
}

async function download(target: ExecTarget, path: string, to: string): Promise<void> {
  const from = posix.normalize(path).replace(/(?<=.)\/$/, '');
  const name = posix.basename(from);
  if (['', '.', '..'].includes(name)) throw new CliError(`name a file or a folder of the container, not '${path}'`, 2);
  const final = statSync(to, { throwIfNoEntry: false })?.isDirectory() === true ? join(to, name) : to;
  if (lstatSync(final, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new CliError(`${final} is a folder that is there already: copy to another name`, 2);
  if (!existsSync(dirname(resolve(final)))) throw new CliError(`there is no folder ${dirname(resolve(final))}`, 2);
  const { connection } = await CopyConnection.open(target, 'from', from);
  const progress = new Progress('copied');
  process.once('SIGINT', () => connection.close());
  try {
    let bytes = 0;
    await unpack(connection.archive(), name, final, (more) => {
      bytes += more;
      progress.show(bytesOf(bytes));
    });
  } finally {
    connection.close();
    progress.end();
  }
}

/**
 * What tar is started with: GNU's reads and writes so many times 512 bytes at a time by it, as much as a pipe holds, where its own ten kilobytes are
 * a call of the system each. Others do not look there, and not all of them know the option.
 */
const tarEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  TAR_OPTIONS: `${process.env['TAR_OPTIONS'] ?? ''} -b 128`.trim(),
});

/**
 * Unpacks what was asked for of an archive that may hold anything: in a folder of its own, from which one file or folder is moved out in the
 * end, once all of it is there and is nothing but files, folders and links.
 * @param name of the one file or folder
 * @param final where it is moved to
 * @param came told of each piece's bytes
 * @throws CliError for an archive that is not whole or holds something else, and what the archive fails with
 */
export async function unpack(
  archive: Readable,
  name: string,
  final: string,
  came: (bytes: number) => void,
): Promise<void> {
  const held = mkdtempSync(join(dirname(resolve(final)), '.slipway-'));
  try {
    // Programs called tar take no name out of the folder, and write through no link that they unpacked, unless they are told to.
    const options = ['-x', '--no-same-owner', '--no-same-permissions', '-f', '-', '-C', held];
    const tar = spawn('tar', options, { env: tarEnvironment(), stdio: ['pipe', 'ignore', 'pipe'] });
    const said = textOf(tar.stderr);
    const ended = endOf(tar);
    tar.stdin.on('error', () => undefined);
    archive.on('data', (part: Buffer) => came(part.length));
    pour(archive, tar.stdin);
    const failure = await Promise.race([
      finished(archive, { writable: false }).catch((error: unknown) => error),
      // One that gave up takes nothing more.
      ended.then(() => undefined),
    ]);
    tar.stdin.end();
    const code = await ended;
    archive.destroy();
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new CliError(`what came could not be unpacked: tar ended with ${code}: ${await said}`);
    const odd = readdirSync(held, { recursive: true, withFileTypes: true }).find(
      (one) => !one.isFile() && !one.isDirectory() && !one.isSymbolicLink(),
    );
    if (odd !== undefined) throw new CliError(`what came holds ${odd.name}, which is no file, folder or link`);
    if (lstatSync(join(held, name), { throwIfNoEntry: false }) === undefined)
      throw new CliError(`what came does not hold ${name}`);
    renameSync(join(held, name), final);
  } finally {
    rmSync(held, { recursive: true, force: true });
  }
}

async function upload(target: ExecTarget, path: string, to: string): Promise<void> {
  const from = resolve(path);
  const source = lstatSync(from, { throwIfNoEntry: false });
  if (source === undefined) throw new CliError(`there is no ${path}`, 2);
  const { connection, ready } = await CopyConnection.open(target, 'to', to);
  const progress = new Progress('copied');
  process.once('SIGINT', () => connection.close());
  // By this name, whatever it is called here.
  const named = mkdtempSync(join(tmpdir(), 'slipway-cp-'));
  try {
    if (source.isDirectory() && ready.is === 'other') throw new CliError(`${to} is a file, and ${path} is a folder`, 2);
    const name = ready.name ?? basename(from);
    symlinkSync(source.isSymbolicLink() ? readlinkSync(from) : from, join(named, name));
    const tar = spawn('tar', packing(source, named, name), {
      env: tarEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = endOf(tar);
    let bytes = 0;
    try {
      await connection.send(tar.stdout, (more) => {
        bytes += more;
        progress.show(bytesOf(bytes));
      });
    } finally {
      tar.stdout.destroy();
    }
    const code = await ended;
    if (code !== 0) throw new CliError(`${path} could not be read: tar ended with ${code}`);
    await connection.finish();
  } finally {
    connection.close();
    progress.end();
    rmSync(named, { recursive: true, force: true });
  }
}

/**
 * What tar is told to pack something by. A container has a say in the name, by what a link there leads to: it is no option.
 * @param folder with a link of the name that leads to it
 */
export function packing(source: Pick<Stats, 'isDirectory' | 'isSymbolicLink'>, folder: string, name: string): string[] {
  const what = source.isDirectory() ? [`./${name}/.`] : source.isSymbolicLink() ? [`./${name}`] : ['-h', `./${name}`];
  return ['-cf', '-', '-C', folder, ...what];
}

/** What a program says of its trouble, the beginning of it. */
async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const part of stream) text = (text + String(part)).slice(0, 1_000);
  return text.trim();
}

/** The exit code of a program of this machine; -1 for one that could not be started, or was ended. */
const endOf = (child: ReturnType<typeof spawn>): Promise<number> =>
  new Promise((done) => {
    child.once('error', () => done(-1));
    child.once('close', (code) => done(code ?? -1));
  });
