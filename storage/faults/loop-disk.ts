import { execFileSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export const run = (command: string, ...parameters: string[]): string =>
  execFileSync(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** What is missing for mounting file systems; undefined when it is all there. */
export const cannotMount: string | undefined =
  process.getuid?.() === 0 ? undefined : 'mounting file systems needs root: run the tests as root';

/** What is missing for file systems in image files; undefined when it is all there. */
export const cannotLoop: string | undefined = cannotMount ?? withoutLoop();

function withoutLoop(): string | undefined {
  try {
    run('losetup', '--find');
    return undefined;
  } catch (error) {
    return `mounting image files needs losetup and loop devices (modprobe loop): ${(error as Error).message}`;
  }
}

/** A file system in an image file. */
export class LoopDisk {
  readonly folder: string;
  readonly image: string;
  readonly mounted: string;

  constructor(folder: string, name: string) {
    this.folder = folder;
    this.image = join(folder, `${name}.img`);
    this.mounted = join(folder, name);
  }

  /** @param features further options of mkfs.ext4 */
  async make(megabytes: number, ...features: readonly string[]): Promise<void> {
    run('truncate', '-s', `${megabytes}M`, this.image);
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', ...features, this.image);
    await this.mount();
  }

  async mount(...options: readonly string[]): Promise<void> {
    await mkdir(this.mounted, { recursive: true });
    // Long intervals: nothing reaches the disk but what is synced.
    run('mount', '-o', ['loop', 'commit=600', ...options].join(','), this.image, this.mounted);
  }

  unmount(): void {
    run('umount', this.mounted);
  }

  /** The disk as it would be found after a power failure at this moment. */
  async copy(name: string): Promise<LoopDisk> {
    const copy = new LoopDisk(this.folder, name);
    run('cp', '--sparse=always', this.image, copy.image);
    await copy.mount();
    return copy;
  }

  async dispose(): Promise<void> {
    this.unmount();
    await rm(this.image);
  }
}
