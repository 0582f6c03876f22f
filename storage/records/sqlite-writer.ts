/** The worker thread of the sqlite driver: turns what has gathered into one transaction with one sync of the disk. */
import { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { foreign, FormatRefused } from '../format/index.ts';
import type { EncodedBatch } from './encode.ts';
import { type Applied, Applier, type Retention } from './sqlite-apply.ts';
import { prepareFile } from './sqlite-schema.ts';

export interface WriterOptions {
  readonly file: string;
  /** Milliseconds to wait for another process's commit. */
  readonly busyTimeout: number;
  readonly retention: Retention;
}

/** What became of one batch of a group, as the main thread is told. */
export type Outcome =
  | Applied
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string; readonly outcome: 'not-committed' | 'unknown' };

/** To the main thread. The first message is `ready` or `unusable`. */
export type FromWriter =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'unusable';
      readonly message: string;
      /** Whether the file itself is refused, not only out of reach: its format is newer, or it is not ours. */
      readonly refused: boolean;
    }
  | { readonly kind: 'group'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'closed' };

export type ToWriter =
  | { readonly kind: 'group'; readonly batches: readonly EncodedBatch[] }
  | { readonly kind: 'close' };

interface Connection {
  readonly db: DatabaseSync;
  readonly applier: Applier;
  /** Whether its commits are synced to the disk at present. */
  syncs: boolean;
}

/** Primary result codes of SQLite that matter here (sqlite.org/rescode.html). */
const sqliteBusy = 5;
const sqliteFull = 13;
const sqliteTooBig = 18;
const sqliteNotADatabase = 26;
/** Extended codes: an fsync of a file, or of its folder, failed. */
const syncFailures: readonly unknown[] = [1034, 1290];

function connect(options: WriterOptions): Connection {
  const db = new DatabaseSync(options.file, { timeout: options.busyTimeout });
  try {
    prepareFile(db, options.file);
    // From here on the lock is waited for by begin().
    db.exec('PRAGMA busy_timeout = 0');
    return { db, applier: new Applier(db, options.retention), syncs: true };
  } catch (error) {
    db.close();
    if (primaryCode(error) === sqliteNotADatabase) throw foreign(options.file, 'records', 'it is no SQLite database');
    throw error;
  }
}

class Writer {
  readonly #options: WriterOptions;
  #connection: Connection | undefined;
  /**
   * Why nothing is written any more. After a failed fsync the system counts pages as written that are not on the disk; ext4 may even
   * lose what is written over them and synced (measured with its default `dioread_nolock`). A further commit or a checkpoint would be
   * acknowledged on top of that, so there is none before the pages in memory are gone.
   */
  #fenced: string | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#connection = connect(options);
  }

  /** Commits the group, each batch atomic on its own: one that fails its conditions does not touch the others. */
  write(batches: readonly EncodedBatch[]): readonly Outcome[] {
    let committing = false;
    if (this.#fenced !== undefined) {
      const refused: Outcome = { kind: 'unavailable', message: this.#fenced, outcome: 'not-committed' };
      return batches.map(() => refused);
    }
    try {
      this.#connection ??= connect(this.#options);
      const { db } = this.#connection;
      setSync(this.#connection, !batches.every(({ lazy }) => lazy));
      begin(db, this.#options.busyTimeout);
      const outcomes = batches.map((batch) => this.#one(db, batch));
      committing = true;
      db.exec('COMMIT');
      return outcomes;
    } catch (error) {
      const code = primaryCode(error);
      // A commit record that could not be written whole never counts; after any other failure of COMMIT it might be found again.
      const outcome = committing && code !== sqliteBusy && code !== sqliteFull ? 'unknown' : 'not-committed';
      if (syncFailures.includes((error as { errcode?: unknown }).errcode)) {
        this.#fenced = `the disk failed to sync ${this.#options.file} (${describe(error)}): stop the server, check the disk, mount its file system again, then start`;
      } else {
        this.#abandon(code);
      }
      const failed: Outcome = { kind: 'unavailable', message: this.#fenced ?? describe(error), outcome };
      return batches.map(() => failed);
    }
  }

  close(): void {
    this.#connection?.db.close();
    this.#connection = undefined;
  }

  #one(db: DatabaseSync, batch: EncodedBatch): Outcome {
    const { applier } = this.#connection!;
    db.exec('SAVEPOINT batch');
    try {
      const applied = applier.apply(batch);
      db.exec('RELEASE batch');
      return applied;
    } catch (error) {
      if (primaryCode(error) !== sqliteTooBig || !db.isTransaction) throw error;
      db.exec('ROLLBACK TO batch; RELEASE batch');
      applier.forget();
      return { kind: 'invalid', message: describe(error) };
    }
  }

  /** Rolls back. After an error of the disk the file is opened anew and recovered from what is really there. */
  #abandon(code: number | undefined): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      if (connection.db.isTransaction) connection.db.exec('ROLLBACK');
      connection.applier.forget();
      if (code === sqliteBusy || code === sqliteFull) return;
    } catch {
      // Falls through to the new connection.
    }
    this.#connection = undefined;
    try {
      connection.db.close();
    } catch {
      // Nothing is lost by a connection that cannot even be closed.
    }
  }
}

/**
 * Takes the lock that processes share. SQLite itself would look for it again after 1 ms, then 2, 5, 10, and so on, while a commit of
 * another process takes a fraction of one. @throws as SQLite does, when the lock was not free in time
 */
function begin(db: DatabaseSync, timeout: number): void {
  const started = performance.now();
  for (let pause = firstPause; ; pause = Math.min(pause * 1.5, longestPause)) {
    try {
      db.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      if (primaryCode(error) !== sqliteBusy || performance.now() - started > timeout) throw error;
    }
    Atomics.wait(never, 0, 0, pause);
  }
}

/** Milliseconds between looks at the lock. */
const firstPause = 0.05;
const longestPause = 2;
const never = new Int32Array(new SharedArrayBuffer(4));

/** Without the sync of each commit the log is still synced before a checkpoint (sqlite.org/pragma.html#pragma_synchronous). */
function setSync(connection: Connection, wanted: boolean): void {
  if (connection.syncs === wanted) return;
  connection.db.exec(`PRAGMA synchronous = ${wanted ? 'FULL' : 'NORMAL'}`);
  connection.syncs = wanted;
}

function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function serve(port: MessagePort, options: WriterOptions): void {
  const tell = (message: FromWriter): void => port.postMessage(message);
  let writer: Writer;
  try {
    writer = new Writer(options);
  } catch (error) {
    tell({ kind: 'unusable', message: describe(error), refused: error instanceof FormatRefused });
    port.close();
    return;
  }
  port.on('message', (message: ToWriter) => {
    switch (message.kind) {
      case 'group':
        tell({ kind: 'group', outcomes: writer.write(message.batches) });
        return;
      case 'close':
        writer.close();
        tell({ kind: 'closed' });
        port.close();
    }
  });
  tell({ kind: 'ready' });
}

if (parentPort !== null) serve(parentPort, workerData as WriterOptions);
