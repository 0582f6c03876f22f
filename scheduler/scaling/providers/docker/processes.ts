import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { ProviderError } from '../instance-provider.ts';
import type { Names } from './machine.ts';

/** The program that a machine is run by, in whose words its folder is named. */
export const mainProgram = `${import.meta.dirname}/main.ts`;

const words = async (pid: number): Promise<string[]> =>
  (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');

async function pids(): Promise<number[]> {
  return (await readdir('/proc')).map(Number).filter((pid) => pid > 1);
}

/** Processes that run a machine, lowest first. Found by what they are called with, so that none is lost whoever was killed when. */
export async function runners({ folder }: Names): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await pids()) {
    const said = await words(pid);
    if (said.includes(mainProgram) && said.includes(folder)) found.push(pid);
  }
  return found.toSorted((a, b) => a - b);
}

/** Ends what runs a machine, in order, and then whatever is left in it. @param patience milliseconds for the order @throws ProviderError when something does not end */
export async function endProcesses(names: Names, patience: number): Promise<void> {
  for (const pid of await runners(names)) signal(pid, 'SIGTERM');
  await gone(() => runners(names), patience);
  const left = await gone(async () => {
    const found = [...(await runners(names)), ...(await inhabitants(names))];
    for (const pid of found) signal(pid, 'SIGKILL');
    return found;
  }, 30_000);
  if (left.length > 0) throw new ProviderError(`processes ${left.join(', ')} of ${names.id} do not end`);
}

/** Waits until there are none, or too long. @returns those that are left */
async function gone(find: () => Promise<number[]>, patience: number): Promise<number[]> {
  const until = performance.now() + patience;
  for (;;) {
    const found = await find();
    if (found.length === 0 || performance.now() > until) return found;
    await sleep(50);
  }
}

/** Whatever runs in the network of a machine, and in containers of its engine, which have networks of their own. */
async function inhabitants({ namespace, engine }: Names): Promise<number[]> {
  const network = await stat(`/run/netns/${namespace}`).catch(() => undefined);
  const found: number[] = [];
  for (const pid of await pids()) {
    const of = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
    if ((network !== undefined && of === `net:[${network.ino}]`) || (await isContainerOf(pid, engine))) found.push(pid);
  }
  return found;
}

/** Whether the root of a process' files is a layer of an engine. Others only see that such layers are mounted. */
async function isContainerOf(pid: number, engine: string): Promise<boolean> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return mounts.split('\n').some((line) => line.split(' ')[4] === '/' && line.includes(`${engine}/`));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
