import type { DatabaseSync } from 'node:sqlite';

/** Raised when the tables change; a file with a newer number is refused. */
const schemaVersion = 1;

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

/**
 * Sets a connection up for durable commits and creates the tables in a new file.
 * @throws Error when the file was written by a newer version
 */
export function prepareFile(db: DatabaseSync): void {
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768',
  );
  db.exec('BEGIN IMMEDIATE');
  try {
    const found = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (found > schemaVersion) {
      throw new Error(
        `the file has format ${found}, this version of the software knows formats up to ${schemaVersion}`,
      );
    }
    if (found === 0) db.exec(`${schema} PRAGMA user_version = ${schemaVersion}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
