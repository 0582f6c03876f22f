import * as sdk from '@aws-sdk/client-ecs';
import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { describe, expect, test } from 'vitest';

import type { EcsPorts } from '../cluster/index.ts';
import type { DeploymentRecord, HookRun, ServiceRecord, Shifting, ShiftStrategy } from '../state/index.ts';
import { briefView, type Historic, revisionView, serviceDeploymentView, statusOf } from './history-view.ts';

/**
 * Answers about deployments beside those that the API reference and the AWS CLI's reference show (DescribeServiceDeployments with two
 * examples and the CLI's, ListServiceDeployments, DescribeServiceRevisions): every member that those have is there with its type, and no
 * member, type or word that the SDK's model has not, for every strategy in every state.
 */
type Schema = NonNullable<OperationModel['output']>;

const ports = { region: 'us-east-1' } as EcsPorts;
const ref = { account: '123456789012', cluster: 'example', service: 'web' };
const counts = (): never => ({ desired: 2, running: 2, pending: 0 }) as never;

/** What examples show of a member: its type, or its members in turn; the one element of a list stands for all. */
type Shape = 'text' | 'number' | 'time' | 'flag' | readonly Shape[] | { readonly [member: string]: Shape };

const revision = {
  arn: 'text',
  requestedTaskCount: 'number',
  runningTaskCount: 'number',
  pendingTaskCount: 'number',
} as const;
const names = { serviceDeploymentArn: 'text', serviceArn: 'text', clusterArn: 'text', status: 'text' } as const;
const bounds = { maximumPercent: 'number', minimumHealthyPercent: 'number' } as const;
const breaker = { status: 'text', failureCount: 'number', threshold: 'number' } as const;

/** Of a rolling deployment that is begun: the first example. */
const begun: Shape = {
  ...names,
  updatedAt: 'time',
  targetServiceRevision: revision,
  deploymentConfiguration: { ...bounds, deploymentCircuitBreaker: { enable: 'flag', rollback: 'flag' } },
};
/** Of one that has ended well: the CLI's example. */
const ended: Shape = {
  ...begun,
  createdAt: 'time',
  startedAt: 'time',
  finishedAt: 'time',
  sourceServiceRevisions: [],
  deploymentCircuitBreaker: breaker,
  alarms: { status: 'text' },
};
/** Of one that waits at a hook: the second example. */
const paused: Shape = {
  ...names,
  updatedAt: 'time',
  targetServiceRevision: revision,
  deploymentConfiguration: {
    ...bounds,
    strategy: 'text',
    lifecycleHooks: [
      {
        targetType: 'text',
        lifecycleStages: ['text'],
        timeoutConfiguration: { timeoutInMinutes: 'number', action: 'text' },
      },
    ],
  },
  lifecycleHookDetails: [
    { hookId: 'text', targetType: 'text', status: 'text', expiresAt: 'time', timeoutAction: 'text' },
  ],
};
const brief: Shape = { ...names, createdAt: 'time', startedAt: 'time', targetServiceRevisionArn: 'text' };
const revised: Shape = {
  serviceRevisionArn: 'text',
  serviceArn: 'text',
  clusterArn: 'text',
  taskDefinition: 'text',
  launchType: 'text',
  containerImages: [{ containerName: 'text', imageDigest: 'text', image: 'text' }],
  guardDutyEnabled: 'flag',
  createdAt: 'time',
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
const typeOf = (value: unknown): string =>
  value instanceof Date
    ? 'time'
    : (({ string: 'text', number: 'number', boolean: 'flag' } as Record<string, string>)[typeof value] ?? typeof value);

/** Where a value lacks what a shape has. */
function lacks(shape: Shape, value: unknown, path: string): string[] {
  if (typeof shape === 'string') return typeOf(value) === shape ? [] : [`${path} is ${typeOf(value)}, not ${shape}`];
  if (Array.isArray(shape)) {
    const [element] = shape as readonly Shape[];
    if (!Array.isArray(value)) return [`${path} is no list`];
    if (element === undefined) return [];
    return value.length === 0 ? [`${path} is empty`] : value.flatMap((one, i) => lacks(element, one, `${path}[${i}]`));
  }
  if (!isRecord(value)) return [`${path} has no members`];
  return Object.entries(shape).flatMap(([name, of]) => lacks(of as Shape, value[name], `${path}.${name}`));
}

/** Words of members that are enumerations in the model, which its schemas do not carry. */
const words: Readonly<Record<string, readonly string[]>> = {
  'serviceDeployments[].status': Object.values(sdk.ServiceDeploymentStatus),
  // The model's enumeration lacks PRE_PRODUCTION_TRAFFIC_SHIFT, which the reference names as a stage.
  'serviceDeployments[].lifecycleStage': [
    ...Object.values(sdk.ServiceDeploymentLifecycleStage),
    'PRE_PRODUCTION_TRAFFIC_SHIFT',
  ],
  'serviceDeployments[].deploymentCircuitBreaker.status': Object.values(sdk.ServiceDeploymentRollbackMonitorsStatus),
  'serviceDeployments[].alarms.status': Object.values(sdk.ServiceDeploymentRollbackMonitorsStatus),
  'serviceDeployments[].deploymentConfiguration.strategy': Object.values(sdk.DeploymentStrategy),
};

/** Where a value has what the model has not. */
function strays(schema: Schema, value: unknown, path = ''): string[] {
  if (value === undefined) return [];
  if (schema.isListSchema())
    return Array.isArray(value)
      ? value.flatMap((one) => strays(schema.getValueSchema(), one, `${path}[]`))
      : [`${path} is no list`];
  if (schema.isStructSchema()) {
    if (!isRecord(value)) return [`${path} has no members`];
    const members = new Map(schema.structIterator());
    return Object.entries(value).flatMap(([name, of]) => {
      const member = members.get(name);
      const at = path === '' ? name : `${path}.${name}`;
      return member === undefined ? (of === undefined ? [] : [`${at} is not in the model`]) : strays(member, of, at);
    });
  }
  const allowed = words[path];
  if (allowed !== undefined && typeof value === 'string' && !allowed.includes(value)) return [`${path} is ${value}`];
  const is = schema.isTimestampSchema()
    ? 'time'
    : schema.isNumericSchema()
      ? 'number'
      : schema.isBooleanSchema()
        ? 'flag'
        : schema.isStringSchema()
          ? 'text'
          : undefined;
  return is === undefined || typeOf(value) === is ? [] : [`${path} is ${typeOf(value)}, not ${is}`];
}

const outputOf = (operation: string): Schema => {
  const model = modelOf(sdk as never).operations.get(operation);
  if (model?.output === undefined) throw new Error(`the model has no ${operation}`);
  return model.output;
};

const strategies: Readonly<Record<string, ShiftStrategy | undefined>> = {
  ROLLING: undefined,
  BLUE_GREEN: { type: 'BLUE_GREEN' },
  LINEAR: { type: 'LINEAR', stepPercent: 20, stepBakeTimeInMinutes: 5 },
  CANARY: { type: 'CANARY', canaryPercent: 10, canaryBakeTimeInMinutes: 10 },
};

const run: HookRun = {
  id: 'run-1',
  hook: 0,
  stage: 'POST_SCALE_UP',
  step: 0,
  isRollback: false,
  status: 'AWAITING_ACTION',
  startedAt: 2000,
};
const shiftingBy = (strategy: ShiftStrategy): Shifting => ({
  strategy,
  bakeTimeInMinutes: 5,
  hooks: [{ target: { type: 'pause' }, stages: ['POST_SCALE_UP'], timeoutInMinutes: 60, onTimeout: 'ROLLBACK' }],
  stage: 'POST_SCALE_UP',
  stageSince: 2000,
  step: 0,
  wanted: { production: 0, test: 0 },
  sequence: 1,
  live: { production: 0, test: 0, since: 1000 },
  runs: [run],
});

const image = `example.com/web:1@sha256:${'0'.repeat(64)}`;
const base = {
  taskDefinition: 'arn:aws:ecs:us-east-1:123456789012:task-definition/web:2',
  rolloutStateReason: 'ECS deployment ecs-svc/2 in progress.',
  failedTasks: 0,
  everRunning: true,
  createdAt: 500,
  updatedAt: 2000,
  cause: { kind: 'api' },
  images: { main: image },
} as const;
const old: DeploymentRecord = {
  ...base,
  id: 'ecs-svc/1',
  status: 'ACTIVE',
  rolloutState: 'COMPLETED',
  completedAt: 100,
};

/** A deployment by a strategy, in each state that it may be in. */
function statesOf(strategy: ShiftStrategy | undefined): Readonly<Record<string, Historic>> {
  const shifting = strategy === undefined ? undefined : shiftingBy(strategy);
  const loadBalancers = [
    {
      targetGroupArn: 'blue',
      containerName: 'main',
      containerPort: 80,
      ...(strategy === undefined
        ? {}
        : { advanced: { alternateTargetGroupArn: 'green', productionListenerRule: 'rule', roleArn: 'role' } }),
    },
  ];
  const own: DeploymentRecord = {
    ...base,
    id: 'ecs-svc/2',
    status: 'PRIMARY',
    rolloutState: 'IN_PROGRESS',
    loadBalancers,
    replaces: [old.id],
    ...(shifting === undefined ? {} : { shifting }),
  };
  const state = (deployments: readonly DeploymentRecord[]): Historic => ({
    row: {
      deployment: own,
      configuration: {
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        circuitBreaker: {
          enable: true,
          rollback: true,
          resetOnHealthyTask: true,
          threshold: { type: 'COUNT', value: 3 },
        },
        ...(shifting === undefined
          ? {}
          : { strategy: shifting.strategy, bakeTimeInMinutes: 5, lifecycleHooks: shifting.hooks }),
      },
      desiredCount: 2,
      seenAt: 3000,
    },
    service: { status: 'ACTIVE', launchType: 'EC2', deployments } as unknown as ServiceRecord,
  });
  const stopped = (type: 'ROLLBACK' | 'ABORT'): DeploymentRecord => {
    const stop = { type, at: 2200, by: 'ann' };
    return shifting === undefined ? { ...own, stop } : { ...own, shifting: { ...shifting, stop } };
  };
  /** The old revision, put back. */
  const restored = (rolloutState: DeploymentRecord['rolloutState'], type?: 'ABORT'): DeploymentRecord => {
    const stop = type === undefined ? {} : { stop: { type, at: 2200, by: 'ann' } };
    const back = { reason: 'too many tasks failed', at: 2500, verdict: 'failed' } as const;
    return {
      ...old,
      status: 'PRIMARY',
      rolloutState,
      cause: {
        kind: 'rollback',
        detail: back.reason,
        failed: {
          id: own.id,
          failedTasks: 3,
          rolloutState: 'FAILED',
          rolloutStateReason: back.reason,
          updatedAt: 2600,
          ...(shifting === undefined ? stop : { shifting: { ...shifting, rollback: back, ...stop } }),
        },
      },
    };
  };
  return {
    IN_PROGRESS: state([own, old]),
    SUCCESSFUL: state([{ ...own, rolloutState: 'COMPLETED', completedAt: 2500 }]),
    STOP_REQUESTED: state([stopped('ABORT'), old]),
    STOPPED: state([restored('COMPLETED', 'ABORT')]),
    ROLLBACK_REQUESTED: state([stopped('ROLLBACK'), old]),
    ROLLBACK_IN_PROGRESS: state([restored('IN_PROGRESS')]),
    ROLLBACK_SUCCESSFUL: state([restored('COMPLETED')]),
    ROLLBACK_FAILED: state([restored('FAILED')]),
  };
}

describe.each(Object.keys(strategies))('a deployment by %s', (name) => {
  const strategy = strategies[name];
  const states = statesOf(strategy);

  test.each(Object.keys(states))('that is %s is described as documented', (status) => {
    const historic = states[status] as Historic;
    expect(statusOf(historic)).toBe(status);
    const view = serviceDeploymentView(ports, ref, historic, counts);
    const isOver = !/_REQUESTED$|IN_PROGRESS$/.test(status);
    const shapes: Shape[] = [begun, strategy === undefined ? {} : paused];
    if (isOver) shapes.push(ended);
    if (status === 'STOPPED') shapes.push({ stoppedAt: 'time' });
    if (status.startsWith('ROLLBACK_') && status !== 'ROLLBACK_REQUESTED')
      shapes.push({ rollback: { reason: 'text', startedAt: 'time', serviceRevisionArn: 'text' } });
    if (strategy !== undefined)
      shapes.push({
        lifecycleStage: 'text',
        targetServiceRevision: { requestedProductionTrafficWeight: 'number', requestedTestTrafficWeight: 'number' },
        sourceServiceRevisions: [
          { ...revision, requestedProductionTrafficWeight: 'number', requestedTestTrafficWeight: 'number' },
        ],
      });
    expect(shapes.flatMap((shape) => lacks(shape, view, 'serviceDeployment'))).toEqual([]);
    const answer = { serviceDeployments: [view], failures: [] };
    expect(strays(outputOf('DescribeServiceDeployments'), answer)).toEqual([]);
    // What is not so has no member that says it.
    const has = (member: keyof sdk.ServiceDeployment): boolean => view[member] !== undefined;
    expect({ finished: has('finishedAt'), stopped: has('stoppedAt') }).toEqual({
      finished: isOver,
      stopped: status === 'STOPPED',
    });
    expect(has('lifecycleStage')).toBe(strategy !== undefined);
    // Nobody named alarms.
    expect(view.alarms).toEqual({ status: 'DISABLED' });
  });

  test.each(Object.keys(states))('that is %s is listed, and its revision described, as documented', (status) => {
    const historic = states[status] as Historic;
    const listed = briefView(ports, ref, historic);
    const described = revisionView(ports, ref, historic);
    expect([...lacks(brief, listed, 'brief'), ...lacks(revised, described, 'revision')]).toEqual([]);
    expect(strays(outputOf('ListServiceDeployments'), { serviceDeployments: [listed] })).toEqual([]);
    expect(strays(outputOf('DescribeServiceRevisions'), { serviceRevisions: [described], failures: [] })).toEqual([]);
  });
});

test('the check finds what is missing, what is too much, and words that the model has not', () => {
  const schema = outputOf('DescribeServiceDeployments');
  const wrong = { serviceDeployments: [{ status: 'DONE', weight: 1, createdAt: 5, rollback: 'yes' }] };
  expect(strays(schema, wrong)).toEqual([
    'serviceDeployments[].status is DONE',
    'serviceDeployments[].weight is not in the model',
    'serviceDeployments[].createdAt is number, not time',
    'serviceDeployments[].rollback has no members',
  ]);
  expect(lacks({ a: 'text', b: [{ c: 'number' }], d: ['text'] }, { a: 1, b: [{}], d: [] }, 'x')).toEqual([
    'x.a is number, not text',
    'x.b[0].c is undefined, not number',
    'x.d is empty',
  ]);
});
