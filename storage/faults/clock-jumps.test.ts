import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../clock/index.ts';
import { openEventLog } from '../events/index.ts';
import { openLeases } from '../leases/index.ts';
import { type EventSource, type RecordStore, StaleEpoch } from '../records/index.ts';
import { openRedisRecords } from '../records/redis-records.ts';
import { openSqliteRecords } from '../records/sqlite-records.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { needs } from './needs.ts';

const day = 86_400_000;

/** Thirty events, and the last one again because its first delivery was not acknowledged. */
const onceInOrder = [...Array.from({ length: 30 }, (_, n) => n), 29];

/** A wall clock that is a day ahead, right, or a day behind, in turns from call to call; sleeps and monotonic time are real. */
function jumpingClock(): Clock {
  let calls = 0;
  return { ...systemClock, now: () => Date.now() + ((calls++ % 3) - 1) * day };
}

/** Checks records and leases while the wall clock jumps; returns the events as they were delivered. */
async function jumps(store: RecordStore & EventSource, clock: Clock): Promise<readonly unknown[]> {
  const giveUp = AbortSignal.timeout(100_000);
  const ttl = 3000;
  const leases = openLeases(store, clock, Math.random);
  const lease = await leases.acquire('p', 'leader', { ttl, signal: giveUp });
  const rival = openLeases(store, clock, Math.random)
    .acquire('p', 'leader', { ttl, signal: AbortSignal.timeout(2000) })
    .then(
      () => 'took it',
      () => 'waited',
    );

  const versions: number[] = [];
  for (let n = 0; n < 30; n++) {
    const { version } = await store.commit('p', {
      fence: { name: 'leader', epoch: lease.epoch },
      put: [{ key: 'k', value: n }],
      announce: [{ topic: 't', type: 'happened', data: n }],
    });
    versions.push(version);
    expect((await store.get('p', 'k'))?.value).toBe(n);
  }
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));

  // Each once and in order; the one that is not acknowledged comes again once its time is over, not at a jump (a slow machine only
  // makes that later), and not a day later, which would be given up.
  const seen: unknown[] = [];
  const redeliverAfter = 700;
  const begun = clock.monotonic();
  const consuming = { topic: 't', group: 'g', signal: giveUp, redeliverAfter };
  for await (const delivery of openEventLog(store, clock, Math.random).consume(consuming)) {
    seen.push(delivery.data);
    if (delivery.data === 29 && delivery.attempt === 1) continue;
    await delivery.acknowledge();
    if (delivery.attempt > 1) break;
  }
  expect(clock.monotonic()).toBeGreaterThanOrEqual(begun + redeliverAfter);

  expect(await rival).toBe('waited');
  expect(lease.lost.aborted).toBe(false);
  await lease.release();
  const next = await leases.acquire('p', 'leader', { ttl, signal: giveUp });
  expect(next.epoch).toBeGreaterThan(lease.epoch);
  await expect(
    store.commit('p', { fence: { name: 'leader', epoch: lease.epoch }, put: [{ key: 'k', value: -1 }] }),
  ).rejects.toThrow(StaleEpoch);
  await next.release();
  return seen;
}

test('a wall clock that jumps by a day changes nothing in records, events and leases on sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-clock-'));
  const clock = jumpingClock();
  const store = await openSqliteRecords({ file: join(folder, 'records.db') }, clock);
  expect(await jumps(store, clock)).toEqual(onceInOrder);
  await store.close();
  await rm(folder, { recursive: true });
});

test('a wall clock that jumps by a day changes nothing in records, events and leases on Redis', async (context) => {
  needs(context, redisMissing);
  const server = await RedisServer.start();
  const clock = jumpingClock();
  const store = await openRedisRecords({ url: server.url }, clock);
  expect(await jumps(store, clock)).toEqual(onceInOrder);
  await store.close();
  await server.dispose();
});
