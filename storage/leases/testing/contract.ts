import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Clock } from '../../clock/index.ts';
import type { RecordStore } from '../../records/index.ts';
import { StaleEpoch } from '../../records/index.ts';
import { patientClock } from '../../testing/patient-clock.ts';
import { type HeldLease, openLeases } from '../index.ts';

/** The promises of `Leases` over a record store. */
export function describeLeases(
  name: string,
  open: () => Promise<{ readonly store: RecordStore; readonly dispose: () => Promise<void> }>,
  missing?: string,
): void {
  describe.skipIf(missing !== undefined)(`leases: ${name}${missing ?? ''}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let store: RecordStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.dispose());

    const never = new AbortController().signal;
    // Holders and candidates of one process stand still together when the machine is busy, and none loses or takes a lease by that.
    const patient = patientClock();
    const leases = (clock: Clock = patient) => openLeases(store, clock, Math.random);

    test('one holds, the others wait, and a release hands over with a higher epoch', async () => {
      const first = await leases().acquire('handover', 'leader', { ttl: 1200, signal: never });
      let second: HeldLease | undefined;
      const waiting = leases()
        .acquire('handover', 'leader', { ttl: 1200, signal: never })
        .then((lease) => (second = lease));
      await patient.sleep(1800);
      expect(second).toBeUndefined();
      expect(first.lost.aborted).toBe(false);
      await first.release();
      expect(first.lost.aborted).toBe(true);
      expect((await waiting).epoch).toBeGreaterThan(first.epoch);
      await second!.release();
    });

    test('the commits of a former holder fail', async () => {
      const first = await leases().acquire('fenced', 'leader', { ttl: 600, signal: never });
      const { name, epoch } = first;
      await store.commit('fenced', { fence: { name, epoch }, put: [{ key: 'a', value: 1 }] });
      await first.release();
      const second = await leases().acquire('fenced', 'leader', { ttl: 600, signal: never });
      await expect(store.commit('fenced', { fence: { name, epoch }, put: [{ key: 'a', value: 2 }] })).rejects.toThrow(
        StaleEpoch,
      );
      await store.commit('fenced', { fence: { name, epoch: second.epoch }, put: [{ key: 'a', value: 3 }] });
      await second.release();
    });

    test('a holder whose time stands still loses the lease after its time-out, and not before', async () => {
      let frozen = false;
      const freezing: Clock = {
        ...patient,
        sleep: (ms, signal) => (frozen ? new Promise(() => {}) : patient.sleep(ms, signal)),
      };
      const first = await leases(freezing).acquire('frozen', 'leader', { ttl: 500, signal: never });
      await patient.sleep(200);
      frozen = true;
      // The freeze takes hold at the next sleep, after at most one more renewal.
      const before = patient.monotonic();
      const second = await leases().acquire('frozen', 'leader', { ttl: 500, signal: never });
      expect(patient.monotonic() - before).toBeGreaterThanOrEqual(450);
      expect(second.epoch).toBe(first.epoch + 1);
      await second.release();
    });

    test('a holder that cannot renew stops before another may start', async () => {
      let down = false;
      const failing = new Proxy(store, {
        get: (target, member: keyof RecordStore) =>
          member === 'commit' && down
            ? () => new Promise(() => {})
            : (target[member] as (...parameters: never[]) => unknown).bind(target),
      });
      const first = await openLeases(failing, patient, Math.random).acquire('cut-off', 'leader', {
        ttl: 600,
        signal: never,
      });
      down = true;
      const stoppedAt = new Promise<number>((resolve) => {
        first.lost.addEventListener('abort', () => resolve(patient.monotonic()));
      });
      const second = await leases().acquire('cut-off', 'leader', { ttl: 600, signal: never });
      const takenAt = patient.monotonic();
      expect(await stoppedAt).toBeLessThan(takenAt);
      await second.release();
    });

    test('the wall clock of a candidate does not matter', async () => {
      const first = await leases().acquire('wall', 'leader', { ttl: 3000, signal: never });
      const tomorrow: Clock = { ...patient, now: () => Date.now() + 90_000_000 };
      const early = leases(tomorrow).acquire('wall', 'leader', { ttl: 3000, signal: AbortSignal.timeout(700) });
      await expect(early).rejects.toThrow('aborted due to timeout');
      expect(first.lost.aborted).toBe(false);
      await first.release();
    });

    test('an epoch that somebody has seen is never handed out again, whatever the store lost', async () => {
      const first = await leases().acquire('regressed', 'leader', { ttl: 5_000, signal: never });
      await leases().observe('regressed', 'leader', first.epoch);
      expect(first.lost.aborted).toBe(false);
      await leases().observe('regressed', 'leader', first.epoch + 41);
      const second = await leases().acquire('regressed', 'leader', { ttl: 5_000, signal: never });
      expect(second.epoch).toBe(first.epoch + 42);
      await vi.waitFor(() => expect(first.lost.aborted).toBe(true), { timeout: 30_000 });
      await second.release();
    });

    test('waiting ends when the caller gives up', async () => {
      const first = await leases().acquire('given-up', 'leader', { signal: never });
      const stop = new AbortController();
      const waiting = leases().acquire('given-up', 'leader', { signal: stop.signal });
      stop.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await first.release();
    });
  });
}
