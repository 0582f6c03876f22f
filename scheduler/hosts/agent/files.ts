import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { type Format, stampFolder } from '@slipway/storage/format';

/** Raised when the files of the data folder change in a way that an older agent would misread. */
const dataFormat: Format = { holds: 'the files of an agent', version: 1 };

/** The disk as an agent uses it: JSON files by path. */
export interface Disk {
  /** Makes a folder the agent's own, or finds that it is. @throws what says that it is another program's, or a newer version's */
  claim(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** The names in a folder. */
  names(folder: string): Promise<readonly string[]>;
  /** The parsed content, or undefined when there is no such file. @throws SyntaxError when it is damaged */
  read(path: string): Promise<unknown>;
  /** Writes the text of a JSON file. Durable when it resolves; after a crash there is the old content or the new. */
  write(path: string, json: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** This machine's disk. Folders have mode 0700, files 0600. */
export const systemDisk: Disk = {
  claim: (path) => stampFolder(path, dataFormat),
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  names: (folder) => readdir(folder),
  read: readJson,
  write: writeJson,
  remove: (path) => rm(path, { force: true }),
};

/** Writes a JSON file so that after a crash there is the old content or the new: temporary file, fsync, rename, fsync of the folder. Mode 0600. */
export async function writeJson(path: string, json: string): Promise<void> {
  const temporary = `${path}.new`;
  {
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(json);
    await file.sync();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** The parsed content, or undefined when there is no such file. @throws SyntaxError when it is damaged */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** A folder of JSON files by name; names are made of letters, digits, `-` and `_`. Writes of one name happen in order. */
export class JsonFolder {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #writes = new Map<string, Promise<void>>();

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Creates the folder and returns what is in it; damaged files are left alone and named. */
  async open(): Promise<{ readonly files: ReadonlyMap<string, unknown>; readonly damaged: readonly string[] }> {
    await this.#disk.makeFolder(this.#path);
    const files = new Map<string, unknown>();
    const damaged: string[] = [];
    for (const entry of await this.#disk.names(this.#path)) {
      const name = /^([\w-]+)\.json$/.exec(entry)?.[1];
      if (name === undefined) continue;
      try {
        files.set(name, await this.#disk.read(join(this.#path, entry)));
      } catch {
        damaged.push(join(this.#path, entry));
      }
    }
    return { files, damaged };
  }

  write(name: string, value: unknown): Promise<void> {
    // Taken now, written later: what the caller changes afterwards belongs to its next write.
    const json = JSON.stringify(value);
    return this.#after(name, () => this.#disk.write(join(this.#path, `${name}.json`), json));
  }

  remove(name: string): Promise<void> {
    return this.#after(name, () => this.#disk.remove(join(this.#path, `${name}.json`)));
  }

  #after(name: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#writes.get(name) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#writes.set(name, done);
    const forget = (): void => {
      if (this.#writes.get(name) === done) this.#writes.delete(name);
    };
    done.then(forget, forget);
    return done;
  }
}
