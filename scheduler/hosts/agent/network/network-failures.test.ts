import { execFileSync } from 'node:child_process';

import { afterEach, describe, expect, test, vi } from 'vitest';

import type { NetworkState } from '../../wire/index.ts';
import { networkMissing } from '../../testing/test-engine.ts';
import { endNamespaces, namespace, ownMachine, ready } from '../../testing/namespaces.ts';
import { prefixOf } from './attachment.ts';
import { type Attachment, NetworkError, TaskNetwork } from './index.ts';
import { listLinks } from './links.ts';

/** Of the commands that are run, the number of the one that fails, 0: none; and how many do from then on: a change of rules that fails is made once more as a whole. */
const fault = vi.hoisted(() => ({ at: 0, asked: 0, times: 2 }));

vi.mock('./run.ts', async (original) => {
  const real = await original<typeof import('./run.ts')>();
  const run: typeof real.run = async (...command) => {
    fault.asked += 1;
    const since = fault.at === 0 ? -1 : fault.asked - fault.at;
    if (since >= 0 && since < fault.times) throw new real.NetworkError(`${command[0]}: injected`);
    return real.run(...command);
  };
  return { ...real, run };
});

const can = (await ownMachine()) ?? (await networkMissing());
if (can !== undefined && process.env['CI'] === 'true') throw new Error(can);

const agentId = `fail-${process.pid}`;
const [before, after] = ['192.0.2.0/24', '203.0.113.0/24'];
/** @param cidr who may reach the task */
const state = (cidr: string): NetworkState => ({
  blocks: [{ cidr: '198.19.6.0/25', vpc: 'vpc-1' }],
  groups: [{ id: 'sg-a', ingress: [{ protocol: '-1', peer: { cidr } }], egress: [] }],
  members: {},
  peers: [],
  // Of another network card, so that the ways to others are made anew too.
  address: cidr === before ? '127.0.0.1' : '127.0.0.2',
});
const one: Attachment = {
  id: 'eni-0000f1',
  address: '198.19.6.1',
  mac: '02:00:00:00:06:01',
  vpc: 'vpc-1',
  securityGroups: ['sg-a'],
  outside: true,
};
const quiet = () => undefined;
const open = (): TaskNetwork =>
  new TaskNetwork({
    agentId,
    endpointPort: 51_679,
    engineNetworks: async () => [],
    nameServers: async () => [],
    log: { info: quiet, warn: quiet, error: quiet },
  });

/** Does it with the first command failing, then with the second one, until there is none that could. @returns how often it threw */
async function withEachFault(work: () => Promise<void>, then: (threw: boolean) => Promise<void>): Promise<number> {
  let threw = 0;
  for (let at = 1; ; at += 1) {
    Object.assign(fault, { at, asked: 0 });
    const failed = await work().then(
      () => false,
      (error: unknown) => {
        // What was injected, in the network's own words: anything else is a mistake.
        if (error instanceof NetworkError && error.message.endsWith('injected')) return true;
        throw error;
      },
    );
    const reached = fault.asked >= at;
    Object.assign(fault, { at: 0, asked: 0 });
    if (failed) threw += 1;
    await then(failed);
    if (!reached) return threw;
  }
}

describe.skipIf(can !== undefined)('whichever command of the host’s network fails', { timeout: 120_000 }, () => {
  let network: TaskNetwork;
  const links = () => listLinks(prefixOf(agentId));
  /** Who may reach the task by the rules that are in effect. */
  const admitted = (): string[] => {
    const rules = execFileSync('nft', ['list', 'ruleset']).toString();
    return [before, after].filter((cidr) => rules.includes(cidr));
  };

  afterEach(async () => {
    Object.assign(fault, { at: 0, asked: 0 });
    endNamespaces();
    await network.detach(one.id);
    await network.sweep();
    await network.close();
  });

  test('an interface is made when that is tried again, and nothing is left of it in the end', async () => {
    network = open();
    await ready(network);
    await network.apply(state(before));
    const threw = await withEachFault(
      async () => network.attach(one, await namespace()),
      async (failed) => {
        if (failed) await network.attach(one, await namespace());
        expect((await links()).map(({ complete }) => complete)).toEqual([true]);
        await network.detach(one.id);
        expect(await links()).toEqual([]);
      },
    );
    expect(threw).toBeGreaterThanOrEqual(4);
  });

  test('an interface goes when that is tried again', async () => {
    network = open();
    await ready(network);
    await network.apply(state(before));
    await network.attach(one, await namespace());
    const threw = await withEachFault(
      () => network.detach(one.id),
      async () => {
        await network.detach(one.id);
        expect(await links()).toEqual([]);
        await network.attach(one, await namespace());
      },
    );
    expect(threw).toBeGreaterThanOrEqual(2);
  });

  test('a state that was taken over with an error is in effect after the next look', async () => {
    network = open();
    await ready(network);
    await network.apply(state(before));
    await network.attach(one, await namespace());
    const threw: number[] = [];
    for (const times of [1, 2]) {
      fault.times = times;
      const often = await withEachFault(
        () => network.apply(state(after)),
        async () => {
          expect(await network.reason()).toBeUndefined();
          expect(admitted()).toEqual([after]);
          await network.apply(state(before));
          expect(admitted()).toEqual([before]);
        },
      );
      threw.push(often);
    }
    // A change of rules that fails once is an error for nobody.
    expect(threw[1]).toBeGreaterThanOrEqual(2);
    expect(threw[0]).toBeLessThan(threw[1] ?? 0);
  });

  test('a way to others that waited for rules which failed is made when the state comes again, or at the next look', async () => {
    network = open();
    await ready(network);
    const link = `link add up0 type veth peer name eth0 netns ${await namespace()}`;
    const input = [link, 'addr add 198.19.9.1/24 dev up0', 'link set up0 up', ''].join('\n');
    execFileSync('ip', ['-batch', '-'], { input });
    try {
      const moved = (address: string): NetworkState => ({
        ...state(before),
        address: '198.19.9.1',
        peers: [{ address, blocks: ['198.19.200.0/28'] }],
      });
      const ways = (): string => execFileSync('ip', ['route', 'show', 'proto', '197']).toString();
      await network.apply(moved('198.19.9.2'));
      expect(ways()).toContain('198.19.200.0/28 via 198.19.9.2');
      for (const [address, again] of [
        ['198.19.9.3', () => network.apply(moved('198.19.9.3'))],
        ['198.19.9.4', () => network.reason()],
      ] as const) {
        Object.assign(fault, { at: 1, asked: 0, times: 2 });
        await expect(network.apply(moved(address))).rejects.toThrow('injected');
        Object.assign(fault, { at: 0, asked: 0 });
        await again();
        expect(ways()).toContain(`198.19.200.0/28 via ${address}`);
      }
    } finally {
      execFileSync('ip', ['link', 'delete', 'up0']);
    }
  });
});
