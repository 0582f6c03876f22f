/** A line of `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)). */
export interface Mount {
  /** `major:minor` of the file system. */
  readonly device: string;
  /** The folder of the file system that is mounted, wherever that is found by another path. */
  readonly root: string;
  readonly point: string;
  /** Of this mount: `ro`, `nosuid`, … */
  readonly options: readonly string[];
  /** Of the file system: `ext4`, `cgroup2`, … */
  readonly type: string;
  /** Of the file system, wherever it is mounted. */
  readonly own: readonly string[];
}

/** Every mount of a process, those that cover others behind them. Lines that are none are left out. */
export const mountsIn = (text: string): Mount[] =>
  text.split('\n').flatMap((line) => {
    const [mount = '', fileSystem = ''] = line.split(' - ');
    const [, , device, root, point, options = ''] = mount.split(' ');
    const [type = '', , own = ''] = fileSystem.split(' ');
    if (device === undefined || root === undefined || point === undefined) return [];
    return [{ device, root: plain(root), point: plain(point), options: options.split(','), type, own: own.split(',') }];
  });

/** Space, tab, line feed and backslash are written in octal. */
const plain = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
