import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventSource, RecordStore } from '../../records/index.ts';
import { patientClock } from '../../testing/patient-clock.ts';
import { type ConsumeOptions, type Delivery, openEventLog } from '../index.ts';

/** The promises of `EventLog` over a record store. */
export function describeEventLog(
  name: string,
  open: () => Promise<{ readonly store: RecordStore & EventSource; readonly dispose: () => Promise<void> }>,
  missing?: string,
): void {
  describe.skipIf(missing !== undefined)(`event log: ${name}${missing ?? ''}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.dispose());

    // What is handled at once is not handed out again because a busy machine let the test stand meanwhile.
    const patient = patientClock();
    const log = (clock = patient) => openEventLog(opened.store, clock, Math.random);
    const announce = (topic: string, partition: string, ...data: number[]) =>
      opened.store.commit(partition, { announce: data.map((n) => ({ topic, type: 'happened', data: n })) });

    /** Consumes until `until` says enough; the handler sees each delivery. */
    async function consume(
      options: Omit<ConsumeOptions, 'signal'>,
      handle: (delivery: Delivery, stop: () => void) => Promise<void>,
      limit = 60_000,
    ): Promise<void> {
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(limit)]);
      for await (const delivery of log().consume({ ...options, signal })) await handle(delivery, () => stop.abort());
    }

    test('a group gets every event of every partition once, in order, with what was announced', async () => {
      await announce('once', 'once/a', 1, 2);
      const seen: unknown[] = [];
      const consuming = consume({ group: 'g', topic: 'once' }, async (delivery, stop) => {
        seen.push([delivery.partition, delivery.position, delivery.data, delivery.attempt]);
        await delivery.acknowledge();
        if (seen.length === 5) stop();
      });
      await announce('once', 'once/b', 10);
      await announce('other', 'once/a', 99);
      await announce('once', 'once/a', 3, 4);
      await consuming;
      expect(seen.filter((event) => (event as string[])[0] === 'once/a')).toEqual([
        ['once/a', 1, 1, 1],
        ['once/a', 2, 2, 1],
        ['once/a', 3, 3, 1],
        ['once/a', 4, 4, 1],
      ]);
      expect(seen).toContainEqual(['once/b', 1, 10, 1]);
    });

    test('what was acknowledged does not come again after a restart, what was not does', async () => {
      await announce('restart', 'restart/p', 1, 2, 3);
      await consume({ group: 'g', topic: 'restart' }, async (delivery, stop) => {
        if (delivery.data === 2) stop();
        else await delivery.acknowledge();
      });
      const again: [unknown, number][] = [];
      await consume({ group: 'g', topic: 'restart' }, async (delivery, stop) => {
        again.push([delivery.data, delivery.attempt]);
        await delivery.acknowledge();
        if (again.length === 2) stop();
      });
      expect(again).toEqual([
        [2, 2],
        [3, 1],
      ]);
    });

    test('each group has its own place', async () => {
      await announce('groups', 'groups/p', 1, 2);
      for (const group of ['first', 'second']) {
        const seen: unknown[] = [];
        await consume({ group, topic: 'groups' }, async (delivery, stop) => {
          seen.push(delivery.data);
          await delivery.acknowledge();
          if (seen.length === 2) stop();
        });
        expect(seen).toEqual([1, 2]);
      }
    });

    test('members of a group share the work, and no event goes to two', async () => {
      const seen: unknown[] = [];
      const stop = new AbortController();
      const members = Array.from({ length: 3 }, async () => {
        for await (const delivery of log().consume({ group: 'g', topic: 'shared', signal: stop.signal })) {
          seen.push(`${delivery.partition} ${delivery.position}`);
          await delivery.acknowledge();
          if (seen.length === 60) stop.abort();
        }
      });
      const timer = AbortSignal.timeout(60_000);
      timer.addEventListener('abort', () => stop.abort());
      for (let round = 0; round < 20; round++) {
        for (const partition of ['a', 'b', 'c']) await announce('shared', `shared/${partition}`, round);
      }
      await Promise.all(members);
      expect(new Set(seen).size).toBe(60);
      expect(seen).toHaveLength(60);
    });

    test('an event that is not acknowledged comes again after the redelivery time', async () => {
      await announce('again', 'again/p', 1);
      const times = [performance.now()];
      await consume({ group: 'g', topic: 'again', redeliverAfter: 400 }, async (delivery, stop) => {
        times.push(performance.now());
        if (delivery.attempt < 3) return;
        await delivery.acknowledge();
        stop();
      });
      expect(times).toHaveLength(4);
      // When an event was handed over is not told; not before its consumer began.
      expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(395);
      expect(times[3]! - times[0]!).toBeGreaterThanOrEqual(2 * 395);
    });

    test('the events of a member that died go to another after the redelivery time', async () => {
      await announce('died', 'died/p', 1);
      const dead = openEventLog(
        new Proxy(opened.store, {
          // A process that is killed sends nothing any more.
          get: (target, member: keyof RecordStore) =>
            member === 'commit' && killed
              ? () => new Promise(() => {})
              : (target[member] as (...parameters: never[]) => unknown).bind(target),
        }),
        patient,
        Math.random,
      );
      let killed = false;
      const taken = dead.consume({
        group: 'g',
        topic: 'died',
        redeliverAfter: 500,
        signal: AbortSignal.timeout(120_000),
      });
      await taken[Symbol.asyncIterator]().next();
      killed = true;
      const start = performance.now();
      await consume({ group: 'g', topic: 'died', redeliverAfter: 500 }, async (delivery, stop) => {
        expect(delivery.attempt).toBe(2);
        await delivery.acknowledge();
        stop();
      });
      expect(performance.now() - start).toBeGreaterThan(400);
    });

    test('a rejected event comes again, then goes to the dead letters with the last reason, and can be put back', async () => {
      await announce('dead', 'dead/p', 1, 2);
      let deliveries = 0;
      await consume({ group: 'g', topic: 'dead', attempts: 2, redeliverAfter: 200 }, async (delivery, stop) => {
        if (delivery.data === 2) await delivery.acknowledge();
        else await delivery.reject(`no good, try ${++deliveries}`);
        if (deliveries === 2) stop();
      });
      const letters = await log().deadLetters('g', 'dead');
      expect(letters).toMatchObject([
        { partition: 'dead/p', position: 1, data: 1, reason: 'no good, try 2', attempts: 2, group: 'g' },
      ]);
      expect(await log().redrive('g', 'dead', [{ partition: 'dead/p', position: 9 }])).toBe(0);
      expect(await log().redrive('g', 'dead')).toBe(1);
      expect(await log().deadLetters('g', 'dead')).toEqual([]);
      await consume({ group: 'g', topic: 'dead' }, async (delivery, stop) => {
        expect(delivery).toMatchObject({ data: 1, attempt: 1 });
        await delivery.acknowledge();
        stop();
      });
    });

    test('a group that is rewound gets the events again, also while it runs', async () => {
      await announce('rewind', 'rewind/p', 1, 2, 3);
      const seen: unknown[] = [];
      await consume({ group: 'g', topic: 'rewind' }, async (delivery, stop) => {
        seen.push(delivery.data);
        await delivery.acknowledge();
        if (seen.length === 3) await log().rewind('g', 'rewind', 'rewind/p', 1);
        if (seen.length === 5) stop();
      });
      expect(seen).toEqual([1, 2, 3, 2, 3]);
    });

    test('events are read without a group from any position', async () => {
      await announce('read', 'read/p', 1, 2, 3);
      const events = await log().read('read/p', 'read', 1, 1);
      expect(events).toMatchObject([{ position: 2, data: 2, type: 'happened', topic: 'read', partition: 'read/p' }]);
    });

    test('an event reaches a waiting consumer at once: none of its pauses need be over', async () => {
      const still = { ...patient, sleep: () => new Promise<void>(() => {}) };
      const stop = new AbortController();
      const events = log(still).consume({ group: 'g', topic: 'soon', signal: stop.signal })[Symbol.asyncIterator]();
      for (let n = 0; n < 5; n++) {
        const waiting = events.next();
        await patient.sleep(60);
        await announce('soon', 'soon/p', n);
        const { value } = (await waiting) as IteratorResult<Delivery, undefined>;
        expect(value?.data).toBe(n);
        await value?.acknowledge();
      }
      stop.abort();
      await events.return?.();
    });
  });
}
