import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { ExecConnection } from './exec-connection.ts';
import { type ExecTarget, findTarget } from './exec-target.ts';
import { bytesOf } from './output.ts';
import { Progress } from './progress.ts';

/** Puts what comes into a folder, or under another name beside it first: a file that is there is replaced at once. Owned by root, as docker cp does. */
const unpack =
  'd=$1; n=$2; if [ -d "$d" ]; then exec tar -xof - -C "$d"; fi; t="$d.slipway-$$"; ' +
  'mkdir "$t" && tar -xof - -C "$t" && mv -f "$t/$n" "$d"; r=$?; rm -rf "$t"; exit $r';

/** One side of a copy: a path here, or in a container of a task. */
interface Place {
  readonly of: string | undefined;
  readonly path: string;
}

/** `slipway cp`: copies a file or a folder from or to a container, as tar through ECS Exec; the container needs `tar` (and `sh`, to copy into it). */
export async function cp(from: string, to: string, options: { readonly container?: string }): Promise<void> {
  const [source, target] = [placeOf(from), placeOf(to)];
  const remote = source.of ?? target.of;
  if (remote === undefined || (source.of !== undefined && target.of !== undefined))
    throw new CliError('one of both is in a container: <service or task>:<path>', 2);
  const client = ecsClient();
  try {
    const found = await findTarget(client, remote, options.container);
    if (source.of === undefined) await upload(client, found, source.path, target.path);
    else await download(client, found, source.path, target.path);
  } finally {
    client.destroy();
  }
}

/** `web:/etc/hosts`, `staging/web:/etc/hosts`, an ARN of a task before the colon; `./a:b` is a path here. */
function placeOf(text: string): Place {
  const [, of, path] = /^((?:arn:[^/]+\/)?[^:./][^:]*):(.+)$/.exec(text) ?? [];
  return of === undefined || path === undefined ? { of: undefined, path: text } : { of, path };
}

type Client = ReturnType<typeof ecsClient>;

async function download(client: Client, target: ExecTarget, path: string, to: string): Promise<void> {
  const from = posix.normalize(path).replace(/(?<=.)\/$/, '');
  const name = posix.basename(from);
  if (['', '.', '..'].includes(name)) throw new CliError(`name a file or a folder of the container, not '${path}'`, 2);
  const final = statSync(to, { throwIfNoEntry: false })?.isDirectory() === true ? join(to, name) : to;
  if (lstatSync(final, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new CliError(`${final} is a folder that is there already: copy to another name`, 2);
  if (!existsSync(dirname(resolve(final)))) throw new CliError(`there is no folder ${dirname(resolve(final))}`, 2);
  // What a container sends gets a folder of its own; what it was asked for is then moved out of that.
  const held = mkdtempSync(join(dirname(resolve(final)), '.slipway-'));
  const progress = new Progress('copied');
  try {
    const tar = spawn('tar', ['-x', '--no-same-owner', '-f', '-', '-C', held], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const ended = endOf(tar);
    tar.stdin.on('error', () => undefined);
    let bytes = 0;
    let full = false;
    const connection = await ExecConnection.open(
      client,
      target,
      ['tar', '-cf', '-', '-C', posix.dirname(from), `./${name}`],
      false,
      {
        output: (part, stream) => {
          if (stream === 'stderr') {
            process.stderr.write(part);
            return;
          }
          bytes += part.length;
          progress.show(bytesOf(bytes));
          full = !tar.stdin.write(part);
        },
        hasRoom: () => !full,
      },
    );
    process.once('SIGINT', () => connection.terminate());
    tar.stdin.on('drain', () => {
      full = false;
      connection.resume();
    });
    // A local tar that gave up takes nothing more.
    void ended.then(() => connection.terminate());
    const code = await connection.ended.finally(() => tar.stdin.end());
    const local = await ended;
    if (code !== 0 || local !== 0) throw failed(code === 0 ? local : code);
    renameSync(join(held, name), final);
  } finally {
    progress.end();
    rmSync(held, { recursive: true, force: true });
  }
}

async function upload(client: Client, target: ExecTarget, path: string, to: string): Promise<void> {
  const from = resolve(path);
  if (!existsSync(from)) throw new CliError(`there is no ${path}`, 2);
  const name = basename(from);
  const progress = new Progress('copied');
  const connection = await ExecConnection.open(
    client,
    target,
    ['sh', '-c', unpack, 'sh', to.replace(/(?<=.)\/+$/, ''), name],
    false,
    { output: (bytes) => process.stderr.write(bytes), hasRoom: () => true },
  );
  process.once('SIGINT', () => connection.terminate());
  try {
    const tar = spawn('tar', ['-cf', '-', '-C', dirname(from), `./${name}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = endOf(tar);
    let bytes = 0;
    // An end that is not waited for yet is told below.
    connection.ended.then(
      () => tar.kill(),
      () => tar.kill(),
    );
    for await (const part of tar.stdout) {
      await connection.write(part as Buffer);
      bytes += (part as Buffer).length;
      progress.show(bytesOf(bytes));
    }
    const local = await ended;
    // Half an archive is never put in its place.
    if (local === 0) connection.endInput();
    else connection.terminate();
    const code = await connection.ended;
    if (code !== 0) throw failed(code);
  } finally {
    progress.end();
  }
}

const failed = (code: number): CliError =>
  new CliError(
    code === 126 || code === 127
      ? 'the container has no tar, or no sh, which copying needs'
      : `the copy failed: tar ended with ${code}`,
    code,
  );

/** The exit code of a program of this machine; -1 for one that could not be started, or was ended. */
const endOf = (child: ReturnType<typeof spawn>): Promise<number> =>
  new Promise((done) => {
    child.once('error', () => done(-1));
    child.once('close', (code) => done(code ?? -1));
  });
