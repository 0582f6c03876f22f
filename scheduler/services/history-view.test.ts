import type { EcsPorts } from '../cluster/index.ts';
import { breaker } from '../deployments/testing/world.ts';
import { describe, expect, test } from 'vitest';

import type { DeploymentRecord, HookRun, ServiceRecord, Shifting } from '../state/index.ts';
import { type Historic, revisionView, serviceDeploymentView, statusOf } from './history-view.ts';
import { waitOf } from './shift-view.ts';

const ports = { region: 'us-east-1' } as EcsPorts;
const ref = { account: '123456789012', cluster: 'prod', service: 'web' };
const arn = (resource: string): string => `arn:aws:ecs:us-east-1:123456789012:${resource}`;
const minute = 60_000;

const run: HookRun = {
  id: 'run-1',
  hook: 1,
  stage: 'PRE_PRODUCTION_TRAFFIC_SHIFT',
  step: 0,
  isRollback: false,
  status: 'AWAITING_ACTION',
  startedAt: 2000,
};
const shifting: Shifting = {
  strategy: { type: 'CANARY', canaryPercent: 12.5, canaryBakeTimeInMinutes: 10 },
  bakeTimeInMinutes: 5,
  hooks: [
    {
      targetArn: 'https://x.test/',
      target: { type: 'webhook', url: 'https://x.test/' },
      stages: ['POST_SCALE_UP'],
      timeoutInMinutes: 1,
      onTimeout: 'CONTINUE',
    },
    {
      target: { type: 'pause' },
      stages: ['PRE_PRODUCTION_TRAFFIC_SHIFT'],
      timeoutInMinutes: 60,
      onTimeout: 'ROLLBACK',
    },
  ],
  stage: 'PRE_PRODUCTION_TRAFFIC_SHIFT',
  stageSince: 2000,
  step: 0,
  wanted: { production: 12.5, test: 100 },
  sequence: 3,
  live: { production: 12.5, test: 100, since: 2000 },
  runs: [{ ...run, id: 'run-0', hook: 0, stage: 'POST_SCALE_UP', status: 'SUCCEEDED', startedAt: 1000 }, run],
};
const configuration = {
  maximumPercent: 200,
  minimumHealthyPercent: 100,
  strategy: shifting.strategy,
  bakeTimeInMinutes: 5,
  lifecycleHooks: shifting.hooks,
} as const;
const advanced = { alternateTargetGroupArn: 'blue', productionListenerRule: 'rule', roleArn: 'role' };
const base = {
  status: 'PRIMARY',
  taskDefinition: 'web:2',
  rolloutState: 'IN_PROGRESS',
  rolloutStateReason: 'ECS deployment ecs-svc/2 in progress.',
  failedTasks: 0,
  everRunning: true,
  createdAt: 500,
  updatedAt: 2000,
  cause: { kind: 'api' },
} as const;
const green: DeploymentRecord = {
  ...base,
  id: 'ecs-svc/2',
  loadBalancers: [{ targetGroupArn: 'green', containerName: 'main', containerPort: 80, advanced }],
  replaces: ['ecs-svc/9', 'ecs-svc/1'],
  shifting,
};
const blue: DeploymentRecord = {
  ...base,
  id: 'ecs-svc/1',
  status: 'ACTIVE',
  rolloutState: 'COMPLETED',
  completedAt: 100,
};

const historic = (deployment: DeploymentRecord, others: readonly DeploymentRecord[] = [blue]): Historic => ({
  row: { deployment: green, configuration, desiredCount: 2, seenAt: 3000 },
  service: { status: 'ACTIVE', deployments: [deployment, ...others] } as unknown as ServiceRecord,
});
const counts = (id: string) => ({ desired: 2, running: id === 'ecs-svc/9' ? 0 : 2, pending: 0 });
const shifted = (more: Partial<Shifting>, deployment: Partial<DeploymentRecord> = {}): DeploymentRecord => ({
  ...green,
  shifting: { ...shifting, ...more },
  ...deployment,
});

describe('a deployment that shifts traffic', () => {
  test('is described with its stage, weights and hooks, member by member', () => {
    const view = serviceDeploymentView(ports, ref, historic(green), counts as never);
    const shares = (production: number, ofTest: number) => ({
      requestedProductionTrafficWeight: production,
      requestedTestTrafficWeight: ofTest,
    });
    const tasks = { requestedTaskCount: 2, pendingTaskCount: 0 };
    expect(view).toEqual({
      serviceDeploymentArn: expect.stringMatching(
        /^arn:aws:ecs:us-east-1:123456789012:service-deployment\/prod\/web\/[A-Za-z0-9]{21}$/,
      ) as string,
      serviceArn: arn('service/prod/web'),
      clusterArn: arn('cluster/prod'),
      createdAt: new Date(500),
      startedAt: new Date(500),
      updatedAt: new Date(2000),
      status: 'IN_PROGRESS',
      statusReason:
        'PRE_PRODUCTION_TRAFFIC_SHIFT, 12.5 % of production traffic: waits for somebody who continues it or rolls it back (hook run-1), goes back without an answer at 1970-01-01T01:00:02.000Z.',
      targetServiceRevision: {
        arn: arn('service-revision/prod/web/2'),
        runningTaskCount: 2,
        ...tasks,
        ...shares(12.5, 100),
      },
      sourceServiceRevisions: [
        { arn: arn('service-revision/prod/web/9'), runningTaskCount: 0, ...tasks, ...shares(0, 0) },
        { arn: arn('service-revision/prod/web/1'), runningTaskCount: 2, ...tasks, ...shares(87.5, 0) },
      ],
      lifecycleStage: 'PRE_PRODUCTION_TRAFFIC_SHIFT',
      lifecycleHookDetails: [
        {
          hookId: 'run-0',
          targetType: 'AWS_LAMBDA',
          targetArn: 'https://x.test/',
          status: 'SUCCEEDED',
          expiresAt: new Date(1000 + minute),
          timeoutAction: 'CONTINUE',
        },
        {
          hookId: 'run-1',
          targetType: 'PAUSE',
          status: 'AWAITING_ACTION',
          expiresAt: new Date(2000 + 60 * minute),
          timeoutAction: 'ROLLBACK',
        },
      ],
      deploymentConfiguration: {
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        deploymentCircuitBreaker: { enable: false, rollback: false },
        strategy: 'CANARY',
        bakeTimeInMinutes: 5,
        canaryConfiguration: { canaryPercent: 12.5, canaryBakeTimeInMinutes: 10 },
        lifecycleHooks: [
          expect.objectContaining({ hookTargetArn: 'https://x.test/', targetType: 'AWS_LAMBDA' }) as object,
          expect.objectContaining({ targetType: 'PAUSE' }) as object,
        ],
      },
      deploymentCircuitBreaker: { status: 'DISABLED', failureCount: 0, threshold: 0 },
      alarms: { status: 'DISABLED' },
    });
  });

  test('tells which alarms it may fail by, and which it did', () => {
    const alarms = { alarmNames: ['errors', 'slow'], enable: true, rollback: true };
    const alarmsOf = (more: Partial<DeploymentRecord>): unknown => {
      const one = historic({ ...green, ...more });
      const configuration = { ...one.row.configuration, alarms };
      const { service, row } = one;
      return serviceDeploymentView(ports, ref, { service, row: { ...row, configuration } }, counts as never).alarms;
    };
    const { alarmNames } = alarms;
    expect(alarmsOf({})).toEqual({ status: 'MONITORING', alarmNames });
    expect(alarmsOf({ alarms: { ignored: ['slow'] } })).toEqual({ status: 'DISABLED', alarmNames });
    expect(alarmsOf({ alarms: { triggered: ['errors'] } })).toEqual({
      status: 'TRIGGERED',
      alarmNames,
      triggeredAlarmNames: ['errors'],
    });
    expect(alarmsOf({ rolloutState: 'COMPLETED', completedAt: 3000 })).toEqual({
      status: 'MONITORING_COMPLETE',
      alarmNames,
    });
  });

  const rollback = { reason: 'the hook failed', at: 2500, verdict: 'failed' } as const;
  const stop = (type: 'ROLLBACK' | 'ABORT') => ({ stop: { type, at: 2200, by: 'ann' } });
  /** The old revision after core has put it back, with what the failed one was. */
  const restored = (state: DeploymentRecord['rolloutState'], of: Partial<Shifting>): DeploymentRecord => ({
    ...blue,
    status: 'PRIMARY',
    rolloutState: state,
    cause: {
      kind: 'rollback',
      detail: 'the hook failed',
      failed: {
        id: green.id,
        failedTasks: 0,
        rolloutState: 'FAILED',
        rolloutStateReason: 'the hook failed',
        updatedAt: 2600,
        shifting: { ...shifting, rollback, ...of },
      },
    },
  });
  test.each<readonly [string, Historic]>([
    ['IN_PROGRESS', historic(green)],
    ['IN_PROGRESS', historic(shifted({ stage: 'CLEAN_UP' }, { completedAt: 2000 }))],
    ['SUCCESSFUL', historic(shifted({ stage: 'CLEAN_UP' }, { completedAt: 2000, rolloutState: 'COMPLETED' }))],
    ['ROLLBACK_REQUESTED', historic(shifted(stop('ROLLBACK')))],
    ['STOP_REQUESTED', historic(shifted(stop('ABORT')))],
    ['ROLLBACK_IN_PROGRESS', historic(shifted({ rollback }))],
    ['ROLLBACK_IN_PROGRESS', historic(restored('IN_PROGRESS', {}), [])],
    ['ROLLBACK_SUCCESSFUL', historic(restored('COMPLETED', stop('ROLLBACK')), [])],
    ['ROLLBACK_FAILED', historic(restored('FAILED', {}), [])],
    ['STOP_REQUESTED', historic(restored('IN_PROGRESS', stop('ABORT')), [])],
    ['STOPPED', historic(restored('COMPLETED', stop('ABORT')), [])],
    ['STOPPED', historic(shifted(stop('ABORT'), { rolloutState: 'FAILED' }))],
    ['ROLLBACK_FAILED', historic(shifted(stop('ROLLBACK'), { rolloutState: 'FAILED' }))],
    ['STOP_REQUESTED', historic({ ...green, id: 'ecs-svc/3' }, [shifted({ rollback }, { status: 'ACTIVE' }), blue])],
    ['STOPPED', historic({ ...green, id: 'ecs-svc/3' }, [blue])],
  ])('is %s', (status, of) => {
    expect(statusOf(of)).toBe(status);
    const view = serviceDeploymentView(ports, ref, of, counts as never);
    expect(view.finishedAt === undefined).toBe(/_REQUESTED$|IN_PROGRESS$/.test(status));
  });

  test.each([
    ['TRIGGERED', {}],
    ['MONITORING_COMPLETE', stop('ROLLBACK')],
    ['MONITORING_COMPLETE', stop('ABORT')],
  ] as const)('that went back says %s of its circuit breaker, which no person trips', (status, of) => {
    const { row, service } = historic(restored('COMPLETED', of), []);
    const watched = { ...row, configuration: { ...configuration, circuitBreaker: breaker(true) } };
    const view = serviceDeploymentView(ports, ref, { service, row: watched }, counts as never);
    expect(view.deploymentCircuitBreaker?.status).toBe(status);
  });

  test('tells where it goes back to, since when and why, while it does and afterwards', () => {
    const back = {
      reason: 'the hook failed',
      startedAt: new Date(2500),
      serviceRevisionArn: arn('service-revision/prod/web/1'),
    };
    for (const of of [historic(shifted({ rollback })), historic(restored('COMPLETED', {}), [])]) {
      const view = serviceDeploymentView(ports, ref, of, counts as never);
      expect(view.rollback).toEqual(back);
      expect(view.lifecycleStage).toBe('PRE_PRODUCTION_TRAFFIC_SHIFT');
    }
  });

  test('resolves the group that its own tasks are in', () => {
    expect(revisionView(ports, ref, historic(green)).resolvedConfiguration).toEqual({
      loadBalancers: [{ targetGroupArn: 'green', productionListenerRule: 'rule' }],
    });
  });

  const idle = { ...shifting, runs: [] };
  const openJudgement = (step: number): NonNullable<Shifting['judged']>[number] => ({
    step,
    percent: 12.5,
    verdict: 'open',
    compared: [
      { what: 'failed', own: { requests: 10, bad: 1 }, other: { requests: 90, bad: 0 }, verdict: 'open', needs: 900 },
    ],
    at: 2_000,
  });
  test.each<readonly [Shifting, string]>([
    [{ ...idle, stage: 'RECONCILE_SERVICE' }, 'waits until what was deployed before is at rest.'],
    [{ ...idle, stage: 'SCALE_UP' }, 'waits until all tasks of the new revision are healthy.'],
    [{ ...idle, stage: 'BAKE_TIME' }, 'both revisions run until 1970-01-01T00:05:02.000Z.'],
    [{ ...idle, stage: 'CLEAN_UP' }, 'tasks of the old revision end.'],
    [{ ...idle, stage: 'PRODUCTION_TRAFFIC_SHIFT' }, 'stays there until 1970-01-01T00:10:02.000Z.'],
    [
      { ...idle, stage: 'PRODUCTION_TRAFFIC_SHIFT', judged: [openJudgement(idle.step)] },
      'stays there until 1970-01-01T00:10:02.000Z, and until there is a verdict. So far: 1 of 10 (10 %) requests of the new revision failed, 0 of 90 (0 %) of the old one, of about 900 requests of the new one that it takes.',
    ],
    [
      { ...idle, stage: 'PRODUCTION_TRAFFIC_SHIFT', wanted: { production: 100, test: 100 } },
      'waits until engines have acknowledged 100 % of production and 100 % of test traffic (now 12.5 % and 100 %).',
    ],
    [
      {
        ...shifting,
        hooks: shifting.hooks.map((hook) => ({
          ...hook,
          target: { type: 'webhook', url: 'https://ci.example.com/check?token=hidden' },
        })),
      },
      'waits for webhook https://ci.example.com/check (hook run-1), ',
    ],
    [{ ...idle, ...stop('ROLLBACK') }, 'is to go back, as ann asked.'],
    [{ ...idle, rollback }, 'Goes back to the old revision (the hook failed): its own tasks end.'],
  ])('says what it waits for', (of, sentence) => {
    expect(waitOf(of)).toContain(sentence);
  });
});
