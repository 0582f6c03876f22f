import { z } from 'zod';

import {
  type InstanceProvider,
  machineId,
  type ProvidedMachine,
  ProviderError,
  type Rest,
} from './instance-provider.ts';
import { runProgram } from './run-program.ts';

export interface CommandProviderOptions {
  /** As groups name it. */
  readonly name: string;
  /** The program, by its absolute path, and what it is called with. No shell reads it. */
  readonly command: readonly string[];
  /** What it finds in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** How the program can have machines wait: it is asked to `stop` and `start` them then. */
  readonly rests?: readonly Rest[];
  /** Milliseconds after which it is killed; by default ten minutes for a machine, one for a list. */
  readonly timeouts?: { readonly change: number; readonly list: number };
}

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
 * | `stop` | `{"operation": "stop", "id", "owner", "rest": "Stopped" or "Hibernated"}`, where it can | none needed |
 * | `start` | `{"operation": "start", "id", "owner"}`, likewise | none needed |
 * | `terminate` | `{"operation": "terminate", "id", "owner"}` | none needed |
 * | `list` | `{"operation": "list", "owner"}` | `{"instances": [{"id", "owner"}, …]}` |
 *
 * A program that takes too long is killed with all that it started, as is one that prints without an end. What it prints is never evaluated.
 */
export function commandProvider({
  name,
  command,
  env,
  rests = [],
  timeouts = usual,
}: CommandProviderOptions): InstanceProvider {
  const ask = (request: object, timeout: number, signal: AbortSignal): Promise<string> =>
    runProgram(command, { env, input: JSON.stringify({ version: 1, ...request }), timeout, signal });
  return {
    name,
    async launch(spec, signal) {
      await ask({ operation: 'launch', ...spec }, timeouts.change, signal);
    },
    ...(rests.length === 0
      ? {}
      : {
          rests,
          stop: async (id: string, owner: string, rest: Rest, signal: AbortSignal) => {
            await ask({ operation: 'stop', id, owner, rest }, timeouts.change, signal);
          },
          start: async (id: string, owner: string, signal: AbortSignal) => {
            await ask({ operation: 'start', id, owner }, timeouts.change, signal);
          },
        }),
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
