/** Bytes from `start` to `end`, both inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header against a size (RFC 9110, section 14.2; the distribution specification asks for 416 also where the
 * range runs backwards). Several ranges must go forward without overlapping, as those of clients that fetch what they miss of a
 * zstd:chunked layer do; others are answered with the whole, as the RFC allows, so that no answer is longer than that.
 */
export function parseRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  const list = /^\s*bytes=(.*)$/.exec(header ?? '')?.[1];
  if (list === undefined) return 'whole';
  const ranges: ByteRange[] = [];
  for (const text of list.split(',')) {
    const range = parseRange(text.trim(), size);
    if (range === 'whole') return 'whole';
    if (range === 'unsatisfiable') continue;
    if (range.start <= (ranges.at(-1)?.end ?? -1)) return 'whole';
    ranges.push(range);
  }
  return ranges.length === 0 ? 'unsatisfiable' : ranges;
}

function parseRange(text: string, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(text);
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
