/** A machine's disk as an agent uses it: JSON by path. What was written is there after a crash; a full disk refuses. */
export class SimulatedDisk {
  full = false;
  readonly #files = new Map<string, string>();

  read(path: string): unknown {
    const text = this.#files.get(path);
    return text === undefined ? undefined : JSON.parse(text);
  }

  write(path: string, json: string): void {
    if (this.full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    this.#files.set(path, json);
  }

  remove(path: string): void {
    this.#files.delete(path);
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.#files.clear();
  }

  /** Paths below a folder. */
  below(folder: string): string[] {
    return [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
  }
}
