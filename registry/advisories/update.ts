import {
  closeSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  fstatSync,
  fsyncSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { advisoryFormat, advisorySchema } from './database.ts';
import { parseOsv } from './osv.ts';
import { type Bytes, readZip, ZipError } from './zip.ts';

/** The one outbound call an update makes; give it the guarded client. */
export type Fetch = (
  url: string,
  options: { readonly signal: AbortSignal },
) => Promise<Pick<Response, 'ok' | 'status' | 'body' | 'headers'>>;

export interface UpdateProgress {
  readonly source: string;
  readonly stage: 'downloading' | 'importing';
  /** Bytes while downloading, advisories while importing. */
  readonly done: number;
}

export interface UpdateOptions {
  /** The database, e.g. `<data>/advisories.sqlite`; replaced as a whole at the end. */
  readonly file: string;
  /** Folders, `.zip` or `.json` files, or `http(s)` URLs of either, in OSV's format. */
  readonly sources: readonly string[];
  /** Forgets what was imported before; otherwise records replace older ones of the same id, and withdrawn ones go. */
  readonly replace?: boolean;
  readonly fetch?: Fetch;
  readonly now: number;
  readonly progress?: (progress: UpdateProgress) => void;
  readonly signal?: AbortSignal;
  /** The largest download. Default 4 GiB. */
  readonly downloadBytes?: number;
  /** Milliseconds a download may take. Default 30 minutes. */
  readonly downloadTime?: number;
}

export interface UpdateResult {
  /** Advisories in the database now. */
  readonly advisories: number;
  readonly imported: number;
  readonly withdrawn: number;
  /** Records that are no advisories, with the first few reasons. */
  readonly skipped: number;
  readonly problems: readonly string[];
  readonly ecosystems: readonly string[];
}

/** The update failed; the advisories are as they were before. */
export class UpdateFailed extends Error {
  override readonly name = 'UpdateFailed';
}

/**
 * Fills the database of advisories. The new state is built beside the old one and takes its place in one step; servers that
 * use it notice and scan again what is to be scanned continuously.
 * @throws UpdateFailed with what to do; nothing has changed then
 */
export async function updateAdvisories(options: UpdateOptions): Promise<UpdateResult> {
  const { file, sources } = options;
  if (sources.length === 0)
    throw new UpdateFailed('Name at least one source: a folder, a .zip or .json file, or a URL.');
  mkdirSync(dirname(file), { recursive: true });
  const next = `${file}.next-${process.pid}`;
  const clean = (): void => {
    for (const suffix of ['', '-journal', '.download']) rmSync(next + suffix, { force: true });
  };
  clean();
  try {
    if (options.replace !== true && existsSync(file)) copyFileSync(file, next);
    const importer = new Importer(next);
    try {
      for (const source of sources) await importSource(importer, source, options, `${next}.download`);
      if (importer.counts.imported === 0 && importer.counts.withdrawn === 0) {
        throw new UpdateFailed(
          `No OSV advisory was found in ${sources.join(', ')}${importer.problems[0] === undefined ? '' : `: ${importer.problems[0]}`}`,
        );
      }
      const result = importer.finish(options.now);
      publish(next, file);
      return result;
    } finally {
      importer.close();
    }
  } catch (error) {
    if (error instanceof UpdateFailed || options.signal?.aborted === true) throw error;
    throw new UpdateFailed(`The advisories could not be updated: ${messageOf(error)}`, { cause: error });
  } finally {
    clean();
  }
}

async function importSource(
  importer: Importer,
  source: string,
  options: UpdateOptions,
  download: string,
): Promise<void> {
  let path = source;
  if (/^https?:\/\//.test(source)) {
    await fetchTo(source, download, options);
    path = download;
  }
  if (!existsSync(path)) throw new UpdateFailed(`There is no file or folder ${source}.`);
  const files = statSync(path).isDirectory()
    ? globSync(['**/*.json', '**/*.zip'], { cwd: path })
        .sort()
        .map((name) => join(path, name))
    : [path];
  let done = 0;
  for (const name of files) {
    for (const text of textsOf(name, source)) {
      importer.add(text);
      if (++done % 500 !== 0) continue;
      options.signal?.throwIfAborted();
      options.progress?.({ source, stage: 'importing', done });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  options.progress?.({ source, stage: 'importing', done });
}

/** The records in a file: a zip of JSON files, or one JSON file. */
function* textsOf(path: string, source: string): Generator<{ name: string; text: string }> {
  const handle = openSync(path, 'r');
  try {
    const bytes: Bytes = {
      size: fstatSync(handle).size,
      read(offset, length) {
        const buffer = Buffer.alloc(length);
        if (readSync(handle, buffer, 0, length, offset) !== length) throw new ZipError('it is cut off');
        return buffer;
      },
    };
    if (bytes.size < 4 || bytes.read(0, 2).toString('latin1') !== 'PK') {
      if (bytes.size > 64 * 1024 * 1024)
        throw new UpdateFailed(`${source} is neither a zip archive nor an OSV record.`);
      yield { name: source, text: readFileSync(path, 'utf8') };
      return;
    }
    for (const entry of readZip(bytes, { entryBytes: 16 * 1024 * 1024 })) {
      if (entry.name.endsWith('.json')) yield { name: entry.name, text: entry.read().toString() };
    }
  } catch (error) {
    if (error instanceof ZipError) throw new UpdateFailed(`${source}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    closeSync(handle);
  }
}

async function fetchTo(url: string, path: string, options: UpdateOptions): Promise<void> {
  if (options.fetch === undefined) throw new UpdateFailed('Downloads are not possible here; name a file or a folder.');
  const most = options.downloadBytes ?? 4 * 1024 ** 3;
  const timeout = AbortSignal.timeout(options.downloadTime ?? 30 * 60_000);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const response = await options.fetch(url, { signal });
  if (!response.ok || response.body === null) throw new UpdateFailed(`${url} answered with status ${response.status}.`);
  let bytes = 0;
  let told = 0;
  await pipeline(
    response.body,
    async function* limited(body: AsyncIterable<Uint8Array>) {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > most) throw new UpdateFailed(`${url} is larger than ${most} bytes.`);
        if (bytes - told > 1024 * 1024) options.progress?.({ source: url, stage: 'downloading', done: (told = bytes) });
        yield chunk;
      }
    },
    createWriteStream(path),
    { signal },
  );
}

/** Writes records into a database in one transaction. */
class Importer {
  readonly counts = { imported: 0, withdrawn: 0, skipped: 0 };
  readonly problems: string[] = [];
  readonly #database: DatabaseSync;
  readonly #find;
  readonly #put;
  readonly #forget;
  readonly #drop;
  readonly #affect;
  #open = true;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    // The file is nobody's until it is renamed: a crash leaves nothing behind that counts.
    this.#database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${advisorySchema} BEGIN`);
    this.#find = this.#database.prepare('SELECT number FROM advisory WHERE id = ?');
    this.#put = this.#database.prepare('INSERT INTO advisory (id, facts) VALUES (?, ?)');
    this.#forget = this.#database.prepare('DELETE FROM affected WHERE advisory = ?');
    this.#drop = this.#database.prepare('DELETE FROM advisory WHERE number = ?');
    this.#affect = this.#database.prepare(
      'INSERT INTO affected (ecosystem, name, advisory, facts) VALUES (?, ?, ?, ?)',
    );
  }

  add({ name, text }: { readonly name: string; readonly text: string }): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.#skip(`${name}: ${messageOf(error)}`);
      return;
    }
    const parsed = parseOsv(value);
    if ('problem' in parsed) {
      this.#skip(`${name}: ${parsed.problem}`);
      return;
    }
    const id = 'withdrawn' in parsed ? parsed.withdrawn : parsed.advisory.id;
    const known = this.#find.get(id)?.['number'] as number | undefined;
    if (known !== undefined) {
      this.#forget.run(known);
      this.#drop.run(known);
    }
    if ('withdrawn' in parsed) {
      this.counts.withdrawn++;
      return;
    }
    this.counts.imported++;
    if (parsed.affected.length === 0) return;
    const { lastInsertRowid } = this.#put.run(id, JSON.stringify(parsed.advisory));
    for (const { ecosystem, name: pack, ...facts } of parsed.affected) {
      this.#affect.run(ecosystem, pack, lastInsertRowid, JSON.stringify(facts));
    }
  }

  finish(now: number): UpdateResult {
    const ecosystems = this.#database
      .prepare('SELECT DISTINCT ecosystem FROM affected ORDER BY ecosystem')
      .all()
      .map((row) => row['ecosystem'] as string);
    const advisories = this.#database.prepare('SELECT count(*) AS count FROM advisory').get()?.['count'] as number;
    const meta = this.#database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    meta.run('format', String(advisoryFormat));
    meta.run('updatedAt', String(now));
    meta.run('ecosystems', JSON.stringify(ecosystems));
    this.#database.exec('COMMIT');
    this.close();
    return { advisories, ...this.counts, problems: this.problems, ecosystems };
  }

  close(): void {
    if (this.#open) this.#database.close();
    this.#open = false;
  }

  #skip(problem: string): void {
    this.counts.skipped++;
    if (this.problems.length < 5) this.problems.push(problem);
  }
}

function publish(next: string, file: string): void {
  const handle = openSync(next, 'r');
  fsyncSync(handle);
  closeSync(handle);
  renameSync(next, file);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
