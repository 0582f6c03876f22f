import { spawn } from 'node:child_process';

import { ProviderError, readable } from './instance-provider.ts';

/** Bytes of what a program prints that are read. */
const mostOutput = 4 * 1024 * 1024;
const mostComplaint = 2048;

/** How a program is run. */
export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Its standard input. */
  readonly input: string;
  /** Milliseconds after which it is killed with all that it started. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** A program that ended otherwise than by exit status 0. */
export class ProgramFailed extends ProviderError {
  /** Its exit status; undefined when it had none. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}

/** Runs a program to its end, without a shell. @returns what it printed @throws ProgramFailed */
export function runProgram(
  [program = '', ...args]: readonly string[],
  { env, input, timeout, signal }: RunOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const output: Buffer[] = [];
    let size = 0;
    let complaint = '';
    let ending: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    const settle = (failed: string | undefined, status?: number): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      if (failed === undefined) resolve(Buffer.concat(output).toString('utf8'));
      else reject(new ProgramFailed(failed, status));
    };
    // One that could not be started at all, for want of file descriptors, has no streams; nobody listening for that would end the server.
    child.once('error', (error) => settle(`${program} cannot be run: ${error.message}`));
    const end = (why: string): void => {
      ending ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone already.
      }
      // Whoever it has started elsewhere may keep these open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const stop = (): void => end('the server stopped meanwhile');
    if (child.pid === undefined) return;
    timer = setTimeout(() => end(`it was killed after ${timeout / 1000} seconds`), timeout);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > mostOutput) end(`it printed more than ${mostOutput} bytes`);
      else output.push(chunk);
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk: string) => (complaint = (complaint + chunk).slice(-mostComplaint)));
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
    child.stdin.end(input);
    child.once('close', (code, killed) => {
      if (ending === undefined && code === 0) settle(undefined);
      else
        settle(
          `${program}: ${[ending ?? (killed === null ? `exit status ${String(code)}` : `killed by ${killed}`), lastLine(complaint)].filter((part) => part !== '').join(': ')}`,
          ending === undefined ? (code ?? undefined) : undefined,
        );
    });
  });
}

const lastLine = (text: string): string => readable(text.trim().split('\n').at(-1) ?? '', 500);
