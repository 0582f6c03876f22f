import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { machineId } from '../instance-provider.ts';

/** Where engines have their sockets and what does not outlive a start of this computer; the paths of sockets have at most 107 characters. */
const runFolder = '/run/slipway-machines';

/** The beginning of the names of links to machines. */
export const linkPrefix = 'swm';

/** The names of everything that a machine is made of: they follow from its id alone, so that whoever ends it needs nothing else. */
export interface Names {
  readonly id: string;
  /** Holds its description, its engine's data, the state of its agent and their log. */
  readonly folder: string;
  readonly run: string;
  readonly namespace: string;
  /** At most 15 characters, as the kernel has it. */
  readonly link: string;
  /** Marks its rules in the packet filter. */
  readonly comment: string;
  readonly socket: string;
  /** Where its engine keeps images and containers. */
  readonly engine: string;
}

/** @param root the folder of all machines @throws TypeError for what is no id, so that no path leads elsewhere */
export function namesOf(root: string, id: string): Names {
  if (!machineId.test(id)) throw new TypeError(`${JSON.stringify(id.slice(0, 50))} is not the id of a machine`);
  const folder = join(root, id);
  const run = join(runFolder, id);
  return {
    id,
    folder,
    run,
    namespace: `slipway-${id}`,
    link: `${linkPrefix}${id.slice(-12)}`,
    comment: `slipway-machine-${id}`,
    socket: join(run, 'docker.sock'),
    engine: join(folder, 'engine'),
  };
}

const machineShape = z.object({
  id: z.string().regex(machineId),
  owner: z.string(),
  /** Its address, and this computer's at the other end of its link. */
  address: z.ipv4(),
  gateway: z.ipv4(),
  /** What its agent finds in its environment: a secret. */
  settings: z.record(z.string(), z.string()),
  /** It is not to run just now. */
  stopped: z.literal(true).optional(),
});

/** What was written of a machine before anything of it was made. */
export type Machine = z.output<typeof machineShape>;

const fileOf = ({ folder }: Names): string => join(folder, 'machine.json');

/** @returns undefined when there is no such machine, or nothing that can be read was written of it */
export async function readMachine(names: Names): Promise<Machine | undefined> {
  try {
    return machineShape.parse(JSON.parse(await readFile(fileOf(names), 'utf8')));
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All of it or nothing, for root alone. */
export async function writeMachine(names: Names, machine: Machine): Promise<void> {
  await mkdir(names.folder, { recursive: true, mode: 0o700 });
  const written = `${fileOf(names)}.new`;
  await writeFile(written, JSON.stringify(machine), { mode: 0o600 });
  await rename(written, fileOf(names));
}

/** Ids of everything in the folder of machines, whether it can be read or not. */
export async function machineIds(root: string): Promise<string[]> {
  const names = await readdir(root).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => machineId.test(name));
}
