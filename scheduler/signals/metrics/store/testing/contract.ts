import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Bucket, MetricStore, ReadRange, Sample } from '../contract.ts';

/** A store as the promises are tested on it. */
export interface TestedStore {
  readonly store: MetricStore;
  /** Another server on the same stores. */
  readonly another: MetricStore;
  readonly now: () => number;
  /** Lets time pass. */
  readonly pass: (ms: number) => void;
  /** Lets upkeep do what it does. */
  readonly settle: () => Promise<void>;
  readonly dispose: () => Promise<void>;
  /** One that nothing was put for. */
  readonly account: string;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const cpu = { namespace: 'App', name: 'cpu', dimensions: [{ name: 'Host', value: 'a' }] };

/**
 * What every metric store promises.
 * @param missing why it cannot be opened here; the tests are left out then
 */
export function describeMetricStore(what: string, open: () => Promise<TestedStore>, missing?: string): void {
  describe.skipIf(missing !== undefined)(`a metric store ${what}`, () => {
    let tested: TestedStore;
    let start: number;
    let account: string;
    beforeEach(async () => {
      tested = await open();
      ({ account } = tested);
      start = Math.floor(tested.now() / hour) * hour;
    });
    afterEach(async () => {
      await tested.dispose();
    });
    const put = (...samples: readonly Partial<Sample>[]): Promise<void> =>
      tested.store.put(
        account,
        samples.map((sample) => ({ ...cpu, timestamp: start, resolution: 60, measured: 1, ...sample })),
      );
    const read = async (range: Partial<ReadRange> = {}, series = cpu): Promise<readonly Bucket[]> => {
      const [buckets] = await tested.another.read(account, [series], {
        from: start - 20 * day,
        to: start + hour,
        period: 60,
        ...range,
      });
      return buckets as readonly Bucket[];
    };
    const sums = async (range: Partial<ReadRange> = {}) =>
      (await read(range)).map(({ time, count, sum, min, max }) => [(time - start) / 1000, count, sum, min, max]);

    test('adds up what came in a period, whoever sent it, before and after upkeep', async () => {
      await Promise.all([put({ measured: 3 }), put({ measured: { values: [1, 2], counts: [2, 1] } })]);
      await tested.another.put(account, [
        { ...cpu, timestamp: start + minute, resolution: 1, measured: { count: 2, sum: 9, min: 4, max: 5 } },
      ]);
      const all = [
        [0, 4, 7, 1, 3],
        [60, 2, 9, 4, 5],
      ];
      expect(await sums()).toEqual(all);
      await tested.settle();
      expect(await sums()).toEqual(all);
      await put({ measured: 10 });
      expect(await sums()).toEqual([[0, 5, 17, 1, 10], all[1]]);
      expect(await sums({ period: 300 })).toEqual([[0, 7, 26, 1, 10]]);
      expect(await sums({ period: 3600 })).toEqual([[0, 7, 26, 1, 10]]);
      expect(await sums({ from: start + minute })).toEqual([all[1]]);
      expect(await sums({ to: start + minute })).toEqual([[0, 5, 17, 1, 10]]);
    });

    test('knows seconds of what was sent by the second, for three hours', async () => {
      await put({ resolution: 1, timestamp: start + 1500, measured: 5 }, { timestamp: start + 2500, measured: 7 });
      const seconds = { period: 1, from: start - hour };
      expect(await sums(seconds)).toEqual([[1, 1, 5, 5, 5]]);
      await tested.settle();
      expect(await sums(seconds)).toEqual([[1, 1, 5, 5, 5]]);
      expect(await sums({ period: 10, from: start - hour })).toEqual([[0, 1, 5, 5, 5]]);
      tested.pass(3 * hour + minute);
      expect(await sums(seconds)).toEqual([]);
      await tested.settle();
      expect(await sums()).toEqual([[0, 2, 12, 5, 7]]);
    });

    test('keeps minutes for 15 days, five minutes for 63, hours for 455', async () => {
      await put({ timestamp: start - 14 * day, measured: 2 }, { measured: 3 });
      await tested.settle();
      tested.pass(2 * day);
      await tested.settle();
      expect(await sums()).toEqual([[0, 1, 3, 3, 3]]);
      expect(await sums({ period: 300 })).toHaveLength(2);
      tested.pass(61 * day);
      await tested.settle();
      expect(await sums({ period: 300 })).toEqual([[0, 1, 3, 3, 3]].slice(1));
      expect(await sums({ period: 3600 })).toHaveLength(2);
      tested.pass(400 * day);
      await tested.settle();
      expect(await sums({ period: 3600 })).toEqual([]);
    });

    test('takes late samples into their period, also when that was compacted', async () => {
      await put({ measured: 1 });
      await tested.settle();
      tested.pass(2 * hour);
      await put({ measured: 2 });
      await tested.settle();
      expect(await sums()).toEqual([[0, 2, 3, 1, 2]]);
    });

    test('tells series by namespace, name and their exact dimensions, in any order, and accounts from each other', async () => {
      const [one, two] = [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ] as const;
      await put({ dimensions: [one, two] }, { dimensions: [one], measured: 5 }, { name: 'other', measured: 6 });
      expect(await read({}, { ...cpu, dimensions: [two, one] })).toMatchObject([{ sum: 1 }]);
      expect(await read({}, { ...cpu, dimensions: [one] })).toMatchObject([{ sum: 5 }]);
      expect(await read({}, { ...cpu, dimensions: [two] })).toEqual([]);
      const range = { from: start, to: start + hour, period: 60 };
      expect(await tested.store.read('111111111111', [cpu], range)).toEqual([[]]);
    });

    test('tells units from each other where that is asked for', async () => {
      await put({ unit: 'Percent', measured: 1 }, { unit: 'Count', measured: 2 });
      expect(await read()).toMatchObject([{ sum: 3, unit: 'None' }]);
      expect(await read({ unit: 'Count' })).toMatchObject([{ sum: 2, unit: 'Count' }]);
      expect(await read({ unit: 'Bytes' })).toEqual([]);
      await put({ timestamp: start + minute, unit: 'Percent' });
      expect(await read({ from: start + minute })).toMatchObject([{ unit: 'Percent' }]);
    });

    test('has distributions of values, and none once sums came without one', async () => {
      await put({ measured: { values: [1, 100], counts: [9, 1] } });
      await tested.settle();
      const [{ distribution } = { distribution: undefined }] = await read();
      expect(distribution?.counts).toEqual([9, 1]);
      await put({ measured: { count: 2, sum: 5, min: 2, max: 3 } });
      await tested.settle();
      expect((await read())[0]).not.toHaveProperty('distribution');
    });

    test('lists series page by page, those of a metric, of a dimension, and those that reported of late', async () => {
      await put({ name: 'a' }, { name: 'b' }, { name: 'b', dimensions: [] });
      const names = async (filter: object, limit = 10): Promise<string[]> => {
        const found: string[] = [];
        for (let after: string | undefined; ;) {
          const page = await tested.another.list(account, { ...filter, limit, after });
          found.push(
            ...page.series.map(({ name, dimensions }) => name + dimensions.map(({ value }) => value).join('')),
          );
          after = page.next;
          if (after === undefined) return found.toSorted();
        }
      };
      expect(await names({}, 1)).toEqual(['aa', 'b', 'ba']);
      expect(await names({ namespace: 'App', name: 'b' })).toEqual(['b', 'ba']);
      expect(await names({ dimensions: [{ name: 'Host' }] })).toEqual(['aa', 'ba']);
      tested.pass(2 * hour);
      await put({ name: 'a', timestamp: tested.now() });
      expect(await names({ since: tested.now() - hour })).toEqual(['aa']);
      tested.pass(20 * day);
      await tested.settle();
      expect(await names({ since: tested.now() - 14 * day })).toEqual([]);
    });

    test('takes what has a name once, though two servers send it at the same time', async () => {
      const samples = [{ ...cpu, timestamp: tested.now(), resolution: 60, measured: 3 }] as const;
      await Promise.all([tested.store, tested.another].map((one) => one.put(account, samples, 'counts/1')));
      await tested.another.put(account, samples, 'counts/1');
      await tested.store.put(account, samples, 'counts/2');
      await put({ measured: 5 });
      expect((await read()).map(({ count, sum }) => [count, sum])).toEqual([[3, 11]]);
      await tested.settle();
      await tested.store.put(account, samples, 'counts/2');
      expect((await read()).map(({ count, sum }) => [count, sum])).toEqual([[3, 11]]);
    });

    test.each([
      [{ measured: Number.NaN }],
      [{ measured: 2 ** 361 }],
      [{ measured: { values: [] } }],
      [{ measured: { values: [1], counts: [0] } }],
      [{ measured: { count: 1, sum: 1, min: 2, max: 1 } }],
      [{ name: '' }],
      [{ unit: 'Furlongs' }],
      [{ timestamp: -1 }],
      [{ dimensions: [cpu.dimensions[0] as never, cpu.dimensions[0] as never] }],
    ])('takes nothing of a call with %j', async (wrong) => {
      await expect(put({}, wrong)).rejects.toThrow(RangeError);
      expect(await read()).toEqual([]);
    });
  });
}
