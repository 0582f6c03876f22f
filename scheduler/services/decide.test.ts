import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { beforeEach, describe, expect, test } from 'vitest';

import {
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  type HookResultRecord,
  type HookRun,
  type ServiceRecord,
  type Shifting,
  toJson,
} from '../state/index.ts';
import { decidePause, stopDeployment } from './decide.ts';

const partition = clusterPartition('1', 'c');
const ref = { account: '1', cluster: 'c', service: 'web', deploymentId: 'ecs-svc/2' };
const run: HookRun = {
  id: 'run-1',
  hook: 0,
  stage: 'POST_SCALE_UP',
  step: 0,
  isRollback: false,
  status: 'AWAITING_ACTION',
  startedAt: 1,
};
const shifting: Shifting = {
  strategy: { type: 'BLUE_GREEN' },
  bakeTimeInMinutes: 0,
  hooks: [
    { target: { type: 'pause' }, stages: ['POST_SCALE_UP'], timeoutInMinutes: 5, onTimeout: 'ROLLBACK' },
    {
      target: { type: 'webhook', url: 'https://x.test/' },
      targetArn: 'https://x.test/',
      stages: ['POST_SCALE_UP'],
      timeoutInMinutes: 5,
      onTimeout: 'ROLLBACK',
    },
  ],
  stage: 'POST_SCALE_UP',
  stageSince: 1,
  step: 0,
  wanted: { production: 0, test: 0 },
  sequence: 1,
  live: { production: 0, test: 0, since: 1 },
  runs: [run, { ...run, id: 'run-2', hook: 1, status: 'IN_PROGRESS' }],
};

let records: ReturnType<typeof memoryRecords>;
const ports = () => ({ records, clock: systemClock });

async function given(more: Partial<Shifting> | undefined, deployment: Partial<DeploymentRecord> = {}): Promise<void> {
  records = memoryRecords(systemClock);
  const primary = {
    id: ref.deploymentId,
    status: 'PRIMARY',
    rolloutState: 'IN_PROGRESS',
    ...(more === undefined ? {} : { shifting: { ...shifting, ...more } }),
    ...deployment,
  };
  const service = { name: 'web', status: 'ACTIVE', deployments: [primary], version: 1 };
  await records.commit(partition, {
    put: [
      { key: clusterKeys.cluster, value: { name: 'c', status: 'ACTIVE' } },
      { key: clusterKeys.service('web'), value: toJson(service) },
    ],
  });
}
beforeEach(() => given({}));

const stopOf = async () =>
  (await records.get<ServiceRecord>(partition, clusterKeys.service('web')))?.value.deployments[0]?.shifting?.stop;
const answer = async (id = 'run-1') =>
  (await records.get<HookResultRecord>(partition, clusterKeys.hookResult('web', id)))?.value;

describe('a deployment is stopped', () => {
  test('once, by whom is remembered, and an abort may follow a rollback', async () => {
    await stopDeployment(ports(), ref, 'ROLLBACK', 'ann');
    expect(await stopOf()).toMatchObject({ type: 'ROLLBACK', by: 'ann' });
    await stopDeployment(ports(), ref, 'ROLLBACK', 'bob');
    expect(await stopOf()).toMatchObject({ by: 'ann' });
    await stopDeployment(ports(), ref, 'ABORT', 'bob');
    await stopDeployment(ports(), ref, 'ROLLBACK', 'ann');
    expect(await stopOf()).toMatchObject({ type: 'ABORT', by: 'bob' });
  });

  test.each<readonly [string, Partial<Shifting> | undefined, Partial<DeploymentRecord>, string]>([
    ['it is completed', {}, { rolloutState: 'COMPLETED' }, 'ConflictException'],
    ['it is superseded', {}, { status: 'ACTIVE' }, 'ConflictException'],
    ['another one is the newest', {}, { id: 'ecs-svc/3' }, 'ConflictException'],
    ['the old revision ends', { stage: 'CLEAN_UP' }, {}, 'ConflictException'],
    ['it goes back already', { rollback: { reason: 'x', at: 1, verdict: 'failed' } }, {}, 'ConflictException'],
    ['the service goes back to it', undefined, { cause: { kind: 'rollback' } }, 'ConflictException'],
  ])('but not when %s', async (_what, more, deployment, code) => {
    await given(more, deployment);
    await expect(stopDeployment(ports(), ref, 'ROLLBACK', 'ann')).rejects.toMatchObject({ code });
  });

  test('as one that rolls is, once, unless it is only to stay', async () => {
    await given(undefined, { cause: { kind: 'api' } });
    const stop = async () =>
      (await records.get<ServiceRecord>(partition, clusterKeys.service('web')))?.value.deployments[0]?.stop;
    await stopDeployment(ports(), ref, 'STAY', 'ann');
    expect(await stop()).toBeUndefined();
    await stopDeployment(ports(), ref, 'ROLLBACK', 'ann');
    await stopDeployment(ports(), ref, 'ROLLBACK', 'bob');
    expect(await stop()).toMatchObject({ type: 'ROLLBACK', by: 'ann' });
    await stopDeployment(ports(), ref, 'ABORT', 'bob');
    await stopDeployment(ports(), ref, 'ROLLBACK', 'ann');
    expect(await stop()).toMatchObject({ type: 'ABORT', by: 'bob' });
  });

  test('at once even while it goes back', async () => {
    await given({ rollback: { reason: 'x', at: 1, verdict: 'failed' } });
    await stopDeployment(ports(), ref, 'ABORT', 'ann');
    expect(await stopOf()).toMatchObject({ type: 'ABORT' });
  });
});

describe('a pause is ended', () => {
  test.each([
    ['CONTINUE', 'SUCCEEDED', undefined],
    ['ROLLBACK', 'FAILED', 'ann rolled it back'],
  ] as const)('with %s, the same way once more, and not the other way', async (action, status, reason) => {
    await decidePause(ports(), ref, 'run-1', action, 'ann');
    await decidePause(ports(), ref, 'run-1', action, 'bob');
    const said = await answer();
    expect(said).toMatchObject({ id: 'run-1', service: 'web', deploymentId: 'ecs-svc/2', status, decidedBy: 'ann' });
    expect(said?.reason).toBe(reason);
    const other = action === 'CONTINUE' ? 'ROLLBACK' : 'CONTINUE';
    await expect(decidePause(ports(), ref, 'run-1', other, 'bob')).rejects.toThrow('already, by ann.');
  });

  test.each<readonly [string, string, Partial<Shifting> | undefined, Partial<DeploymentRecord>, string]>([
    ['a hook that is not there', 'run-9', {}, {}, "has no hook 'run-9'"],
    ['a hook that answers by itself', 'run-2', {}, {}, 'answers by itself'],
    [
      'a stage that is over',
      'run-1',
      { stage: 'BAKE_TIME', runs: [{ ...run, status: 'SUCCEEDED' }] },
      {},
      'The hook run-1 of the stage POST_SCALE_UP is over (SUCCEEDED), and the service deployment is in the stage BAKE_TIME.',
    ],
    ['one that goes back', 'run-1', { rollback: { reason: 'x', at: 1, verdict: 'failed' } }, {}, 'is going back.'],
    ['one that is over', 'run-1', {}, { rolloutState: 'COMPLETED' }, 'does not wait for anybody'],
    ['one that is rolling', 'run-1', undefined, {}, 'does not wait for anybody'],
  ])('but not %s', async (_what, hookId, more, deployment, message) => {
    await given(more, deployment);
    await expect(decidePause(ports(), ref, hookId, 'CONTINUE', 'ann')).rejects.toMatchObject({
      code: 'InvalidParameterException',
      message: expect.stringContaining(message) as string,
    });
    expect(await answer(hookId)).toBeUndefined();
  });
});
