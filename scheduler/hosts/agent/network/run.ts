import { spawn } from 'node:child_process';

/** The host's network does not do what it was asked; the message says which program refused, and what it said. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/** Milliseconds that one program may take unless it is given more; none of them waits for anything but the kernel. */
const usualTimeLimit = 20_000;

/** Bytes of a program's answer at most: lists of links and routes of a host with thousands of tasks. */
const answerLimit = 16 * 1024 * 1024;

/**
 * Runs a program of the host with text on its standard input, and returns its standard output.
 *
 * @throws NetworkError when it is missing, refuses, answers too much or takes too long
 */
export async function run(
  program: string,
  words: readonly string[],
  input = '',
  timeLimit = usualTimeLimit,
): Promise<string> {
  const child = spawn(program, words, { timeout: timeLimit, killSignal: 'SIGKILL', stdio: 'pipe' });
  const out: Buffer[] = [];
  let said = '';
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > answerLimit) child.kill('SIGKILL');
    else out.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 4_096) said += String(chunk);
  });
  const ended = Promise.withResolvers<number | string>();
  child.on('error', (error: NodeJS.ErrnoException) =>
    ended.reject(
      new NetworkError(
        error.code === 'ENOENT' ? `there is no ${program} on this machine` : `${program}: ${error.message}`,
        { cause: error },
      ),
    ),
  );
  child.on('close', (code, signal) => ended.resolve(code ?? signal ?? 'ended'));
  // It may end without reading: the exit code says the rest.
  child.stdin.on('error', () => undefined).end(input);
  const code = await ended.promise;
  if (code === 0) return Buffer.concat(out).toString();
  const why = said.trim().split('\n').slice(0, 3).join('; ') || `ended with ${code}`;
  throw new NetworkError(`${program} ${words.slice(0, 3).join(' ')}: ${why}`);
}
