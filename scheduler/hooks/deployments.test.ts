import { createOutbound } from '@slipway/auth/outbound';
import { expect, test } from 'vitest';

import { ClusterWorld, ref } from '../control/testing/cluster-world.ts';
import { updateService } from '../services/index.ts';
import type { LifecycleHook } from '../state/index.ts';
import { askHooks, type HookPorts } from './index.ts';
import { role } from './testing/hook-bench.ts';
import { ScriptedHook } from './testing/scripted-hook.ts';

test('a deployment goes on when its hooks have agreed, and goes back when one refuses, with its reason', async () => {
  await using hook = await ScriptedHook.open();
  await using opened = new AsyncDisposableStack();
  const outbound = createOutbound({ allow: ['127.0.0.1'], resolve: () => Promise.resolve(['127.0.0.1']), ca: hook.ca });
  opened.defer(() => outbound.close());
  const world = opened.use(await ClusterWorld.open());
  await world.instance('i1');
  const { authorizer, log } = world.triggerOptions();
  const hooks: Omit<HookPorts, 'placer'> = {
    ...world.ecs,
    log,
    authorizer,
    outbound,
    sealer: { seal: (text) => text, open: (text) => text },
    takeRole: ({ sessionName }) =>
      Promise.resolve({ type: 'assumed-role', account: ref.account, arn: role, id: `AROA:${sessionName}` }),
    meter: { hooked: () => {} },
  };
  const plane = world.plane({ beside: [(led, over) => askHooks({ ...hooks, placer: plane.placer }, led, over)] });
  await plane.start();
  world.behaviours.set('migrate', { startsIn: 1, exitsAfter: 1, stopsIn: 1, exitCode: 0 });
  const migration = await world.revision('migrate:1');
  const asked = { timeoutInMinutes: 5, onTimeout: 'ROLLBACK' } as const;
  const lifecycleHooks: LifecycleHook[] = [
    { ...asked, target: { type: 'task', taskDefinition: migration.arn }, roleArn: role, stages: ['PRE_SCALE_UP'] },
    { ...asked, target: { type: 'webhook', url: hook.url }, stages: ['POST_SCALE_UP', 'PRODUCTION_TRAFFIC_SHIFT'] },
  ];
  const first = await world.revision('app:1');
  await world.service(first.arn, {
    deploymentConfiguration: {
      maximumPercent: 200,
      minimumHealthyPercent: 100,
      strategy: { type: 'BLUE_GREEN' },
      bakeTimeInMinutes: 0,
      lifecycleHooks,
    },
  });
  const roll = async (): Promise<void> => {
    const { arn } = await world.revision('app:2');
    await updateService(world.ecs, { ...ref, service: 'web' }, () => ({ taskDefinition: arn }));
  };
  const settled = async (revision: (arn: string) => boolean) =>
    (
      await world.until(
        () => world.read(),
        ({ steady, deployments: [one] }) => steady && one?.rolloutState === 'COMPLETED' && revision(one.taskDefinition),
      )
    ).deployments[0];
  await settled((arn) => arn === first.arn);
  const stages = (): unknown[] => hook.heard.splice(0).map(({ payload }) => payload['lifecycleStage']);
  expect(stages()).toEqual(['POST_SCALE_UP', 'PRODUCTION_TRAFFIC_SHIFT']);

  await roll();
  const second = await settled((arn) => arn !== first.arn);
  const weights = hook.heard.map(
    ({ payload }) => (payload['executionDetails'] as { productionTrafficWeights: object }).productionTrafficWeights,
  );
  expect(stages()).toEqual(['POST_SCALE_UP', 'PRODUCTION_TRAFFIC_SHIFT']);
  expect(weights.map((one) => Object.values(one))).toEqual([[], [100, 0]]);

  hook.says(({ payload }) => ({
    hookStatus: payload['lifecycleStage'] === 'POST_SCALE_UP' ? 'FAILED' : 'SUCCEEDED',
  }));
  const serving = second?.taskDefinition;
  await roll();
  const back = await world
    .until(
      () => world.read(),
      ({ deployments: [one] }) => one?.cause.kind === 'rollback',
    )
    .then(() => settled((arn) => arn === serving));
  expect(stages()).toEqual(['POST_SCALE_UP']);
  expect(back?.cause.failed?.rolloutStateReason).toContain(`Webhook ${hook.url} failed: it answered FAILED.`);
  const runs = (await world.tasks()).filter(({ taskDefinition }) => taskDefinition === migration.arn);
  expect(runs.map(({ lastStatus }) => lastStatus)).toEqual(['STOPPED', 'STOPPED', 'STOPPED']);
});
