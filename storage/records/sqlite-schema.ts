import type { DatabaseSync } from 'node:sqlite';
import { checkVersion, type Format, foreign } from '../format/index.ts';

/** `SLIP` in the header of the file, where SQLite keeps whose a file is (https://sqlite.org/fileformat2.html#application_id). */
const applicationId = 0x534c4950;

/**
 * - `record` and `tombstone` hold the newest state of each key; both are ordered by version too, for the change feed.
 * - A value that is `large` lies in the table of that name, and beside the key is an empty text.
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

/** Characters of a value (or of an event's data) that lie beside its key at most; what is longer lies in `large`. */
export const longestInline = 900;
/** Partitions and streams whose ids a connection remembers. */
export const rememberedIds = 10_000;

/**
 * SQLite reads whole rows of a table WITHOUT ROWID to compare their keys, and a row that is too long for its page (a quarter of one,
 * https://sqlite.org/fileformat2.html, "Cell Payload Overflow Pages") comes from a chain of further pages: one value of 4 MB made every
 * look-up that passed it slow. So a long value lies in a table by number, and triggers take it away with its row.
 */
const largeValues = `
  CREATE TABLE large (id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;
  ALTER TABLE record ADD COLUMN large INTEGER;
  ALTER TABLE event ADD COLUMN large INTEGER;
  CREATE TRIGGER record_rewritten AFTER UPDATE OF large ON record WHEN old.large IS NOT NULL
    BEGIN DELETE FROM large WHERE id = old.large; END;
  CREATE TRIGGER record_removed AFTER DELETE ON record WHEN old.large IS NOT NULL
    BEGIN DELETE FROM large WHERE id = old.large; END;
  CREATE TRIGGER event_removed AFTER DELETE ON event WHEN old.large IS NOT NULL
    BEGIN DELETE FROM large WHERE id = old.large; END;

  CREATE TEMP TABLE moved (
    id INTEGER PRIMARY KEY, partition INTEGER, key TEXT, stream INTEGER, position INTEGER,
    UNIQUE (partition, key), UNIQUE (stream, position)
  );
  INSERT INTO moved (partition, key) SELECT partition, key FROM record WHERE octet_length(value) > ${longestInline};
  INSERT INTO moved (stream, position) SELECT stream, position FROM event WHERE octet_length(data) > ${longestInline};
  INSERT INTO large (id, value) SELECT id, value FROM moved JOIN record USING (partition, key);
  INSERT INTO large (id, value) SELECT id, data FROM moved JOIN event USING (stream, position);
  UPDATE record SET value = '', large = moved.id FROM moved
    WHERE record.partition = moved.partition AND record.key = moved.key;
  UPDATE event SET data = '', large = moved.id FROM moved
    WHERE event.stream = moved.stream AND event.position = moved.position;
  DROP TABLE moved;
`;

/** Columns with a text as it was written, wherever it lies. */
const textOf = (table: string, column: string): string =>
  `CASE WHEN ${table}.large IS NULL THEN ${table}.${column} ELSE (SELECT large.value FROM large WHERE id = ${table}.large) END AS ${column}`;
export const valueOf = textOf('record', 'value');
export const dataOf = textOf('event', 'data');

/** What takes a file from each format to the next, the first one from nothing; a file's `user_version` tells how many it has had. */
export const steps: readonly string[] = [schema, largeValues];
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
