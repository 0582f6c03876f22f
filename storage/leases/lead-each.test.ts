import { beforeEach, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../clock/index.ts';
import type { RecordStore } from '../records/index.ts';
import { memoryRecords } from '../records/testing/memory-records.ts';
import { leadEach, type LeadEachOptions, openLeases } from './index.ts';

let records: RecordStore;
let stop: AbortController;
const told: unknown[] = [];

/** Real but for the pauses, which take a turn. */
const clock: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

beforeEach(() => {
  records = memoryRecords(systemClock);
  stop = new AbortController();
  told.length = 0;
});

const put = (partition: string) => records.commit(partition, { put: [{ key: 'k', value: 1 }] });
const options = (other: Partial<LeadEachOptions> = {}): LeadEachOptions => ({
  records,
  prefix: 'things/',
  name: 'work',
  // No pause of a busy machine is as long.
  ttl: 3_600_000,
  clock,
  signal: stop.signal,
  searchPace: 100,
  waiting: (error) => told.push(error),
  interrupted: (error, rest) => told.push([rest, error]),
  retryAfter: 100,
  ...other,
});
const untilOver = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('each partition of the kind is led once, those that come later too, and all end with the signal', async () => {
  await Promise.all([put('things/a'), put('thing'), put('others/b')]);
  const begun: string[] = [];
  const running = leadEach(openLeases(records, systemClock, Math.random), options(), async (lease, until, rest) => {
    expect([lease.partition, lease.name]).toEqual([`things/${rest}`, 'work']);
    begun.push(rest);
    await untilOver(until);
  });
  await vi.waitFor(() => expect(begun).toEqual(['a']), { timeout: 60_000 });
  await put('things/c');
  await vi.waitFor(() => expect(begun).toEqual(['a', 'c']), { timeout: 60_000 });
  stop.abort();
  await running;
  expect([begun, told]).toEqual([['a', 'c'], []]);
});

test('work that fails is told with its partition and comes again, and holds up no other', async () => {
  await Promise.all([put('things/a'), put('things/b')]);
  const begun: string[] = [];
  const running = leadEach(openLeases(records, systemClock, Math.random), options(), async (_, until, rest) => {
    begun.push(rest);
    if (rest === 'a' && begun.filter((one) => one === 'a').length === 1) throw new Error('no');
    await untilOver(until);
  });
  await vi.waitFor(() => expect(begun.toSorted()).toEqual(['a', 'a', 'b']), { timeout: 60_000 });
  stop.abort();
  await running;
  expect(told).toEqual([['a', expect.objectContaining({ message: 'no' })]]);
});

test('a store that does not say which partitions there are is told of and asked again', async () => {
  await put('things/a');
  let asked = 0;
  const partitions: RecordStore['partitions'] = (...args) => {
    if (++asked <= 2) throw new Error('the store is gone');
    return records.partitions(...args);
  };
  const begun: string[] = [];
  const leases = openLeases(records, systemClock, Math.random);
  const running = leadEach(leases, options({ records: { partitions } }), async (_, until, rest) => {
    begun.push(rest);
    await untilOver(until);
  });
  await vi.waitFor(() => expect(begun).toEqual(['a']), { timeout: 60_000 });
  stop.abort();
  await running;
  expect(told).toHaveLength(2);
});
