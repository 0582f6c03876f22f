import { Accumulator } from './accumulator.ts';
import { ByteReader } from './bytes.ts';
import type { MetricBlobs, OpenBlock } from './metric-blobs.ts';
import type { PlacedRun, Run } from './metric-file.ts';
import type { SegmentRecord } from './records.ts';
import { type Buckets, readBuckets, type RunKey } from './runs.ts';

interface Cursor {
  block: OpenBlock;
  index: number;
  readonly rest: AsyncIterator<OpenBlock>;
}

/** The runs of several files in the order of their keys, those of a key added up; a block of each is in memory at a time. */
export async function* mergedRuns(
  blobs: MetricBlobs,
  segments: readonly SegmentRecord[],
  seconds: number,
): AsyncGenerator<Run> {
  const cursors: Cursor[] = [];
  for (const segment of segments) {
    const rest = blocksOf(blobs, segment);
    const first = await rest.next();
    if (first.done !== true) cursors.push({ block: first.value, index: 0, rest });
  }
  for (;;) {
    let least: RunKey | undefined;
    for (const cursor of cursors) {
      const { key } = at(cursor);
      if (least === undefined || key < least) least = key;
    }
    if (least === undefined) return;
    const buckets: Buckets = new Map();
    for (const cursor of cursors.slice()) {
      while (at(cursor).key === least) {
        take(cursor, buckets, seconds);
        if (await advance(cursor)) continue;
        cursors.splice(cursors.indexOf(cursor), 1);
        break;
      }
    }
    yield { key: least, buckets };
  }
}

const at = ({ block, index }: Cursor): PlacedRun => block.runs[index] as PlacedRun;

function take(cursor: Cursor, into: Buckets, seconds: number): void {
  const run = at(cursor);
  readBuckets(new ByteReader(cursor.block.bytes, run.at, run.end), seconds, (time) => {
    const bucket = into.get(time) ?? new Accumulator();
    into.set(time, bucket);
    return bucket;
  });
}

/** @returns whether there is another run */
async function advance(cursor: Cursor): Promise<boolean> {
  if (++cursor.index < cursor.block.runs.length) return true;
  const next = await cursor.rest.next();
  if (next.done === true) return false;
  cursor.block = next.value;
  cursor.index = 0;
  return true;
}

async function* blocksOf(blobs: MetricBlobs, segment: SegmentRecord): AsyncGenerator<OpenBlock, void> {
  for (const block of await blobs.table(segment)) yield await blobs.readOnce(segment, block);
}
