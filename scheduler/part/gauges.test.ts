import type { PartGauge } from '@slipway/auth/contract';
import { expect, test } from 'vitest';

import { ClusterWorld, ref } from '../control/testing/cluster-world.ts';
import type { WatchedCluster } from '../control/index.ts';
import { ClusterView } from '../views/index.ts';
import { createPlacementIndex } from '../placement/index.ts';
import { schedulerGauges } from './gauges.ts';

/** The numbers of a gauge by its labels, as Prometheus would write them. */
async function readings(gauges: readonly PartGauge[], name: string): Promise<Record<string, number>> {
  const found = await gauges.find((gauge) => gauge.name === name)?.read();
  return Object.fromEntries((found ?? []).map(({ labels, value }) => [Object.values(labels).join(' '), value]));
}

test('leadership, agents, tasks, rollouts and what fits nowhere are counted as the cluster stands', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.instance('i2', { agentConnected: false });
  await world.instance('i3', { status: 'INACTIVE' });
  const passes: number[] = [];
  const decisions: string[] = [];
  const plane = world.plane({
    meter: {
      passed: (milliseconds) => passes.push(milliseconds),
      decided: (what) => decisions.push(what),
      hooked: () => {},
    },
  });
  await plane.start();
  const gauges = schedulerGauges(plane);
  const at = `${ref.account} ${ref.cluster}`;
  const web = await world.revision('app:1');
  await world.service(web.arn, { desiredCount: 2 });
  await world.steady();
  const large = await world.revision('app:1', {}, 100_000);
  await world.service(large.arn, {}, 'large');
  await world.until(
    () => readings(gauges, 'slipway_scheduler_unplaceable_services'),
    (found) => found[at] === 1,
  );
  await world.until(
    () => readings(gauges, 'slipway_scheduler_tasks'),
    (found) => found[`${at} RUNNING`] === 2,
  );
  expect(await readings(gauges, 'slipway_scheduler_tasks')).toMatchObject({
    [`${at} PENDING`]: 0,
    [`${at} STOPPED`]: 0,
  });
  expect(await readings(gauges, 'slipway_scheduler_agents')).toEqual({
    [`${at} connected`]: 1,
    [`${at} disconnected`]: 1,
  });
  expect(await readings(gauges, 'slipway_scheduler_rollouts')).toEqual({
    [`${at} IN_PROGRESS`]: 1,
    [`${at} COMPLETED`]: 1,
    [`${at} FAILED`]: 0,
  });
  expect(await readings(gauges, 'slipway_scheduler_leader_epoch')).toEqual({
    [at]: plane.leads(ref.account, ref.cluster),
  });
  expect(await readings(gauges, 'slipway_scheduler_placements_waiting')).toEqual({ '': 0 });
  expect(decisions).toEqual(expect.arrayContaining(['start', 'deployment-completed', 'unplaceable']));
  expect(passes.length).toBeGreaterThanOrEqual(3);
  expect(Math.min(...passes)).toBeGreaterThanOrEqual(0);
  // Who leads no more says nothing of it.
  await world.stop(plane);
  expect(await readings(gauges, 'slipway_scheduler_leader_epoch')).toEqual({});
});

test('labels are bounded: a hundred clusters have lines of their own, the rest is added up', async () => {
  const watched = (index: number): WatchedCluster => {
    const view = new ClusterView(
      '000000000000',
      `c${String(index).padStart(4, '0')}`,
      createPlacementIndex({ seed: 1 }),
      () => 0,
    );
    view.census.agents.move(undefined, 'connected');
    return { view, epoch: index + 1, servicesWaiting: 1, placementsWaiting: 2 };
  };
  const clusters = Array.from({ length: 250 }, (_, index) => watched(index)).reverse();
  const gauges = schedulerGauges({ clusters: () => clusters });
  const connected = await readings(gauges, 'slipway_scheduler_agents');
  expect(Object.keys(connected)).toHaveLength(2 * 101);
  expect(connected['000000000000 c0000 connected']).toBe(1);
  expect(connected['000000000000 c0100 connected']).toBeUndefined();
  expect(connected[' others connected']).toBe(150);
  expect(Object.keys(await readings(gauges, 'slipway_scheduler_tasks'))).toHaveLength(8 * 101);
  expect(Object.keys(await readings(gauges, 'slipway_scheduler_leader_epoch'))).toHaveLength(101);
  expect(await readings(gauges, 'slipway_scheduler_services_waiting')).toEqual({ '': 250 });
  expect(await readings(gauges, 'slipway_scheduler_placements_waiting')).toEqual({ '': 500 });
});
