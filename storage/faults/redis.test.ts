import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openLeases } from '../leases/index.ts';
import { StoreUnavailable } from '../records/index.ts';
import { openRedisRecords } from '../records/redis-records.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { needs } from './needs.ts';

/** As long as a busy machine may take until a Redis that is back has been found; milliseconds. */
const reconnectWait = 60_000;

test(
  'a Redis that is gone fails calls soon and clearly, and calls succeed by themselves when it is back',
  { timeout: 180_000 },
  async (context) => {
    needs(context, redisMissing);
    const server = await RedisServer.start();
    const store = await openRedisRecords({ url: server.url, reconnectWait: 300 }, systemClock);
    await store.commit('p', { put: [{ key: 'a', value: 1 }] });
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      while (!stop.signal.aborted) {
        try {
          for await (const changes of store.follow('p', { after: 0, signal: stop.signal })) {
            seen.push(...changes.flatMap((change) => (change.kind === 'put' ? [change.key] : [])));
          }
        } catch {
          // The feed fails while the store is gone; its reader starts again.
          await systemClock.sleep(50);
        }
      }
    })();
    await server.kill();
    await systemClock.sleep(50);
    const refusal = await store.commit('p', { put: [{ key: 'b', value: 1 }] }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect(refusal).toMatchObject({ outcome: 'not-committed' });
    await systemClock.sleep(10_000);
    await server.resume();
    for (let tries = 0; ; tries++) {
      const done = await store.commit('p', { put: [{ key: 'c', value: 1 }] }).catch(() => undefined);
      if (done) break;
      expect(tries).toBeLessThan(600);
      await systemClock.sleep(100);
    }
    expect((await store.get('p', 'a'))?.value).toBe(1);
    expect(store.lossNoticed()).toBeUndefined();
    while (!seen.includes('c')) await systemClock.sleep(20);
    stop.abort();
    await following;
    await store.close();
    await server.dispose();
  },
);

test(
  'a commit on its way when Redis dies has an unknown outcome, and is never sent twice',
  { timeout: 180_000 },
  async (context) => {
    needs(context, redisMissing);
    const server = await RedisServer.start();
    const store = await openRedisRecords({ url: server.url, reconnectWait }, systemClock);
    await store.commit('p', { put: [{ key: 'a', value: 1 }] });
    await server.kill('SIGSTOP');
    const hanging = store
      .commit('p', { announce: [{ topic: 't', type: 'once', data: 1 }] })
      .catch((error: unknown) => error);
    await systemClock.sleep(100);
    await server.kill('SIGKILL');
    expect(await hanging).toMatchObject({ name: 'StoreUnavailable', outcome: 'unknown' });
    await server.resume();
    await systemClock.sleep(300);
    expect((await store.announced('p', 't', 0, 10)).length).toBeLessThanOrEqual(1);
    await store.close();
    await server.dispose();
  },
);

test(
  'a Redis that says nothing any more holds nobody, and is asked again when it does',
  { timeout: 180_000 },
  async (context) => {
    needs(context, redisMissing);
    const server = await RedisServer.start();
    // Seconds of silence are usual where other tests keep the disk busy.
    const store = await openRedisRecords({ url: server.url, reconnectWait: 300, silence: 10_000 }, systemClock);
    await store.commit('p', { put: [{ key: 'a', value: 1 }] });
    // The kernel goes on taking its connections and their bytes.
    await server.kill('SIGSTOP');
    const outcome = (): Promise<unknown> =>
      store.commit('p', { put: [{ key: 'b', value: 1 }] }).catch((error: unknown) => error);
    expect(await outcome()).toMatchObject({ name: 'StoreUnavailable', outcome: 'unknown' });
    expect(await outcome()).toMatchObject({ name: 'StoreUnavailable', outcome: 'not-committed' });
    await server.kill('SIGCONT');
    while ((await store.get('p', 'a').catch(() => undefined))?.value !== 1) await systemClock.sleep(100);
    await store.close();
    await server.dispose();
  },
);

test('data that Redis lost is noticed, and no epoch is handed out twice', { timeout: 180_000 }, async (context) => {
  needs(context, redisMissing);
  const server = await RedisServer.start();
  const store = await openRedisRecords({ url: server.url, reconnectWait }, systemClock);
  const leases = openLeases(store, systemClock, Math.random);
  const lease = await leases.acquire('p', 'leader', { ttl: 500, signal: AbortSignal.timeout(60_000) });
  for (let n = 0; n < 20; n++) await store.commit('p', { put: [{ key: `k${n}`, value: n }] });
  expect(store.lossNoticed()).toBeUndefined();
  await server.kill();
  await rm(join(server.folder, 'appendonlydir'), { recursive: true });
  await server.resume();
  for (let tries = 0; store.lossNoticed() === undefined && tries < 2000; tries++) {
    await store.version('p').catch(() => undefined);
    await systemClock.sleep(30);
  }
  expect(store.lossNoticed()).toContain('lost data');
  expect((await store.warnings()).join('\n')).toContain('lost data');
  // An agent reports what it has seen; the next leader is above it.
  await leases.observe('p', 'leader', lease.epoch + 6);
  const next = await leases.acquire('p', 'leader', { ttl: 500, signal: AbortSignal.timeout(60_000) });
  expect(next.epoch).toBeGreaterThan(lease.epoch + 6);
  await next.release();
  await store.close();
  await server.dispose();
});

test('a Redis that is full refuses commits and still answers reads', { timeout: 180_000 }, async (context) => {
  needs(context, redisMissing);
  const server = await RedisServer.start([
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--maxmemory',
    '8mb',
    '--maxmemory-policy',
    'noeviction',
  ]);
  const store = await openRedisRecords({ url: server.url, reconnectWait }, systemClock);
  let refusal: unknown;
  for (let n = 0; refusal === undefined && n < 200; n++) {
    refusal = await store.commit('p', { put: [{ key: `k${n}`, value: 'x'.repeat(100_000) }] }).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  expect(refusal).toMatchObject({ name: 'StoreUnavailable', outcome: 'not-committed' });
  expect((await store.get<string>('p', 'k0'))?.value).toHaveLength(100_000);
  await store.close();
  await server.dispose();
});
