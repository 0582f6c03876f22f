import { gzipSync, zstdCompressSync } from 'node:zlib';

/** An entry of a made-up archive. */
export interface Made {
  readonly path: string;
  readonly content?: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  /** Instead of the content's own. */
  readonly size?: number;
}

/** A ustar archive, written by hand so that it can also be wrong. */
export function tarOf(entries: readonly Made[], ending = true): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
    return [headerOf(entry, content.length), content, padding];
  });
  return Buffer.concat(ending ? [...parts, Buffer.alloc(1024)] : parts);
}

export function headerOf(entry: Made, contentLength: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(entry.path, 0, 100);
  header.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\0'.repeat(2), 108);
  const size = entry.size ?? contentLength;
  if (size < 8 ** 11) header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write('00000000000\0', 136);
  header.write(entry.type ?? '0', 156);
  header.write(entry.link ?? '', 157, 100);
  header.write('ustar\x0000', 257);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** A pax header for the entry after it. */
export const paxOf = (fields: Readonly<Record<string, string>>, type = 'x'): Made => ({
  path: 'PaxHeader',
  type,
  content: Object.entries(fields)
    .map(([key, value]) => {
      const body = ` ${key}=${value}\n`;
      const length = [1, 2, 3, 4, 5, 6]
        .map((digits) => Buffer.byteLength(body) + digits)
        .find((total, at) => String(total).length === at + 1);
      return `${length}${body}`;
    })
    .join(''),
});

export const gzip = (bytes: Buffer): Buffer => gzipSync(bytes, { level: 1 });
export const zstd = (bytes: Buffer): Buffer => zstdCompressSync(bytes);

/** A stream in pieces of a size, so that nothing relies on where chunks end. */
export async function* pieces(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A file of one package as dpkg keeps it. */
export const dpkgStanza = (name: string, version: string, source?: string): string =>
  `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\n${source === undefined ? '' : `Source: ${source}\n`}Version: ${version}\nDescription: made up\n with a second line\n\n`;

export const debianRelease = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n';
