import { readFile } from 'node:fs/promises';

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
 * Reads what is mounted, as `/proc/self/mountinfo` tells it: `… <root> <path> <options> … - <type> <source> <options>`.
 * Version 2 beside version 1 (a hybrid host) is one of the folders, and nothing is limited there.
 */
export async function readHierarchy(mountinfo = '/proc/self/mountinfo'): Promise<Hierarchy> {
  const controllers = new Map<string, string>();
  const roots = new Set<string>();
  let unified: string | undefined;
  for (const line of (await readFile(mountinfo, 'utf8')).split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const path = mount.split(' ')[4];
    const [type, , options = ''] = filesystem.split(' ');
    if (path === undefined || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    roots.add(path);
    if (type === 'cgroup2') unified ??= path;
    else for (const name of options.split(',')) if (!controllers.has(name)) controllers.set(name, path);
  }
  return { controllers, roots: [...roots], ...(unified === undefined ? {} : { unified }) };
}
