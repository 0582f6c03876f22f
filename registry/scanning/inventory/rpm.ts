import { DatabaseSync } from 'node:sqlite';
import { Unscannable } from './limits.ts';
import type { SystemPackage } from './system-packages.ts';

const tags = { name: 1000, version: 1001, release: 1002, epoch: 1003, architecture: 1022, sourceRpm: 1044 } as const;

/**
 * Packages in an rpm database of the sqlite kind (rpm 4.16 and later): a table of blobs, each the header of a package. The file
 * comes from an image, so nothing of its schema is run: only a plain table is read.
 * @throws Unscannable when it is no such database
 */
export function parseRpmDatabase(bytes: Buffer): SystemPackage[] {
  if (!bytes.toString('latin1', 0, 15).startsWith('SQLite format 3')) {
    throw new Unscannable('its rpm database is not of the sqlite kind');
  }
  using database = new DatabaseSync(':memory:', { allowExtension: false });
  try {
    database.deserialize(withoutJournal(bytes));
    const table = database.prepare("SELECT type, sql FROM sqlite_schema WHERE name = 'Packages' LIMIT 1").get();
    if (table?.['type'] !== 'table' || !/^CREATE TABLE [^(]*\([^)]*\)$/i.test(String(table['sql']))) {
      throw new Unscannable('its rpm database has no table of packages');
    }
    const found: SystemPackage[] = [];
    for (const row of database.prepare('SELECT blob FROM Packages').iterate()) {
      if (row['blob'] instanceof Uint8Array) found.push(...parseHeader(Buffer.from(row['blob'])));
    }
    return found;
  } catch (error) {
    if (error instanceof Unscannable) throw error;
    throw new Unscannable('its rpm database is damaged', { cause: error });
  }
}

/** An image in memory cannot have a write-ahead log beside it; the two version bytes say that there is none. */
function withoutJournal(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[18] = 1;
  copy[19] = 1;
  return copy;
}

/** The header of one package: counts, an index of 16 bytes per tag, then the data ("RPM file format", header structure). */
export function parseHeader(blob: Buffer): SystemPackage[] {
  if (blob.length < 8) return [];
  const [count, length] = [blob.readUInt32BE(0), blob.readUInt32BE(4)];
  const start = 8 + count * 16;
  if (count > 100_000 || start + length > blob.length) throw new Unscannable('a header of its rpm database is damaged');
  const data = blob.subarray(start, start + length);
  const values = new Map<number, string>();
  for (let at = 8; at < start; at += 16) {
    const [tag, type, offset] = [blob.readUInt32BE(at), blob.readUInt32BE(at + 4), blob.readUInt32BE(at + 8)];
    if (!wanted.has(tag) || offset >= data.length) continue;
    if (type === 6) {
      const end = data.indexOf(0, offset);
      values.set(tag, data.toString('utf8', offset, end < 0 ? data.length : end));
    } else if (type === 4 && offset + 4 <= data.length) values.set(tag, String(data.readUInt32BE(offset)));
  }
  const [name, version, release] = [values.get(tags.name), values.get(tags.version), values.get(tags.release)];
  // Keys that were imported to verify packages are kept as packages too.
  if (!name || !version || name === 'gpg-pubkey') return [];
  const epoch = values.get(tags.epoch);
  const full = `${epoch === undefined || epoch === '0' ? '' : `${epoch}:`}${version}${release ? `-${release}` : ''}`;
  const [, source] = /^(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm$/.exec(values.get(tags.sourceRpm) ?? '') ?? [];
  const architecture = values.get(tags.architecture);
  return [
    {
      type: 'rpm',
      name,
      version: full,
      ...(source ? { source: { name: source, version: full } } : {}),
      ...(architecture ? { architecture } : {}),
    },
  ];
}

const wanted = new Set<number>(Object.values(tags));
