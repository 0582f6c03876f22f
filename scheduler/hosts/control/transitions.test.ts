import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { TaskRecord } from '../../state/index.ts';

import {
  applyHealth,
  applyOneContainer,
  applyTaskChange,
  deprovisioned,
  giveUp,
  type TaskChange,
  withIsolation,
} from './transitions.ts';

const created = 1_000_000;

function pending(more: Partial<TaskRecord> = {}): TaskRecord {
  const container = (name: string, essential: boolean): TaskRecord['containers'][number] => ({
    name,
    image: 'web',
    essential,
    checksHealth: true,
    lastStatus: 'PENDING',
    healthStatus: 'UNKNOWN',
    networkBindings: [],
  });
  return {
    id: 'a',
    arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/a',
    taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:1',
    group: 'family:web',
    reservation: { cpu: 0, memory: 0, tcpPorts: [], udpPorts: [], gpus: 0 },
    desiredStatus: 'RUNNING',
    lastStatus: 'PENDING',
    healthStatus: 'UNKNOWN',
    containers: [container('main', true), container('side', false)],
    launchType: 'EC2',
    createdAt: created,
    tags: {},
    enableExecuteCommand: false,
    version: 1,
    ...more,
  };
}

const statuses = ['PENDING', 'RUNNING', 'STOPPED'] as const;
const rank = (status: string): number =>
  ['PROVISIONING', 'PENDING', 'ACTIVATING', 'RUNNING', 'DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED'].indexOf(
    status,
  );

const anyContainer = fc.record(
  {
    name: fc.constantFrom('main', 'side', 'stranger'),
    status: fc.constantFrom(...statuses),
    exitCode: fc.integer({ min: 0, max: 255 }),
    imageDigest: fc.constantFrom('sha256:a', 'sha256:b'),
    reason: fc.string({ maxLength: 2000 }),
  },
  { requiredKeys: ['name', 'status'] },
);

const anyChange: fc.Arbitrary<TaskChange> = fc.record(
  {
    status: fc.constantFrom(...statuses),
    containers: fc.array(anyContainer, { maxLength: 3 }),
    reason: fc.string(),
    pullStartedAt: fc.integer(),
    pullStoppedAt: fc.integer(),
    executionStoppedAt: fc.integer(),
  },
  { requiredKeys: ['status', 'containers'] },
);

/** What an agent says of a life of a task, in order. */
const life: readonly TaskChange[] = [
  { status: 'PENDING', pullStartedAt: created + 1, pullStoppedAt: created + 2, containers: [] },
  {
    status: 'RUNNING',
    pullStartedAt: created + 1,
    pullStoppedAt: created + 2,
    containers: [
      {
        name: 'main',
        status: 'RUNNING',
        imageDigest: 'sha256:a',
        runtimeId: 'x',
        networkBindings: [{ bindIP: '0.0.0.0', containerPort: 80, hostPort: 32768, protocol: 'tcp' }],
      },
      { name: 'side', status: 'RUNNING', imageDigest: 'sha256:b', runtimeId: 'y' },
    ],
  },
  {
    status: 'STOPPED',
    pullStartedAt: created + 1,
    pullStoppedAt: created + 2,
    executionStoppedAt: created + 9,
    containers: [
      { name: 'main', status: 'STOPPED', imageDigest: 'sha256:a', runtimeId: 'x', exitCode: 3 },
      { name: 'side', status: 'STOPPED', imageDigest: 'sha256:b', runtimeId: 'y', exitCode: 0 },
    ],
  },
];

describe('reports about a task', () => {
  test('G7: never move a status back, whatever their order and content', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 12 }), (changes) => {
        let task = pending();
        for (const [index, change] of changes.entries()) {
          const now = created + 10 + index;
          const next = applyTaskChange(task, change, now);
          if (next === undefined) continue;
          expect(rank(next.lastStatus)).toBeGreaterThanOrEqual(rank(task.lastStatus));
          expect(task.lastStatus).not.toBe('STOPPED');
          expect(next.version).toBe(task.version + 1);
          for (const [at, container] of next.containers.entries()) {
            expect(rank(container.lastStatus)).toBeGreaterThanOrEqual(rank(task.containers[at]?.lastStatus ?? ''));
            expect(container.reason?.length ?? 0).toBeLessThanOrEqual(1024);
          }
          for (const time of [next.pullStartedAt, next.pullStoppedAt, next.executionStoppedAt, next.startedAt]) {
            expect(time ?? created).toBeGreaterThanOrEqual(created);
            expect(time ?? created).toBeLessThanOrEqual(now);
          }
          expect(next.containers.map(({ name }) => name)).toEqual(['main', 'side']);
          task = next;
        }
      }),
    );
  });

  test('change nothing the second time', () => {
    fc.assert(
      fc.property(anyChange, fc.nat(100), (change, later) => {
        const once = applyTaskChange(pending(), change, created + 10) ?? pending();
        expect(applyTaskChange(once, change, created + 10 + later)).toBeUndefined();
      }),
    );
  });

  test('end in the same state in any order, with duplicates', () => {
    const order = fc.array(fc.nat(life.length - 1), { maxLength: 10 });
    fc.assert(
      fc.property(order, (picks) => {
        let task = pending();
        for (const pick of [...picks, 0, 1, 2]) {
          const change = life[pick];
          if (change !== undefined) task = applyTaskChange(task, change, created + 100) ?? task;
        }
        expect(task).toMatchObject({
          desiredStatus: 'STOPPED',
          lastStatus: 'STOPPED',
          stopCode: 'EssentialContainerExited',
          stoppedReason: 'Essential container in task exited',
          pullStartedAt: created + 1,
          executionStoppedAt: created + 9,
          stoppedAt: created + 100,
        });
        expect(task.containers.map(({ exitCode, imageDigest }) => ({ exitCode, imageDigest }))).toEqual([
          { exitCode: 3, imageDigest: 'sha256:a' },
          { exitCode: 0, imageDigest: 'sha256:b' },
        ]);
      }),
    );
  });

  test('a task that stops without having run failed to start, with the reason of its container', () => {
    const reason = 'CannotPullContainerError: no';
    const task = applyTaskChange(
      pending(),
      { status: 'STOPPED', containers: [{ name: 'main', status: 'STOPPED', reason }] },
      created + 5,
    );
    expect(task).toMatchObject({ stopCode: 'TaskFailedToStart', stoppedReason: reason, stoppedAt: created + 5 });
    expect(task?.startedAt).toBeUndefined();
  });

  test('what the control plane wrote about the stop stays', () => {
    const stopping = pending({
      lastStatus: 'RUNNING',
      startedAt: created + 3,
      desiredStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'enough',
      stoppingAt: created + 4,
    });
    const task = applyTaskChange(stopping, { status: 'STOPPED', reason: 'gone', containers: [] }, created + 8);
    expect(task).toMatchObject({ stopCode: 'UserInitiated', stoppedReason: 'enough', stoppingAt: created + 4 });
  });

  test('a report about one container leaves the task where it is', () => {
    const running = pending({ lastStatus: 'RUNNING' });
    const task = applyOneContainer(running, { name: 'side', status: 'STOPPED', exitCode: 1 });
    expect(task?.lastStatus).toBe('RUNNING');
    expect(task?.containers[1]).toMatchObject({ lastStatus: 'STOPPED', exitCode: 1 });
  });
});

describe('health', () => {
  test('follows the essential containers only', () => {
    const task = pending({ lastStatus: 'RUNNING' });
    const healthy = applyHealth(
      task,
      new Map([
        ['main', 'HEALTHY'],
        ['side', 'UNHEALTHY'],
      ] as const),
    );
    expect(healthy?.healthStatus).toBe('HEALTHY');
    expect(applyHealth(healthy ?? task, new Map([['main', 'HEALTHY']] as const))).toBeUndefined();
    expect(applyHealth(healthy ?? task, new Map([['main', 'UNHEALTHY']] as const))?.healthStatus).toBe('UNHEALTHY');
  });

  test('of a container without a check is not believed', () => {
    const task = pending({
      containers: pending().containers.map((container) => ({ ...container, checksHealth: false })),
    });
    expect(applyHealth(task, new Map([['main', 'UNHEALTHY']] as const))).toBeUndefined();
  });
});

describe('a task with a network interface', () => {
  const attached = (more: Partial<TaskRecord> = {}): TaskRecord =>
    pending({ attachment: { networkInterface: 'eni-1' } as TaskRecord['attachment'] & object, ...more });
  const end: TaskChange = { status: 'STOPPED', containers: [{ name: 'main', status: 'STOPPED', exitCode: 3 }] };

  test('is DEPROVISIONING from the end of its containers until the interface is given back', () => {
    const over = applyTaskChange(attached({ lastStatus: 'RUNNING', startedAt: created + 1 }), end, created + 10);
    expect(over).toMatchObject({
      lastStatus: 'DEPROVISIONING',
      desiredStatus: 'STOPPED',
      stopCode: 'EssentialContainerExited',
      executionStoppedAt: created + 10,
    });
    expect(over?.stoppedAt).toBeUndefined();
    // The agent says it again, and late words of it change nothing.
    expect(applyTaskChange(over ?? pending(), end, created + 11)).toBeUndefined();
    expect(applyTaskChange(over ?? pending(), { status: 'RUNNING', containers: [] }, created + 11)).toBeUndefined();
    expect(deprovisioned(over ?? pending(), created + 12)).toMatchObject({
      lastStatus: 'STOPPED',
      stoppedAt: created + 12,
    });
    expect(deprovisioned(attached({ lastStatus: 'RUNNING' }), created + 12)).toBeUndefined();
  });

  test('that cannot be described any more is over only when its agent says so', () => {
    const told = giveUp(attached(), 'the role is gone', created + 5);
    expect(told).toMatchObject({
      lastStatus: 'PENDING',
      desiredStatus: 'STOPPED',
      stopCode: 'TaskFailedToStart',
      stoppedReason: 'the role is gone',
    });
    expect(giveUp(told ?? pending(), 'the role is gone', created + 6)).toBeUndefined();
    expect(giveUp(pending(), 'the role is gone', created + 5)).toMatchObject({ lastStatus: 'STOPPED' });
  });
});

test('what isolates a task is what its host said when the first container was made', () => {
  const by = (value: string) => ({ attributes: [{ name: 'slipway.isolation', value }] });
  const task = pending({ launchType: 'FARGATE' });
  const made = { ...task, containers: task.containers.map((container) => ({ ...container, runtimeId: 'x' })) };
  expect(withIsolation(task, made, by('runsc')).isolation).toBe('runsc');
  expect(withIsolation(task, task, by('runsc'))).toBe(task);
  expect(withIsolation(made, made, by('runsc'))).toBe(made);
  expect(withIsolation(task, made, by('none'))).toBe(made);
  const other = { ...made, launchType: 'EC2' as const };
  expect(withIsolation(task, other, by('runsc'))).toBe(other);
});
