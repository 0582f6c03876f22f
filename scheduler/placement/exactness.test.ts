import { expect, test } from 'vitest';
import { playScenario, strategyChoices } from './testing/scenario.ts';
import type { StrategySpec } from './types.ts';

/** Decisions to compare, all tests of this file together. */
const size = process.env['SLIPWAY_TEST_SIZE'];
const decisions = size === 'release' ? 50_000_000 : size === 'nightly' ? 10_000_000 : 1_000_000;
const seed = Number(process.env['SLIPWAY_SEED'] ?? 1);

const one = strategyChoices.map((strategy) => [strategy]);
const two = one.flatMap((chain) => strategyChoices.map((strategy) => [...chain, strategy]));
const three = two.flatMap((chain) => strategyChoices.map((strategy) => [...chain, strategy]));
const chains: readonly (readonly StrategySpec[])[] = [[], ...one, ...two, ...three];

test(
  `the core decides as the oracle on ${decisions} random decisions, every chain of up to three strategies`,
  { timeout: decisions },
  () => {
    let compared = 0;
    let placed = 0;
    for (let life = 0; compared < decisions; life++) {
      const result = playScenario({
        seed: seed * 1_000_003 + life,
        steps: 400,
        instances: 4 + (life % 9),
        tasks: 10 + (life % 5) * 8,
        // Every other life draws its chains, so that requests with different ones alternate.
        ...(life % 2 === 0 ? { strategies: chains[(life / 2) % chains.length]! } : {}),
      });
      compared += result.decisions;
      placed += result.placed;
    }
    expect(compared).toBeGreaterThanOrEqual(decisions);
    expect(placed / compared).toBeGreaterThan(0.5);
  },
);
