import { describe, expect, test } from 'vitest';
import { playScenario, type ScenarioOptions, strategyChoices } from './testing/scenario.ts';
import type { StrategySpec } from './types.ts';

/** Decisions to compare, all tests of this file together. */
const size = process.env['SLIPWAY_TEST_SIZE'];
const decisions = size === 'release' ? 50_000_000 : size === 'nightly' ? 10_000_000 : 1_000_000;
const seed = Number(process.env['SLIPWAY_SEED'] ?? 1);

const one = strategyChoices.map((strategy) => [strategy]);
const two = one.flatMap((chain) => strategyChoices.map((strategy) => [...chain, strategy]));
const three = two.flatMap((chain) => strategyChoices.map((strategy) => [...chain, strategy]));
const chains: readonly (readonly StrategySpec[])[] = [[], ...one, ...two, ...three];

/** Small blocks and little memory, so that small clusters go through splits, merges, evictions and fresh starts. */
const tuning = (life: number): object => ({
  blockSize: 4,
  scoreBytes: life % 5 === 0 ? 2000 : 2 ** 28,
});

/** Plays lives until `many` decisions are compared; returns the share of them that placed a task. */
function compare(many: number, lifeOf: (life: number) => Omit<ScenarioOptions, 'seed'>): number {
  let compared = 0;
  let placed = 0;
  for (let life = 0; compared < many; life++) {
    const result = playScenario({ seed: seed * 1_000_003 + life, ...lifeOf(life) });
    compared += result.decisions;
    placed += result.placed;
  }
  return placed / compared;
}

describe(`the core decides as the oracle (seed ${seed})`, { timeout: decisions }, () => {
  test(`on ${decisions} random decisions, every chain of up to three strategies`, () => {
    const placed = compare(decisions, (life) => ({
      steps: 400,
      instances: 4 + (life % 9),
      tasks: 10 + (life % 5) * 8,
      tuning: tuning(life),
      // Every other life draws its chains, so that requests with different ones alternate.
      ...(life % 2 === 0 ? { strategies: chains[(life / 2) % chains.length]! } : {}),
    }));
    expect(placed).toBeGreaterThan(0.5);
  });

  test(`on ${decisions / 10} decisions packing by one resource, tasks of many sizes in turn`, () => {
    const placed = compare(decisions / 10, (life) => ({
      steps: 600,
      instances: 10 + (life % 30),
      tasks: 60 + (life % 3) * 40,
      plain: true,
      strategies: [{ type: 'binpack', field: life % 2 === 0 ? 'cpu' : 'memory' }],
      tuning: tuning(life),
    }));
    expect(placed).toBeGreaterThan(0.5);
  });

  test(`on ${decisions / 50} decisions in clusters of hundreds of instances`, () => {
    const placed = compare(decisions / 50, (life) => ({
      steps: 1200,
      instances: 150 + (life % 3) * 100,
      tasks: 300,
      ...(life % 2 === 0 ? { strategies: chains[(life * 7) % chains.length]! } : {}),
    }));
    expect(placed).toBeGreaterThan(0.5);
  });

  test(`on ${decisions / 500} decisions in clusters of more than two thousand instances`, () => {
    const placed = compare(decisions / 500, (life) => ({
      steps: 400,
      instances: 3000,
      tasks: 500,
      ...(life % 2 === 0 ? { strategies: chains[(life * 11) % chains.length]! } : {}),
    }));
    expect(placed).toBeGreaterThan(0.5);
  });
});
