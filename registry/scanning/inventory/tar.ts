import { ByteReader } from './bytes.ts';
import { type InventoryLimits, Unscannable } from './limits.ts';

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';

/** An entry of a tar archive. Its content is there until the next entry is asked for; what is not read is passed over. */
export interface TarEntry {
  /** As the archive has it; normalize before comparing. */
  readonly path: string;
  readonly type: TarType;
  readonly size: number;
  readonly mode: number;
  /** Where a link leads; empty for other entries. */
  readonly link: string;
  /** The content piece by piece. A piece is valid until the next one is asked for. */
  content(): AsyncGenerator<Buffer>;
  /** The whole content, or undefined when it is longer than `most`. */
  whole(most: number): Promise<Buffer | undefined>;
}

const block = 512;

/**
 * Reads a tar archive as a stream: ustar, pax headers (global ones too), GNU long names and links, GNU and pax sparse files (as
 * what they hold, not as what they pretend to be). It unpacks nothing and follows nothing.
 * @throws Unscannable for what is no archive, is cut off, or goes beyond the limits
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: Pick<InventoryLimits, 'headerBytes' | 'pathLength' | 'bytes'>,
): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source);
  try {
    let globals = new Map<string, string>();
    let extended = new Map<string, string>();
    for (;;) {
      const header = await reader.exactly(block);
      if (header === undefined) return;
      if (header.every((byte) => byte === 0)) {
        await reader.drain();
        return;
      }
      checkSum(header);
      const kind = String.fromCharCode(header[156] ?? 0);
      const ownSize = numberAt(header, 124, 12);
      if ('xgLK'.includes(kind)) {
        if (ownSize > limits.headerBytes)
          throw new Unscannable(`a tar header is larger than ${limits.headerBytes} bytes`);
        const text = (await reader.exactly(ownSize)) ?? Buffer.alloc(0);
        if (text.length !== ownSize) throw new Unscannable('the layer ends in the middle of an entry');
        if (kind === 'x') extended = new Map([...extended, ...paxOf(text)]);
        else if (kind === 'g') globals = new Map([...globals, ...paxOf(text)]);
        else extended.set(kind === 'L' ? 'path' : 'linkpath', textOf(text));
        await reader.skip(padding(ownSize));
        continue;
      }
      const fields = extended.size === 0 ? globals : new Map([...globals, ...extended]);
      extended = new Map();
      const size = fields.has('size') ? decimal(fields.get('size')) : ownSize;
      if (size > limits.bytes) throw new Unscannable(`an entry pretends to have ${size} bytes`);
      if (kind === 'S') await skipSparseMap(reader, header);
      const path = fields.get('GNU.sparse.name') ?? fields.get('path') ?? nameOf(header);
      if (path.length > limits.pathLength)
        throw new Unscannable(`a path is longer than ${limits.pathLength} characters`);
      yield* entryOf(reader, header, kind, path, fields.get('linkpath'), hasContent(kind) ? size : 0);
    }
  } finally {
    await reader.close();
  }
}

async function* entryOf(
  reader: ByteReader,
  header: Buffer,
  kind: string,
  path: string,
  longLink: string | undefined,
  size: number,
): AsyncGenerator<TarEntry> {
  let left = size;
  const content = async function* (): AsyncGenerator<Buffer> {
    while (left > 0) {
      for await (const part of reader.upTo(left)) {
        left -= part.length;
        yield part;
        if (left === 0) return;
      }
      if (left > 0) throw new Unscannable('the layer ends in the middle of an entry');
    }
  };
  yield {
    path,
    type: types[kind] ?? 'other',
    size,
    mode: numberAt(header, 100, 8),
    link: longLink ?? textOf(header.subarray(157, 257)),
    content,
    async whole(most) {
      if (size > most) return undefined;
      const bytes = left === size ? await reader.exactly(size) : undefined;
      left = 0;
      if (bytes === undefined && size > 0) throw new Unscannable('the layer ends in the middle of an entry');
      return bytes ?? Buffer.alloc(0);
    },
  };
  await reader.skip(left + padding(size));
}

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  '7': 'file',
  S: 'file',
};

/** Links, devices and directories carry no content, whatever their size says (POSIX.1-2017, pax, "ustar Interchange Format"). */
const hasContent = (kind: string): boolean => !'123456'.includes(kind);

const padding = (size: number): number => (block - (size % block)) % block;

function checkSum(header: Buffer): void {
  let sum = 8 * 32;
  for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  if (sum !== numberAt(header, 148, 8)) throw new Unscannable('the layer is not a tar archive, or is damaged');
}

/** Octal digits, or GNU's base-256 for what is too large for them. */
function numberAt(header: Buffer, offset: number, length: number): number {
  const first = header[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x7f);
    for (let at = offset + 1; at < offset + length; at++) value = value * 256n + BigInt(header[at] ?? 0);
    return safe(Number(value));
  }
  const text = header
    .toString('latin1', offset, offset + length)
    .replace(/\0.*$/s, '')
    .trim();
  if (!/^[0-7]*$/.test(text)) throw new Unscannable('the layer is not a tar archive, or is damaged');
  return text === '' ? 0 : safe(Number.parseInt(text, 8));
}

function decimal(text: string | undefined): number {
  if (text === undefined || !/^\d{1,20}$/.test(text))
    throw new Unscannable('a pax header holds a size that is no number');
  return safe(Number(text));
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Unscannable(`an entry pretends to have ${value} bytes`);
  return value;
}

const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
};

/** The name of a ustar header, with its prefix where there is one. */
function nameOf(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  // GNU's own format ("ustar  ") has times where POSIX has the prefix.
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? textOf(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `<length> <key>=<value>\n`; the length counts itself. */
function paxOf(bytes: Buffer): Map<string, string> {
  const found = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 || space - at > 10 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    if (!Number.isSafeInteger(length) || length < 5 || at + length > bytes.length || equals < 1) {
      throw new Unscannable('a pax header is damaged');
    }
    found.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return found;
}

/** An old GNU sparse file: its map may go on in further blocks, each saying whether another one follows. */
async function skipSparseMap(reader: ByteReader, header: Buffer): Promise<void> {
  let more = header[482] === 1;
  for (let blocks = 0; more; blocks++) {
    if (blocks > 1000) throw new Unscannable('a sparse file has too many pieces');
    const next = await reader.exactly(block);
    if (next === undefined) throw new Unscannable('the layer ends in the middle of an entry');
    more = next[504] === 1;
  }
}
