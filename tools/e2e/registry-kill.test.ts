import { setTimeout as sleep } from 'node:timers/promises';
import { engineNames, missingEngine, type PushedImage, seeded, Traffic } from '@slipway/registry/testing';
import { expect, test } from 'vitest';
import { killAndRestart, startRegistryFleet } from './registry-fleet.ts';

const size = process.env['SLIPWAY_TEST_SIZE'];
const kills = size === undefined ? 3 : 60;

test.for(engineNames)(
  `servers on %s that are killed ${kills} times in the middle of pushes and pulls lose no acknowledged image`,
  { timeout: kills * 30_000 + 60_000 },
  async (engine, { skip }) => {
    const missing = missingEngine(engine);
    if (missing !== undefined) return skip(missing);
    await using fleet = await startRegistryFleet(engine, ['faults/a']);
    const seed = Date.now() % 1_000_000;
    const traffic = new Traffic({
      origins: fleet.servers.map(({ endpoint }) => endpoint),
      authorization: fleet.authorization,
      random: seeded(seed),
      cutShare: 0.1,
    });
    const acknowledged: PushedImage[] = [];
    const wrong: string[] = [];
    const done = new AbortController();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (!done.signal.aborted) {
        const image = await traffic.push('faults/a', `t${next++}`);
        acknowledged.push(image);
        const problem = await traffic.check(image);
        if (problem !== undefined) wrong.push(problem);
      }
    };
    const workers = Promise.all(Array.from({ length: 4 }, worker));
    for (let turn = 0; turn < kills; turn++) {
      await sleep(1000);
      await killAndRestart(fleet.servers[turn % fleet.servers.length]);
    }
    done.abort();
    await workers;
    for (const image of acknowledged) {
      const problem = await traffic.check(image);
      if (problem !== undefined) wrong.push(problem);
    }
    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(traffic.unexpected, `seed ${seed}`).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(kills);
  },
);
