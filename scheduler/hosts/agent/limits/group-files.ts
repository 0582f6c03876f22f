import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Hierarchy } from './hierarchy.ts';
import { type Limits, weightOf } from './limits.ts';
import { LimitsError } from './port.ts';

/** Microseconds over which CPU time is counted. */
const period = 100_000;

const needed = ['cpu', 'memory', 'pids'] as const;

/** A limit of the kernel: `-1` (version 1) or `max` (version 2) is none. */
type Setting = readonly [controller: (typeof needed)[number], file: string, value: string];

/** The kernel's control groups as files. Paths of groups are relative to the folders where they are shown, and begin with `/`. */
export class GroupFiles {
  readonly #hierarchy: Hierarchy;
  readonly #version: 1 | 2;

  /** @param version of control groups that the engine uses for its containers */
  constructor(hierarchy: Hierarchy, version: 1 | 2) {
    this.#hierarchy = hierarchy;
    this.#version = version;
  }

  /** What is missing to limit anything; undefined when nothing is. */
  async missing(): Promise<string | undefined> {
    const { controllers, unified } = this.#hierarchy;
    if (this.#version === 1) {
      const absent = needed.find((name) => !controllers.has(name));
      return absent === undefined ? undefined : `the kernel shows no control groups of ${absent}`;
    }
    if (unified === undefined) return 'the kernel shows no control groups of version 2';
    const has = (await readFile(join(unified, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    const absent = needed.find((name) => !has.includes(name));
    return absent === undefined ? undefined : `control groups of version 2 have no controller for ${absent} here`;
  }

  /** Makes a group with its limits; any number of times. @throws LimitsError */
  async make(path: string, limits: Limits): Promise<void> {
    try {
      if (this.#version === 1) for (const name of needed) await mkdir(this.#folder(name, path), { recursive: true });
      else await this.#makeUnified(path);
      for (const [controller, file, value] of this.#settings(limits)) {
        await writeSetting(join(this.#folder(controller, path), file), value);
      }
    } catch (error) {
      throw new LimitsError(`the control group ${path} cannot be made: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Whether a process is in the group or in one below it; also of one that ends or is gone. */
  async holds(path: string, pid: number): Promise<boolean> {
    const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(gone);
    if (text === undefined) return true;
    const own = text
      .split('\n')
      .map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
      .find(([, names = '']) => (this.#version === 1 ? names.split(',').includes('memory') : names === ''));
    return own?.[2]?.startsWith(`${path}/`) === true || (await isEnding(pid));
  }

  /**
   * Processes of the group and those below that the kernel ended for want of memory. Version 1 counts them where they were, so
   * that the number goes with its container; there the engine hears of each.
   */
  async kills(path: string): Promise<number> {
    if (this.#version === 1) return 0;
    const events = await readFile(join(this.#folder('memory', path), 'memory.events'), 'utf8').catch(() => '');
    return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
  }

  /** The names of the groups directly below one. */
  async below(path: string): Promise<Set<string>> {
    const names = new Set<string>();
    for (const root of this.#hierarchy.roots) {
      const entries = await readdir(join(root, path), { withFileTypes: true }).catch(absent);
      for (const entry of entries ?? []) if (entry.isDirectory()) names.add(entry.name);
    }
    return names;
  }

  /** Removes a group wherever it is, unless something is in it. @returns whether it is gone */
  async remove(path: string): Promise<boolean> {
    const removed = await Promise.all(
      this.#hierarchy.roots.map(async (root) => {
        try {
          await rmdir(join(root, path));
          return true;
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'ENOENT') return true;
          if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
          throw error;
        }
      }),
    );
    return removed.every((gone) => gone);
  }

  #folder(controller: string, path: string): string {
    const { controllers, unified = '' } = this.#hierarchy;
    return join(this.#version === 1 ? (controllers.get(controller) ?? '') : unified, path);
  }

  /** A controller is there for a group when each group above it hands it on. */
  async #makeUnified(path: string): Promise<void> {
    const folder = this.#folder('', path);
    await mkdir(folder, { recursive: true });
    const root = this.#folder('', '/');
    const above: string[] = [];
    for (let at = dirname(folder); ; at = dirname(at)) {
      above.unshift(at);
      if (join(at, '/') === join(root, '/')) break;
    }
    for (const at of above) {
      const file = join(at, 'cgroup.subtree_control');
      const handed = (await readFile(file, 'utf8').catch(() => '')).trim().split(' ');
      const more = needed.filter((name) => !handed.includes(name));
      if (more.length > 0) await writeFile(file, more.map((name) => `+${name}`).join(' '));
    }
  }

  #settings({ cpu, shares, memory, swap, pids }: Limits): Setting[] {
    const quota = cpu === undefined ? undefined : Math.max(1_000, Math.round(cpu * period));
    if (this.#version === 1) {
      return [
        ['cpu', 'cpu.shares', String(shares)],
        ['cpu', 'cpu.cfs_period_us', String(period)],
        ['cpu', 'cpu.cfs_quota_us', String(quota ?? -1)],
        ...(memory === undefined ? [] : memorySettings(memory, swap)),
        ['pids', 'pids.max', String(pids)],
      ];
    }
    return [
      ['cpu', 'cpu.weight', String(weightOf(shares))],
      ['cpu', 'cpu.max', `${quota ?? 'max'} ${period}`],
      ...(memory === undefined ? [] : ([['memory', 'memory.max', String(memory)]] as Setting[])),
      ...(memory === undefined || swap ? [] : ([['memory', 'memory.swap.max', '0']] as Setting[])),
      ['pids', 'pids.max', String(pids)],
    ];
  }
}

const memorySettings = (memory: number, swap: boolean): Setting[] => [
  ['memory', 'memory.limit_in_bytes', String(memory)],
  ...(swap ? [] : ([['memory', 'memory.memsw.limit_in_bytes', String(memory)]] as Setting[])),
];

/** A kernel that counts no swap has no file to forbid it. */
const optional = /(?:memsw\.limit_in_bytes|swap\.max)$/;

async function writeSetting(file: string, value: string): Promise<void> {
  try {
    // Never made: a folder of control groups has what the kernel shows, and anything else limits nothing.
    await writeFile(file, value, { flag: 'r+' });
  } catch (error) {
    if (!(optional.test(file) && (error as NodeJS.ErrnoException).code === 'ENOENT')) throw error;
  }
}

/**
 * Whether a process is on its way out, or gone: the kernel takes such a one out of its groups of version 1, also while its parent has not
 * asked about it (`/proc/PID/stat`: state, and the flag PF_EXITING; proc(5)).
 */
async function isEnding(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(gone);
  // The name of the program may hold anything, parentheses too.
  const [state = '', , , , , , flags] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return text === undefined || state === 'Z' || state === 'X' || (Number(flags) & 4) !== 0;
}

/** Of a process that is gone there is nothing to read. */
function gone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
  throw error;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
