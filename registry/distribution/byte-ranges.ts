import { randomBytes } from 'node:crypto';
import type { ByteRange } from './range.ts';

/** The body of an answer about a blob: what goes before, between and behind its parts as text, the parts as ranges, undefined for all of it. */
export interface BlobBody {
  readonly status: 200 | 206;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly (string | ByteRange | undefined)[];
}

/** The whole, one part (206 with Content-Range), or several as `multipart/byteranges` (RFC 9110, section 14.6). */
export function blobBody(ranges: readonly ByteRange[] | 'whole', size: number): BlobBody {
  const type = 'application/octet-stream';
  if (ranges === 'whole') {
    const headers = { 'Content-Type': type, 'Content-Length': String(size) };
    return { status: 200, headers, pieces: size === 0 ? [] : [{ start: 0, end: size - 1 }] };
  }
  const placeOf = ({ start, end }: ByteRange): string => `bytes ${start}-${end}/${size}`;
  const [first] = ranges;
  if (first !== undefined && ranges.length === 1) {
    const headers = {
      'Content-Type': type,
      'Content-Length': String(lengthOf(first)),
      'Content-Range': placeOf(first),
    };
    return { status: 206, headers, pieces: [first] };
  }
  const boundary = randomBytes(16).toString('hex');
  const pieces: (string | ByteRange)[] = ranges.flatMap((range, index) => [
    `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${placeOf(range)}\r\n\r\n`,
    range,
  ]);
  pieces.push(`\r\n--${boundary}--\r\n`);
  const headers = {
    'Content-Type': `multipart/byteranges; boundary=${boundary}`,
    'Content-Length': String(pieces.reduce((sum, piece) => sum + lengthOf(piece), 0)),
  };
  return { status: 206, headers, pieces };
}

/** Bytes of a piece; its text is ASCII. */
const lengthOf = (piece: string | ByteRange): number =>
  typeof piece === 'string' ? piece.length : piece.end - piece.start + 1;
