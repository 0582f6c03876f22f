import { spawn } from 'node:child_process';
import { z } from 'zod';

import {
  type InstanceProvider,
  machineId,
  type ProvidedMachine,
  ProviderError,
  readable,
} from './instance-provider.ts';

export interface CommandProviderOptions {
  /** As groups name it. */
  readonly name: string;
  /** The program, by its absolute path, and what it is called with. No shell reads it. */
  readonly command: readonly string[];
  /** What it finds in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds after which it is killed; by default ten minutes for a machine, one for a list. */
  readonly timeouts?: { readonly change: number; readonly list: number };
}

/** Bytes of what a program prints that are read. */
const mostOutput = 4 * 1024 * 1024;
const mostComplaint = 2048;
const usual = { change: 600_000, list: 60_000 };

/** What is asked for: a program may say more. */
const listed = z.object({
  instances: z.array(z.object({ id: z.string().regex(machineId), owner: z.string().max(200) })).max(100_000),
});

/**
 * Machines by a program: called once for each request, with one JSON object on its standard input, and one on its standard output.
 * Exit status 0 says that it is done; another one that it is not, with the reason in what it printed to standard error.
 *
 * | operation | input | output |
 * |---|---|---|
 * | `launch` | `{"operation": "launch", …MachineSpec}` | none needed |
 * | `terminate` | `{"operation": "terminate", "id", "owner"}` | none needed |
 * | `list` | `{"operation": "list", "owner"}` | `{"instances": [{"id", "owner"}, …]}` |
 *
 * A program that takes too long is killed with all that it started, as is one that prints without an end. What it prints is never evaluated.
 */
export function commandProvider({ name, command, env, timeouts = usual }: CommandProviderOptions): InstanceProvider {
  const ask = (request: object, timeout: number, signal: AbortSignal): Promise<string> =>
    runProgram(command, { env, input: JSON.stringify({ version: 1, ...request }), timeout, signal });
  return {
    name,
    async launch(spec, signal) {
      await ask({ operation: 'launch', ...spec }, timeouts.change, signal);
    },
    async terminate(id, owner, signal) {
      await ask({ operation: 'terminate', id, owner }, timeouts.change, signal);
    },
    async list(owner, signal) {
      return readList(await ask({ operation: 'list', owner }, timeouts.list, signal));
    },
  };
}

function readList(text: string): ProvidedMachine[] {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new ProviderError('list printed no JSON object: print {"instances": […]} and nothing else');
  }
  const read = listed.safeParse(said);
  if (read.success) return read.data.instances;
  const [issue] = read.error.issues;
  throw new ProviderError(
    `list printed something else than {"instances": [{"id", "owner"}, …]}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.slice(
      0,
      300,
    ),
  );
}

interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** Runs a program to its end. @returns what it printed @throws ProviderError */
function runProgram(
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
    const settle = (failed: string | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      if (failed === undefined) resolve(Buffer.concat(output).toString('utf8'));
      else reject(new ProviderError(failed));
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
        );
    });
  });
}

const lastLine = (text: string): string => readable(text.trim().split('\n').at(-1) ?? '', 500);
