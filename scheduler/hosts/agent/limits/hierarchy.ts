import { readFile } from 'node:fs/promises';

import { mountsIn } from '../mountinfo.ts';

/** Where the kernel shows its control groups. */
export interface Hierarchy {
  /** Folders of version 1 by controller (`memory`, `cpu`, `pids`). */
  readonly controllers: ReadonlyMap<string, string>;
  /** The folder of version 2. */
  readonly unified?: string;
  /** All folders of either version: an engine makes a container's group in each. */
  readonly roots: readonly string[];
}

/**
 * Reads what is mounted, as `/proc/self/mountinfo` tells it. Version 2 beside version 1 (a hybrid host) is one of the folders, and
 * nothing is limited there.
 */
export async function readHierarchy(mountinfo = '/proc/self/mountinfo'): Promise<Hierarchy> {
  const controllers = new Map<string, string>();
  const roots = new Set<string>();
  let unified: string | undefined;
  for (const { point, type, own } of mountsIn(await readFile(mountinfo, 'utf8'))) {
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    roots.add(point);
    if (type === 'cgroup2') unified ??= point;
    else for (const name of own) if (!controllers.has(name)) controllers.set(name, point);
  }
  return { controllers, roots: [...roots], ...(unified === undefined ? {} : { unified }) };
}
