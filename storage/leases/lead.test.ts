import { beforeEach, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../clock/index.ts';
import { fenceKey, type RecordStore } from '../records/index.ts';
import { memoryRecords } from '../records/testing/memory-records.ts';
import { patientClock } from '../testing/patient-clock.ts';
import { type HeldLease, lead, type LeadOptions, type Leases, openLeases } from './index.ts';

let records: RecordStore;
let stop: AbortController;
let slept: number[];
const interruptions: unknown[] = [];

/** Real but for the pauses after failures, which are noted and take no time. */
const clock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => {
    slept.push(ms);
    return systemClock.sleep(0, signal);
  },
};

beforeEach(() => {
  records = memoryRecords(systemClock);
  stop = new AbortController();
  slept = [];
  interruptions.length = 0;
});

/** Short, and yet no pause of a busy machine ends one. */
const leases = (): Leases => openLeases(records, patientClock(), Math.random);
const options = (other: Partial<LeadOptions> = {}): LeadOptions => ({
  partition: 'p',
  name: 'work',
  ttl: 600,
  clock,
  signal: stop.signal,
  interrupted: (error) => interruptions.push(error),
  retryAfter: 100,
  ...other,
});
/** Work that goes on until it may not. */
const untilOver = (_: HeldLease, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

test('one works at a time, and another goes on at once when it ends', async () => {
  const working = new Set<string>();
  const order: string[] = [];
  const candidate = (name: string, signal: AbortSignal): Promise<void> =>
    lead(leases(), options({ signal }), async (lease, until) => {
      working.add(name);
      order.push(name);
      expect(working.size).toBe(1);
      await untilOver(lease, until).finally(() => working.delete(name));
    });
  const first = candidate('first', stop.signal);
  await vi.waitFor(() => expect(order).toEqual(['first']), { timeout: 60_000 });
  const end = new AbortController();
  const second = candidate('second', end.signal);
  stop.abort();
  await first;
  await vi.waitFor(() => expect(order).toEqual(['first', 'second']), { timeout: 60_000 });
  end.abort();
  await second;
  expect(interruptions).toEqual([]);
});

test('work that fails is told and comes again, without the lease meanwhile', async () => {
  let runs = 0;
  const looked: Promise<unknown>[] = [];
  const running = lead(
    leases(),
    options({
      interrupted: (error) => {
        interruptions.push(error);
        looked.push(records.get('p', '$lease/work/holder'));
      },
    }),
    async (lease, signal) => {
      if (++runs < 3) throw new Error(`run ${runs}`);
      await untilOver(lease, signal);
    },
  );
  await vi.waitFor(() => expect(runs).toBe(3), { timeout: 60_000 });
  expect(interruptions).toEqual([new Error('run 1'), new Error('run 2')]);
  expect(await Promise.all(looked)).toEqual([undefined, undefined]);
  expect(slept).toEqual([100, 100]);
  stop.abort();
  await running;
});

test('the pause grows where that is wanted, up to its limit', async () => {
  let runs = 0;
  const running = lead(leases(), options({ retryAtMost: 350 }), async (lease, signal) => {
    if (++runs < 5) throw new Error('again');
    await untilOver(lease, signal);
  });
  await vi.waitFor(() => expect(runs).toBe(5), { timeout: 60_000 });
  expect(slept).toEqual([100, 200, 350, 350]);
  stop.abort();
  await running;
});

test('a lease that was lost ends the work, which is no failure, and is competed for again', async () => {
  const epochs: number[] = [];
  const running = lead(leases(), options(), async (lease, signal) => {
    epochs.push(lease.epoch);
    await untilOver(lease, signal);
  });
  await vi.waitFor(() => expect(epochs).toHaveLength(1), { timeout: 60_000 });
  await records.commit('p', { put: [{ key: fenceKey('work'), value: 7 }] });
  await vi.waitFor(() => expect(epochs).toEqual([1, 8]), { timeout: 60_000 });
  expect(interruptions).toEqual([]);
  stop.abort();
  await running;
});

test('a stale epoch is no failure', async () => {
  let runs = 0;
  const running = lead(leases(), options(), async (lease, signal) => {
    if (++runs > 1) return untilOver(lease, signal);
    await records.commit('p', { put: [{ key: 'a', value: 1 }], fence: { name: 'work', epoch: lease.epoch + 1 } });
  });
  await vi.waitFor(() => expect(runs).toBe(2), { timeout: 60_000 });
  expect(interruptions).toEqual([]);
  stop.abort();
  await running;
});

test('it ends with its signal while the lease is somebody else’s, and while it cannot be had', async () => {
  const held = await leases().acquire('p', 'work', { signal: stop.signal });
  const waiting = lead(leases(), options(), untilOver);
  const failing: Leases = { ...leases(), acquire: () => Promise.reject(new Error('away')) };
  const tried = lead(failing, options({ clock: systemClock, retryAfter: 60_000 }), untilOver);
  await vi.waitFor(() => expect(interruptions).toEqual([new Error('away')]), { timeout: 60_000 });
  stop.abort();
  await Promise.all([waiting, tried]);
  await held.release();
});
