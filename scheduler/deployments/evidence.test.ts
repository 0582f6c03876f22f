import { describe, expect, test } from 'vitest';

import type { Share } from '../state/index.ts';

import { evidenceOfNotWorse, evidenceOfWorse, requestsNeeded } from './evidence.ts';
import { play, type Traffic } from './testing/traffic.ts';

const runs = { nightly: 20_000, release: 100_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 1_000;

const share = (requests: number, bad: number): Share => ({ requests, bad });

/** The mixture itself: the mean of the likelihood ratio over the prior, in small steps. Slow, and by nothing that `evidence.ts` uses. */
function mixture({ requests, bad }: Share, p: number): number {
  const steps = 400;
  let sum = 0;
  // With t = sin²(x) the prior Beta(½, ½) is even in x.
  for (let step = 0; step < steps; step++) {
    const t = Math.sin((Math.PI / 2) * ((step + 0.5) / steps)) ** 2;
    sum += (t / p) ** bad * ((1 - t) / (1 - p)) ** (requests - bad);
  }
  return Math.log(sum / steps);
}

const grid = Array.from({ length: 199 }, (_, place) => (place + 1) / 200);

describe('against slow and exact ones', () => {
  test.each([
    [share(12, 4), share(30, 3)],
    [share(25, 1), share(25, 6)],
    [share(40, 9), share(8, 1)],
    [share(5, 5), share(5, 0)],
  ])('%o and %o: the lowest product of two mixtures over each hypothesis', (own, other) => {
    const [ofOwn, ofOther] = [grid.map((p) => mixture(own, p)), grid.map((p) => mixture(other, p))];
    const margin = 0.05;
    let [worse, notWorse] = [Infinity, Infinity];
    for (const [i, p] of grid.entries())
      for (const [j, q] of grid.entries()) {
        const both = (ofOwn[i] ?? 0) + (ofOther[j] ?? 0);
        if (p <= q) worse = Math.min(worse, both);
        if (p >= q + margin) notWorse = Math.min(notWorse, both);
      }
    expect(Math.abs(evidenceOfWorse(own, other) - worse)).toBeLessThan(0.1);
    expect(Math.abs(evidenceOfNotWorse(own, other, margin) - notWorse)).toBeLessThan(0.1);
  });

  /** The exact probability that evidence ever reaches 1/error in this many turns of one request to each revision. */
  function everReached(
    turns: number,
    [p, q]: readonly [number, number],
    reaches: (own: Share, other: Share) => boolean,
  ) {
    let open = new Map<number, number>([[0, 1]]);
    let reached = 0;
    for (let turn = 1; turn <= turns; turn++) {
      const next = new Map<number, number>();
      for (const [state, mass] of open)
        for (const own of [0, 1])
          for (const other of [0, 1]) {
            const to = state + own * 1000 + other;
            const weight = (own === 1 ? p : 1 - p) * (other === 1 ? q : 1 - q);
            next.set(to, (next.get(to) ?? 0) + mass * weight);
          }
      for (const [state, mass] of next)
        if (reaches(share(turn, Math.floor(state / 1000)), share(turn, state % 1000))) {
          reached += mass;
          next.delete(state);
        }
      open = next;
    }
    return reached;
  }

  test.each([0.02, 0.1, 0.3, 0.5, 0.9])(
    'no look at 60 pairs of requests has an error above the rate, at a share of %d',
    (p) => {
      const error = 0.1;
      const worse = everReached(60, [p, p], (own, other) => evidenceOfWorse(own, other) >= Math.log(1 / error));
      expect(worse).toBeLessThanOrEqual(error);
      const margin = 0.1;
      if (p + margin > 1) return;
      const passed = everReached(
        60,
        [p + margin, p],
        (own, other) => evidenceOfNotWorse(own, other, margin) >= Math.log(1 / error),
      );
      expect(passed).toBeLessThanOrEqual(error);
    },
  );
});

const rule = { weight: 0.1, margin: 0.01, alpha: 0.05, beta: 0.05, most: 40_000 } as const;

function rates(traffic: Traffic, count = runs): Record<'worse' | 'not worse' | 'open', number> {
  const found = { worse: 0, 'not worse': 0, open: 0 };
  for (let seed = 1; seed <= count; seed++) found[play(seed, traffic).verdict]++;
  return { worse: found.worse / count, 'not worse': found['not worse'] / count, open: found.open / count };
}

describe(`in ${runs} runs of simulated traffic, the same each time`, () => {
  test.each([0, 0.001, 0.02, 0.3])('a revision that fails as often as the old one, %d, is seldom called worse', (p) => {
    expect(rates({ ...rule, own: p, other: p, most: 15_000 }).worse).toBeLessThanOrEqual(rule.alpha);
  });

  test('a revision that fails more often by the margin is seldom called not worse', () => {
    expect(rates({ ...rule, own: 0.012, other: 0.002 })['not worse']).toBeLessThanOrEqual(rule.beta);
  });

  test('a bad revision is found, a good one is let pass, and both soon', () => {
    const few = Math.min(runs, 300);
    expect(rates({ ...rule, own: 0.1, other: 0.001 }, few).worse).toBe(1);
    expect(rates({ ...rule, own: 0.001, other: 0.001 }, few)['not worse']).toBeGreaterThan(0.95);
    const needed = requestsNeeded(0.001, 9, rule.margin, rule.beta);
    const taken = Array.from(
      { length: few },
      (_, seed) => play(seed + 1, { ...rule, own: 0.001, other: 0.001 }).requests,
    );
    const middle = taken.toSorted((a, b) => a - b)[Math.floor(few / 2)] ?? 0;
    expect(middle / needed).toBeGreaterThan(0.5);
    expect(middle / needed).toBeLessThan(2);
  });
});

test('of nothing nothing is known, and counts at the ends are counts', () => {
  const none = share(0, 0);
  for (const [own, other] of [
    [none, none],
    [share(100, 0), none],
    [none, share(100, 0)],
    [share(7, 7), none],
  ] as const) {
    expect(evidenceOfWorse(own, other)).toBeLessThan(1);
    expect(evidenceOfNotWorse(own, other, 0.01)).toBeLessThan(1);
  }
  expect(evidenceOfWorse(share(50, 50), share(50, 0))).toBeGreaterThan(20);
  expect(evidenceOfNotWorse(share(50, 0), share(50, 50), 0.01)).toBeGreaterThan(20);
  expect(evidenceOfWorse(share(1e9, 1e6), share(1e9, 1e6))).toBeLessThan(0);
  expect(Number.isFinite(evidenceOfNotWorse(share(1e9, 1e6), share(1e9, 1e6), 0.01))).toBe(true);
});
