import { type Appended, BlobStoreError, type Staged } from '@slipway/storage/blobs';
import { type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import { openedMetrics, upkeep } from '../../metrics/store/testing/index.ts';
import { account, openedLogs, withCommit } from './testing/opened.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';

/** A disk that is full when the test says so: half of what is written arrives, as on a real one. */
class Disk extends MemoryBlobs {
  isFull = false;

  override async append(staged: Staged, body: AsyncIterable<Uint8Array>): Promise<Appended> {
    if (!this.isFull) return super.append(staged, body);
    for await (const part of body) {
      await super.append(staged, [part.subarray(0, part.byteLength / 2)] as never);
      break;
    }
    return { staged, cut: new BlobStoreError('full', 'writing failed: ENOSPC: no space left on device') };
  }
}

/** Records on the same disk. */
const onDisk = (disk: Disk, inner: RecordStore): RecordStore =>
  withCommit(inner, (partition, batch) =>
    disk.isFull
      ? Promise.reject(new StoreUnavailable('database or disk is full', 'not-committed'))
      : inner.commit(partition, batch),
  );

test('a full disk takes no line in, loses none that was acknowledged, and leaves nothing behind when there is room again', async () => {
  const disk = new Disk();
  const opened = openedLogs(disk, (clock) => onDisk(disk, memoryRecords(clock)));
  const store = opened.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  const streams = ['a', 'b', 'c'];
  for (const stream of streams) await store.createStream(account, 'g', stream);
  const acknowledged = new Map(streams.map((stream) => [stream, [] as string[]]));
  let number = 0;
  const write = async (): Promise<void> => {
    opened.clock.time += 1000;
    const lines = streams.map((stream) => [stream, `line ${number++}`] as const);
    const told = await Promise.allSettled(
      lines.map(([stream, message]) => store.put(account, 'g', stream, [{ timestamp: opened.clock.time, message }])),
    );
    for (const [place, { status }] of told.entries())
      if (status === 'fulfilled') acknowledged.get(lines[place]![0])?.push(lines[place]![1]);
  };
  const keep = await opened.lead();
  const compact = () => store.keeper.round(account, keep).quick(new AbortController().signal);
  for (let round = 0; round < 6; round++) {
    await write();
    disk.isFull = true;
    await write();
    await expect(compact()).rejects.toThrow(/full|ENOSPC/);
    disk.isFull = false;
    await write();
    if (round % 2 === 1) await compact();
  }
  await compact();
  expect(number).toBe(54);
  for (const [stream, lines] of acknowledged) {
    const { events } = await store.read(account, 'g', stream, { direction: 'forward', limit: 1000 });
    expect(events.map(({ message }) => message)).toEqual(lines);
    expect(lines).toHaveLength(12);
  }
  opened.clock.time += 10 * 60_000;
  await compact();
  expect(disk.sealed.size).toBe(await opened.records.count(`logs/${account}`, 'segment/', 100));
  await store.close();
});

test('metrics on a full disk are refused, and those that were acknowledged are counted once', async () => {
  const disk = new Disk();
  const clock = openedMetrics().clock;
  const opened = openedMetrics({ blobs: disk, clock, records: onDisk(disk, memoryRecords(clock)) });
  const store = opened.server();
  const compaction = await opened.compaction(store);
  const start = Math.floor(clock.time / 3_600_000) * 3_600_000;
  const put = () =>
    store.put(account, [
      { namespace: 'App', name: 'n', dimensions: [], resolution: 60, timestamp: clock.time, measured: 1 },
    ]);
  let acknowledged = 0;
  for (let round = 0; round < 5; round++) {
    await put();
    acknowledged += 1;
    disk.isFull = true;
    await expect(put()).rejects.toThrow('full');
    await expect(compaction.chunks()).rejects.toThrow(/full|ENOSPC/);
    disk.isFull = false;
  }
  await upkeep(compaction);
  const range = { from: start, to: start + 3_600_000, period: 3600 };
  const [buckets = []] = await store.read(account, [{ namespace: 'App', name: 'n', dimensions: [] }], range);
  expect(buckets.map(({ count }) => count)).toEqual([acknowledged]);
  await store.close();
});
