import { Remembered } from './remembered.ts';

/** Partitions whose newest version is remembered. */
const remembered = 10_000;

/**
 * The newest version this process has seen of each partition. A store that answers with an older one has lost data that was
 * acknowledged, and whatever deletes by "nothing refers to it" must stop.
 */
export class HighWater {
  readonly #versions = new Remembered<number>(remembered);
  #regressed: string | undefined;

  /** What was noticed; it stays until the process ends. */
  get regressed(): string | undefined {
    return this.#regressed;
  }

  partitions(): readonly string[] {
    return this.#versions.names();
  }

  /** @param kind `next` for the version a commit has just made: it must be above all seen; commits in flight come back in order */
  see(partition: string, version: number, kind: 'present' | 'next'): void {
    const before = this.#versions.get(partition) ?? 0;
    if (version < before) {
      this.#regressed ??= `the record store has lost data: partition ${partition} was at version ${before} and is at ${version}${kind === 'next' ? ' after a new commit' : ''}`;
    }
    this.#versions.set(partition, Math.max(version, before));
  }
}
