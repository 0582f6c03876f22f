import type { DatabaseSync } from 'node:sqlite';
import { checkVersion, type Format, foreign } from '../format/index.ts';

/** `SLIP` in the header of the file, where SQLite keeps whose a file is (https://sqlite.org/fileformat2.html#application_id). */
const applicationId = 0x534c4950;

/**
 * - `record` and `tombstone` hold the newest state of each key; both are ordered by version too, for the change feed.
 * - `partition.floor`: tombstones up to this version have been trimmed, so a feed cannot start below it.
 * - `stream.touched` is a number of the whole file that grows with every commit that announces: a watcher asks for larger ones.
 */
const schema = `
  CREATE TABLE partition (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, floor INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE record (
    partition INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (partition, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX record_version ON record (partition, version);
  CREATE TABLE tombstone (
    partition INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (partition, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstone_version ON tombstone (partition, version);
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    touched INTEGER NOT NULL, UNIQUE (partition, topic)
  ) STRICT;
  CREATE INDEX stream_touched ON stream (topic, touched);
  CREATE TABLE event (
    stream INTEGER NOT NULL, position INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (stream, position)
  ) STRICT, WITHOUT ROWID;
`;

/** What takes a file from each format to the next, the first one from nothing; a file's `user_version` tells how many it has had. */
const steps: readonly string[] = [schema];
const format: Format = { holds: 'records', version: steps.length };

/**
 * Sets a connection up for durable commits, creates the tables in a new file and brings those of an older one up to date.
 * @throws FormatRefused when the file was written by a newer version or is another program's; it is then left as it was
 */
export function prepareFile(db: DatabaseSync, path: string): void {
  // Before anything is written: changing to WAL writes. In one transaction: another process may be making the tables.
  db.exec('BEGIN');
  try {
    checkFile(db, path);
  } finally {
    db.exec('ROLLBACK');
  }
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768',
  );
  db.exec('BEGIN IMMEDIATE');
  try {
    const found = checkFile(db, path);
    for (const step of steps.slice(found)) db.exec(step);
    if (found < steps.length) db.exec(`PRAGMA user_version = ${steps.length}`);
    if (number(db, 'application_id') !== applicationId) db.exec(`PRAGMA application_id = ${applicationId}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** The file's format, 0 for a new one. Files from before there were stamps have tables and a number, but no owner. */
function checkFile(db: DatabaseSync, path: string): number {
  const owner = number(db, 'application_id');
  const found = number(db, 'user_version');
  const tables = new Set(
    db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name),
  );
  const ours = found === 0 ? tables.size === 0 : tables.has('record') && tables.has('tombstone');
  if (owner === applicationId || (owner === 0 && ours)) {
    checkVersion(found, format, path);
    return found;
  }
  throw foreign(path, format.holds, 'it is the database of another program');
}

function number(db: DatabaseSync, pragma: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
}
