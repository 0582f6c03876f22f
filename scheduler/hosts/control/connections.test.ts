import { serverReach } from '../../reach/index.ts';
import { randomBytes } from 'node:crypto';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import { region } from '../testing/bench.ts';
import { connectionKeys } from './keys.ts';

import { ConnectionSweeper, serverSilence } from './connections.ts';
import { AgentBench } from '../testing/agent-peer.ts';

test('connections of a server that died are found by the others', async () => {
  await using bench = await AgentBench.open();
  const { plane } = bench;
  const instance = await bench.register();
  const record = await plane.instance(instance);
  await plane.putInstance({ ...record, agentConnected: true, connectionId: 'dead.1', channelGeneration: 4 });
  await plane.records.commit('ecs/000000000000/default', {
    put: [{ key: connectionKeys.server('dead'), value: { beat: 9 } }],
  });
  let now = 0;
  const clock = { ...systemClock, monotonic: () => now };
  const sweeper = new ConnectionSweeper({
    records: plane.records,
    clock,
    random: randomBytes,
    region,
    reach: serverReach({}),
  });
  await sweeper.sweep('000000000000', 'default');
  now = serverSilence - 1;
  await sweeper.sweep('000000000000', 'default');
  expect((await plane.instance(instance)).agentConnected).toBe(true);
  now = serverSilence + 1;
  await sweeper.sweep('000000000000', 'default');
  expect(await plane.instance(instance)).toMatchObject({ agentConnected: false, channelGeneration: 4 });
  expect((await plane.instance(instance)).connectionId).toBeUndefined();
});

test('a server that cannot serve its agents closes their connections, and takes new ones', async () => {
  await using bench = await AgentBench.open();
  const { plane } = bench;
  const instance = await bench.register();
  const peers = [bench.connect(instance), bench.connect(instance, { kind: 'tcs' })];
  await plane.untilConnected(instance, true);
  await expect
    .poll(() => {
      plane.control.disconnect();
      return peers.map(({ closed }) => closed?.code);
    })
    .toEqual([1013, 1013]);
  await plane.untilConnected(instance, false);
  bench.connect(instance);
  await plane.untilConnected(instance, true);
});
