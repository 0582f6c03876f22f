import type { Staged } from './blob-store.ts';

/** A file with a run of an upload's bytes, written by one process. */
export interface Segment {
  /** Its name under `staging/`. */
  readonly file: string;
  readonly maker: string;
  readonly size: number;
}

/** The segments in order, from the state that the caller keeps; three members each. @throws TypeError when it is not ours */
export function segmentsOf(staged: Staged): readonly Segment[] {
  const flat = staged.driver?.['segments'] ?? [];
  if (!Array.isArray(flat) || flat.length % 3 !== 0) throw new TypeError('not an upload of this store');
  const segments: Segment[] = [];
  for (let index = 0; index < flat.length; index += 3) {
    const [file, maker, size] = flat.slice(index, index + 3) as [string, string, number];
    if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(file)) throw new TypeError('not an upload of this store');
    segments.push({ file, maker, size });
  }
  return segments;
}

export function addSegment(segments: readonly Segment[], segment: Segment): NonNullable<Staged['driver']> {
  return { segments: [...segments, segment].flatMap(({ file, maker, size }) => [file, maker, size]) };
}

export function withLast(segments: readonly Segment[], last: Segment): NonNullable<Staged['driver']> {
  return addSegment(segments.slice(0, -1), last);
}
