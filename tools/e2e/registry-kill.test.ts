import { setTimeout as sleep } from 'node:timers/promises';
import { engineNames, missingEngine, type PushedImage, seeded, testSeed, Traffic } from '@slipway/registry/testing';
import { expect, test } from 'vitest';
import { killAndRestart, startRegistryFleet } from './registry-fleet.ts';
import { SoakStores } from './soak-stores.ts';

const size = process.env['SLIPWAY_TEST_SIZE'];
const kills = size === undefined ? 3 : 60;

test.for(engineNames)(
  `servers on %s that are killed ${kills} times in the middle of pushes, pulls and collections lose no acknowledged image (seed ${testSeed})`,
  { timeout: kills * 30_000 + 60_000 },
  async (engine, { skip }) => {
    const missing = missingEngine(engine);
    if (missing !== undefined) return skip(missing);
    await using fleet = await startRegistryFleet(engine, ['faults/a']);
    await using stores = await SoakStores.open(fleet.servers[0]?.environment ?? {});
    const traffic = new Traffic({
      origins: fleet.servers.map(({ endpoint }) => endpoint),
      authorization: fleet.authorization,
      random: seeded(testSeed),
      cutShare: 0.1,
    });
    const acknowledged: PushedImage[] = [];
    const wrong: string[] = [];
    const done = new AbortController();
    let next = 0;
    let pushed = 0;
    const worker = async (): Promise<void> => {
      while (!done.signal.aborted) {
        const image = await traffic.push('faults/a', `t${next++}`);
        const problem = await traffic.check(image);
        if (problem !== undefined) wrong.push(problem);
        // Some go again, so that there is garbage.
        if (next % 2 === 0) await traffic.remove(image);
        else acknowledged.push(image);
        pushed += 1;
      }
    };
    let collected = 0;
    const collector = async (): Promise<void> => {
      while (!done.signal.aborted) {
        collected += (await stores.collect()).removed;
        await sleep(500);
      }
    };
    const workers = Promise.all([...Array.from({ length: 4 }, worker), collector()]);
    for (let turn = 0; turn < kills; turn++) {
      await sleep(1000);
      await killAndRestart(fleet.servers[turn % fleet.servers.length]);
    }
    // However fast the machine is.
    while (pushed <= kills || collected === 0) await Promise.race([workers, sleep(100)]);
    done.abort();
    await workers;
    for (const image of acknowledged) {
      const problem = await traffic.check(image);
      if (problem !== undefined) wrong.push(problem);
    }
    expect(wrong).toEqual([]);
    expect(traffic.unexpected).toEqual([]);
    expect(pushed).toBeGreaterThan(kills);
    expect(collected, 'blobs that were collected meanwhile').toBeGreaterThan(0);
  },
);
