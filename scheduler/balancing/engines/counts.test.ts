import { describe, expect, it } from 'vitest';
import type { Counts } from './contract.ts';
import { addCounts, countsBetween, latencyBounds, latencyClass, noCounts, noLatency, quantile } from './counts.ts';
import { parseLatencies } from './haproxy/statistics.ts';

const counted = (requests: number, seconds: number, inClass: Readonly<Record<number, number>>): Counts => ({
  ...noCounts,
  requests,
  codes: [requests, 0, 0, 0],
  latency: { seconds, classes: noLatency.classes.map((_, i) => inClass[i] ?? 0) },
});

describe('counts', () => {
  it('between two readings are what came; a process that began anew has counted all of it since', () => {
    const before = counted(5, 1, { 0: 4, 13: 1 });
    expect(countsBetween(before, counted(8, 1.5, { 0: 6, 13: 2 }))).toEqual(counted(3, 0.5, { 0: 2, 13: 1 }));
    expect(countsBetween(before, counted(2, 0.25, { 0: 2 }))).toEqual(counted(2, 0.25, { 0: 2 }));
    // One of its classes has more than the process before: it is not a difference either.
    expect(countsBetween(before, counted(2, 0.25, { 13: 2 }))).toEqual(counted(2, 0.25, { 13: 2 }));
    expect(addCounts(before, noCounts)).toEqual(before);
  });

  it('have a class for every latency: the first whose bound it does not exceed', () => {
    for (const [i, bound] of latencyBounds.entries()) {
      expect(latencyClass(bound)).toBe(i);
      expect(latencyClass(bound * 1.0001)).toBe(i + 1);
    }
    expect(latencyClass(0)).toBe(0);
  });

  it('say below what a share of answers stayed', () => {
    const { latency } = counted(100, 1, { 2: 98, 4: 1, 13: 1 });
    expect([0.5, 0.98, 0.99, 1].map((share) => quantile(latency, share))).toEqual([0.005, 0.005, 0.025, Infinity]);
    expect(quantile(noLatency, 0.5)).toBeUndefined();
  });
});

describe("HAProxy's table of latencies", () => {
  const dump = (sum: number, counts: readonly number[]): string =>
    `# table: latencies, type: string, size:102400, used:1\n0x1: key=abc use=0 exp=0 gpt0=${sum} ${counts.map((count, i) => `gpc${i}=${count}`).join(' ')}\n`;

  it('is read with sums that go on where they turn over', () => {
    const first = parseLatencies(dump(4_294_967_000, [3, 2]), new Map());
    expect(first.get('abc')).toMatchObject({ classes: [1, 2, ...noLatency.classes.slice(2)] });
    const second = parseLatencies(dump(704, [4, 2]), first);
    expect(second.get('abc')!.seconds - first.get('abc')!.seconds).toBeCloseTo(0.01, 6);
    const third = parseLatencies(dump(804, [5, 2]), second);
    expect(third.get('abc')!.seconds - second.get('abc')!.seconds).toBeCloseTo(0.001, 6);
  });

  it('takes no answer back from a class, though one that is being counted is above its bound', () => {
    const early = parseLatencies(dump(0, [5, 2]), new Map());
    expect(early.get('abc')?.classes.slice(0, 3)).toEqual([3, 2, 0]);
    const soon = parseLatencies(dump(0, [5, 3]), early);
    expect(soon.get('abc')?.classes.slice(0, 3)).toEqual([3, 3, 0]);
    const later = parseLatencies(dump(0, [8, 3]), soon);
    expect(later.get('abc')?.classes.slice(0, 3)).toEqual([5, 3, 0]);
  });

  it.each(['', 'No such table', 'key=', '0x1: key=abc use=0 exp=0'])('%j does not disturb', (text) => {
    for (const latency of parseLatencies(text, new Map()).values()) expect(latency).toEqual(noLatency);
  });
});
