/** Bytes from `start` to `end`, both inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header against a size (RFC 9110, section 14.2; the distribution specification asks for 416 also where the
 * range runs backwards). Several ranges are answered with the whole, as the RFC allows.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  if (header === undefined) return 'whole';
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (match === null) return 'whole';
  const [first, last] = [match[1] as string, match[2] as string];
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}

/** Reads the `Content-Range` of an upload's part: `<first>-<last>`, with or without `bytes` and a total. */
export function parseContentRange(header: string | undefined): ByteRange | 'none' | 'invalid' {
  if (header === undefined || header === '') return 'none';
  const match = /^(?:bytes[ =])?\s*(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim());
  if (match === null) return 'invalid';
  const range = { start: Number(match[1]), end: Number(match[2]) };
  return range.start > range.end ? 'invalid' : range;
}
