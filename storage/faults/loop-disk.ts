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

  async make(megabytes: number): Promise<void> {
    this.#format(megabytes);
    await this.mount();
  }

  /** Where the structures of the file system have their room for ever, and files only while the file system below has some. */
  async makeThin(megabytes: number): Promise<void> {
    this.#format(megabytes);
    run('fallocate', '-l', `${megabytes}M`, this.image);
    await this.mount();
    run('fstrim', this.mounted);
  }

  async mount(): Promise<void> {
    await mkdir(this.mounted, { recursive: true });
    // Long intervals: nothing reaches the disk but what is synced. A file system that finds itself damaged turns read-only.
    run('mount', '-o', 'loop,commit=600,errors=remount-ro', this.image, this.mounted);
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

  #format(megabytes: number): void {
    run('truncate', '-s', `${megabytes}M`, this.image);
    run('mkfs.ext4', '-q', '-F', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.image);
  }
}
