import { openSqliteRecords, type RecordStore } from '@slipway/storage/records';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { LeasedRates, LocalRates, type Rate, RateLimiter, type RateSource, SharedUsage } from './index.ts';

/** Some processes that take their tokens from one. */
function processes(rate: Rate, count: number, clock: Pick<Clock, 'monotonic'> = systemClock) {
  const table = { principal: rate };
  const local = new LocalRates(table, clock);
  /** `held`: until when no question is answered. */
  const asked: { times: number; held?: Promise<void> } = { times: 0 };
  const source: RateSource = {
    async lease(limit, key, most) {
      asked.times++;
      await (asked.held ?? turn());
      return local.lease(limit, key, most);
    },
    giveBack: (limit, key, given) => local.giveBack(limit, key, given),
  };
  const workers = Array.from({ length: count }, () => new LeasedRates(source, table, clock));
  return { workers, asked, local };
}

test('an amount larger than the burst waits for a full bucket, and is paid for before anything else goes', () => {
  let now = 0;
  const limiter = new RateLimiter({ perSecond: 1000, burst: 2000 }, { monotonic: () => now });
  expect([limiter.spend('a', 1500), limiter.spend('a', 1500), limiter.spend('b', 1500)]).toEqual([0, 1000, 0]);
  expect(limiter.spend('a', 9000)).toBe(1500);
  now = 1500;
  expect(limiter.spend('a', 9000)).toBe(0);
  expect(limiter.spend('a', 1)).toBe(7001);
  now = 8501;
  expect(limiter.spend('a', 1)).toBe(0);
});

describe('L8: several processes', () => {
  /** A clock that the test moves; nobody loses patience with an answer meanwhile. */
  const standing = () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const now = { value: 0 };
    return { now, clock: { monotonic: () => now.value } };
  };
  afterEach(() => void vi.useRealTimers());

  test('let through together what one would, to the request, whoever is asked', async () => {
    const { workers } = processes({ perSecond: 0.01, burst: 40 }, 4, standing().clock);
    const waits = await Promise.all(
      Array.from({ length: 200 }, (_, i) => Promise.resolve(workers[i % 4]?.take('principal', 'a'))),
    );
    expect(waits.filter((wait) => wait === 0)).toHaveLength(40);
    expect(waits.filter((wait) => wait !== 0).every((wait) => wait === 100)).toBe(true);
  });

  test('keep to the rate over time, and ask seldom for who calls often', async () => {
    const rate = { perSecond: 400, burst: 100 };
    const { now, clock } = standing();
    const { workers, asked } = processes(rate, 4, clock);
    let requests = 0;
    let admitted = 0;
    for (; now.value < 1000; now.value += 2) {
      for (let i = 0; i < 8; i++) {
        requests++;
        if ((await workers[i % 4]?.take('principal', 'a')) === 0) admitted++;
      }
    }
    const most = rate.burst + rate.perSecond;
    // What lies in purses at the end is not lost, only not used yet: at most a quarter of the burst in each.
    expect(admitted).toBeLessThanOrEqual(most);
    expect(admitted).toBeGreaterThan(most - 4 * 25 - 10);
    expect(asked.times).toBeLessThan(requests / 3);
  });

  test('a caller who calls once in a while is not refused by what another process keeps', async () => {
    const { workers, local } = processes({ perSecond: 40, burst: 40 }, 2);
    const [one, two] = workers as [LeasedRates, LeasedRates];
    for (let i = 0; i < 12; i++) expect(await one.take('principal', 'a')).toBe(0);
    // What the first process did not use goes back.
    const most = (): number => {
      let all = 0;
      for (let granted = 1; granted > 0; all += granted) ({ granted } = local.lease('principal', 'a', 100));
      local.giveBack('principal', 'a', all);
      return all;
    };
    await expect.poll(most, { timeout: 30_000 }).toBeGreaterThanOrEqual(40);
    for (let i = 0; i < 40; i++) expect(await two.take('principal', 'a')).toBe(0);
  });

  test('are not held up by one that does not answer; what passed meanwhile is paid for later', async () => {
    const { workers, asked, local } = processes({ perSecond: 0.01, burst: 5 }, 1);
    const [worker] = workers as [LeasedRates];
    const { promise, resolve } = Promise.withResolvers<void>();
    asked.held = promise;
    expect(await Promise.all([1, 2, 3].map(() => Promise.resolve(worker.take('principal', 'a'))))).toEqual([0, 0, 0]);
    resolve();
    // What was asked first is answered before anything is asked again.
    await turn();
    delete asked.held;
    const later = await Promise.all(Array.from({ length: 10 }, () => Promise.resolve(worker.take('principal', 'a'))));
    expect(later.filter((wait) => wait === 0).length + 3).toBeLessThanOrEqual(5);
    expect(local.take('principal', 'a')).toBeGreaterThan(0);
  });

  test('what is not limited is not asked for', () => {
    const { workers, asked } = processes({ perSecond: 1, burst: 1 }, 1);
    expect(workers[0]?.take('global', 'everybody')).toBe(0);
    expect(asked.times).toBe(0);
  });
});

describe('L8: several servers on one store', () => {
  let folder: string;
  let records: RecordStore;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-rates-'));
    records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, systemClock);
  });
  afterAll(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  function server(name: string, now: { value: number }, rate: Rate = { perSecond: 1, burst: 10 }) {
    const clock = { ...systemClock, monotonic: () => now.value };
    const rates = new LocalRates({ principal: rate }, clock);
    return { rates, usage: new SharedUsage({ rates, records, clock, server: name }) };
  }
  const admitted = (rates: LocalRates, requests: number): number =>
    Array.from({ length: requests }, () => rates.take('principal', 'a')).filter((wait) => wait === 0).length;

  test('pay for what the others let through, so that the rate holds for all together', async () => {
    const now = { value: 0 };
    const [one, two] = [server('one', now), server('two', now)];
    for (const { usage } of [one, two]) await usage.exchange();
    // At once each has the burst to give.
    expect([admitted(one.rates, 30), admitted(two.rates, 30)]).toEqual([10, 10]);
    for (const { usage } of [one, two, one]) await usage.exchange();
    let more = 0;
    for (let second = 1; second <= 100; second++) {
      now.value += 1000;
      more += admitted(one.rates, 5) + admitted(two.rates, 5);
      for (const { usage } of [one, two, one]) await usage.exchange();
    }
    // 10 at once and one a second, and the 10 too many of the beginning paid back.
    expect(20 + more).toBeLessThanOrEqual(10 + 100 + 2);
    expect(20 + more).toBeGreaterThan(95);
    for (const { usage } of [one, two]) await usage.stop();
    expect((await records.list('rates')).records).toEqual([]);
  });

  test('write nothing while nobody calls, and count nothing that was used before they started', async () => {
    const now = { value: 0 };
    const one = server('early', now);
    await one.usage.exchange();
    expect(admitted(one.rates, 10)).toBe(10);
    await one.usage.exchange();
    const late = server('late', now);
    await late.usage.exchange();
    expect(admitted(late.rates, 20)).toBe(10);
    await late.usage.exchange();
    const version = await records.version('rates');
    for (let i = 0; i < 5; i++) for (const { usage } of [one, late]) await usage.exchange();
    expect(await records.version('rates')).toBe(version);
    // Tokens that a process gave back were not used.
    one.rates.giveBack('principal', 'a', 4);
    for (const { usage } of [one, late]) await usage.exchange();
    now.value += 1000;
    expect(admitted(late.rates, 20)).toBe(5);
    for (const { usage } of [one, late]) await usage.stop();
  });

  test('forget a server that has gone', async () => {
    const now = { value: 0 };
    const [one, two] = [server('stays', now), server('goes', now)];
    for (const { usage } of [one, two]) await usage.exchange();
    expect(admitted(two.rates, 1)).toBe(1);
    for (const { usage } of [two, one]) await usage.exchange();
    expect((await records.list('rates')).records.map(({ key }) => key)).toEqual(['used/goes']);
    now.value += 601_000;
    await one.usage.exchange();
    expect((await records.list('rates')).records).toEqual([]);
  });
});
