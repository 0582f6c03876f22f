import { crc32, inflateRawSync } from 'node:zlib';

/** Random access to the bytes of an archive. */
export interface Bytes {
  readonly size: number;
  /** Exactly `length` bytes from `offset`. */
  read(offset: number, length: number): Buffer;
}

export const bytesOf = (buffer: Buffer): Bytes => ({
  size: buffer.length,
  read: (offset, length) => buffer.subarray(offset, offset + length),
});

export interface ZipEntry {
  readonly name: string;
  /** Decompressed, as the archive says; reading checks it. */
  readonly size: number;
  /** @throws ZipError for what is damaged, encrypted, or compressed by anything but deflate */
  read(): Buffer;
}

/** The archive is not one, is damaged, or goes beyond a limit. */
export class ZipError extends Error {
  override readonly name = 'ZipError';
}

export interface ZipLimits {
  /** Default 1,000,000. */
  readonly entries?: number;
  /** Bytes of one entry, decompressed. Default 64 MiB. */
  readonly entryBytes?: number;
}

/**
 * The files of a zip archive in the order of its directory (APPNOTE 6.3.10; with zip64), one after the other in memory.
 * An entry is never longer than its directory says: decompression stops there.
 * @throws ZipError
 */
export function* readZip(bytes: Bytes, limits: ZipLimits = {}): Generator<ZipEntry> {
  const { entries: mostEntries = 1_000_000, entryBytes = 64 * 1024 * 1024 } = limits;
  const { count, offset, size } = findDirectory(bytes);
  if (count > mostEntries) throw new ZipError(`it has ${count} entries; at most ${mostEntries} are read`);
  if (size > 512 * 1024 * 1024) throw new ZipError('its directory is too large');
  const directory = take(bytes, offset, size);
  let at = 0;
  for (let entry = 0; entry < count; entry++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      throw new ZipError('its directory is damaged');
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const end = at + 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
    if (end > directory.length) throw new ZipError('its directory is cut off');
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const facts = {
      flags: directory.readUInt16LE(at + 8),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      ...sizesOf(directory, at, extra),
    };
    at = end;
    if (!name.endsWith('/')) yield { name, size: facts.size, read: () => readEntry(bytes, name, facts, entryBytes) };
  }
}

interface Facts {
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

function sizesOf(directory: Buffer, at: number, extra: Buffer): Pick<Facts, 'packed' | 'size' | 'offset'> {
  const found = {
    size: directory.readUInt32LE(at + 24),
    packed: directory.readUInt32LE(at + 20),
    offset: directory.readUInt32LE(at + 42),
  };
  // The zip64 field holds, in this order, those of the three that do not fit in 32 bits.
  for (let field = 0; field + 4 <= extra.length; field += 4 + extra.readUInt16LE(field + 2)) {
    if (extra.readUInt16LE(field) !== 1) continue;
    let value = field + 4;
    for (const name of ['size', 'packed', 'offset'] as const) {
      if (found[name] !== 0xffff_ffff) continue;
      if (value + 8 > extra.length) throw new ZipError('its zip64 field is cut off');
      found[name] = Number(extra.readBigUInt64LE(value));
      value += 8;
    }
  }
  return found;
}

function readEntry(bytes: Bytes, name: string, facts: Facts, most: number): Buffer {
  if ((facts.flags & 1) !== 0) throw new ZipError(`${name} is encrypted`);
  if (facts.size > most || facts.packed > most) throw new ZipError(`${name} is larger than ${most} bytes`);
  const header = take(bytes, facts.offset, 30);
  if (header.readUInt32LE(0) !== 0x04034b50) throw new ZipError(`${name} is not where the directory says`);
  const data = take(bytes, facts.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28), facts.packed);
  const content = decompress(name, data, facts);
  if (content.length !== facts.size || crc32(content) !== facts.crc) throw new ZipError(`${name} is damaged`);
  return content;
}

function decompress(name: string, data: Buffer, { method, size }: Facts): Buffer {
  if (method === 0) return data;
  if (method !== 8) throw new ZipError(`${name} is compressed by method ${method}, not by deflate`);
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    throw new ZipError(`${name} is damaged`, { cause });
  }
}

function findDirectory(bytes: Bytes): { count: number; offset: number; size: number } {
  const tail = take(bytes, Math.max(0, bytes.size - 65_557), Math.min(bytes.size, 65_557));
  const at = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (at < 0 || at + 22 > tail.length) throw new ZipError('it is not a zip archive');
  const found = {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const locator = at - 20;
  if (locator < 0 || tail.readUInt32LE(locator) !== 0x07064b50) return found;
  const record = take(bytes, Number(tail.readBigUInt64LE(locator + 8)), 56);
  if (record.readUInt32LE(0) !== 0x06064b50) throw new ZipError('its zip64 directory is damaged');
  return {
    count: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  };
}

function take(bytes: Bytes, offset: number, length: number): Buffer {
  if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > bytes.size)
    throw new ZipError('it is cut off');
  return bytes.read(offset, length);
}
