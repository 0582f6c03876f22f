import { serverReach } from '../../reach/index.ts';
import { randomBytes } from 'node:crypto';

import { type Clock, systemClock } from '@slipway/storage/clock';
import { describe, expect, test } from 'vitest';

import { until } from '../testing/bench.ts';
import { region } from '../testing/callers.ts';
import { connectionKeys } from './keys.ts';

import { ConnectionSweeper, serverSilence } from './connections.ts';
import { AgentBench } from '../testing/agent-peer.ts';

const stopping = { code: 1001, reason: 'the server is stopping' };

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

describe('a server that stops', () => {
  /** A clock on which no wait that begins after `stop` ends by itself. */
  function patientClock() {
    const waits = Promise.withResolvers<() => void>();
    let isStopped = false;
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        if (!isStopped) return systemClock.sleep(ms, signal);
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        signal?.addEventListener('abort', () => reject(new Error('called off')), { once: true });
        waits.resolve(resolve);
        return promise;
      },
    };
    return {
      clock,
      stop: () => {
        isStopped = true;
      },
      /** What ends the first such wait. */
      waiting: waits.promise,
    };
  }

  test('closes the connections of its agents first, and waits for nothing else', async () => {
    const { clock, stop } = patientClock();
    await using bench = await AgentBench.open({ clock });
    const instance = await bench.register();
    const peers = [bench.connect(instance), bench.connect(instance, { kind: 'tcs' })];
    await bench.plane.untilConnected(instance, true);
    await until(() => (peers.every(({ ws }) => ws.readyState === ws.OPEN) ? true : undefined), 'both connections');
    stop();
    await bench.plane.control.close();
    await expect.poll(() => peers.map(({ closed }) => closed)).toEqual([stopping, stopping]);
    await bench.plane.untilConnected(instance, false);
  });

  test('waits a moment for an agent that does not answer, and cuts it off', async () => {
    const { clock, stop, waiting } = patientClock();
    await using bench = await AgentBench.open({ clock });
    const instance = await bench.register();
    const peer = bench.connect(instance);
    await bench.plane.untilConnected(instance, true);
    await until(() => (peer.ws.readyState === peer.ws.OPEN ? true : undefined), 'the connection');
    peer.ws.pause();
    stop();
    const closing = bench.plane.control.close();
    const endWait = await waiting;
    expect(peer.closed).toBeUndefined();
    endWait();
    await closing;
    peer.ws.resume();
    await expect.poll(() => peer.closed?.code).toBe(1001);
  });
});
