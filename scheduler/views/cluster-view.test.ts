import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { createPlacementIndex } from '../placement/index.ts';
import type { InstanceRecord, TaskRecord } from '../state/index.ts';
import { clusterKeys, toJson } from '../state/index.ts';
import { ClusterView } from './cluster-view.ts';
import { instanceRecord } from './testing/instance-record.ts';

const memory = 100;

const instance = (id: string, status: InstanceRecord['status'], agentConnected = true): InstanceRecord =>
  instanceRecord({
    id,
    arn: id,
    status,
    agentConnected,
    cpu: 1000,
    memory,
    attributes: [{ name: 'ecs.availability-zone', value: agentConnected ? 'za' : 'zb' }],
  });

const task = (id: string, instanceId: string, desired: 'RUNNING' | 'STOPPED', stopped: boolean): TaskRecord => ({
  id,
  arn: id,
  taskDefinition: '',
  group: 'service:web',
  service: { name: 'web', deploymentId: 'd' },
  instanceId,
  reservation: { cpu: 0, memory: 10, tcpPorts: [], udpPorts: [], gpus: 0 },
  desiredStatus: desired,
  lastStatus: stopped ? 'STOPPED' : 'RUNNING',
  healthStatus: 'UNKNOWN',
  containers: [],
  launchType: 'EC2',
  createdAt: 0,
  tags: {},
  enableExecuteCommand: false,
  version: 1,
});

/** What a view reads of a service. */
const service = (name: string, rolloutState: string, unplaceable: boolean): object => ({
  name,
  status: rolloutState === 'deleted' ? 'DRAINING' : 'ACTIVE',
  deployments: [
    { id: 'new', status: 'PRIMARY', rolloutState, ...(unplaceable ? { unplaceable: { code: 'RESOURCE:CPU' } } : {}) },
    { id: 'old', status: 'ACTIVE', rolloutState: 'COMPLETED' },
  ],
});

type Row = { readonly key: string; readonly value: object | undefined };

const row: fc.Arbitrary<Row> = fc.oneof(
  fc
    .record({
      id: fc.constantFrom('i1', 'i2'),
      status: fc.constantFrom('ACTIVE', 'DRAINING', 'INACTIVE', 'gone'),
      connected: fc.boolean(),
    })
    .map(({ id, status, connected }) => ({
      key: clusterKeys.instance(id),
      value: status === 'gone' ? undefined : instance(id, status as InstanceRecord['status'], connected),
    })),
  fc
    .record({
      id: fc.constantFrom('web', 'api'),
      rollout: fc.constantFrom('IN_PROGRESS', 'COMPLETED', 'FAILED', 'deleted', 'gone'),
      unplaceable: fc.boolean(),
    })
    .map(({ id, rollout, unplaceable }) => ({
      key: clusterKeys.service(id),
      value: rollout === 'gone' ? undefined : service(id, rollout, unplaceable),
    })),
  fc
    .record({
      id: fc.constantFrom('t1', 't2', 't3', 't4'),
      on: fc.constantFrom('i1', 'i2'),
      state: fc.constantFrom('wanted', 'stopping', 'stopped', 'gone'),
    })
    .map(({ id, on, state }) => ({
      key: clusterKeys.task(id),
      value:
        state === 'gone' ? undefined : task(id, on, state === 'wanted' ? 'RUNNING' : 'STOPPED', state === 'stopped'),
    })),
);

const fresh = (): ClusterView => new ClusterView('a', 'c', createPlacementIndex({ seed: 1 }), () => 0);

/** How many more tasks of 10 MiB the index says fit on each instance. */
function room(view: ClusterView): Record<string, number> {
  return Object.fromEntries(
    ['i1', 'i2'].map((id) => {
      const fits = Array.from({ length: memory / 10 }, (_, index) => index + 1).filter(
        (count) =>
          view.index.whyNot(id, {
            group: 'x',
            shape: { cpu: 0, memory: 10 * count, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
            constraints: [],
            strategies: [],
            kind: 'standalone',
          }) === undefined,
      );
      return [id, fits.length];
    }),
  );
}

/** The numbers that a view keeps. */
const counted = ({ census }: ClusterView): object => ({
  tasks: ['RUNNING', 'STOPPED'].map((status) => census.tasks.of(status as 'RUNNING')),
  agents: [census.agents.of('connected'), census.agents.of('disconnected')],
  rollouts: ['IN_PROGRESS', 'COMPLETED', 'FAILED'].map((state) => census.rollouts.of(state as 'FAILED')),
  unplaceable: census.unplaceable.of('service'),
  zones: [...census.zones.present].toSorted(),
});

/** The same, from every row. */
function recounted(view: ClusterView): object {
  const tasks = [...view.tasks.values()].map(({ value }) => value.lastStatus);
  const agents = [...view.instances.values()].flatMap(({ value }) =>
    value.status === 'INACTIVE' ? [] : [value.agentConnected],
  );
  const zones = [...view.instances.values()].flatMap(({ value }) =>
    value.status === 'INACTIVE' ? [] : value.attributes.map((attribute) => attribute.value ?? ''),
  );
  const services = [...view.services.values()].map(({ value }) => value);
  const newest = services.flatMap(
    ({ status, deployments }) => (status === 'ACTIVE' ? deployments[0] : undefined) ?? [],
  );
  const count = <T>(items: readonly T[], wanted: T): number => items.filter((item) => item === wanted).length;
  return {
    tasks: [count(tasks, 'RUNNING'), count(tasks, 'STOPPED')],
    agents: [count(agents, true), count(agents, false)],
    rollouts: (['IN_PROGRESS', 'COMPLETED', 'FAILED'] as const).map((state) =>
      count(
        newest.map(({ rolloutState }) => rolloutState),
        state,
      ),
    ),
    unplaceable: services.filter(({ deployments }) => deployments.some((one) => one.unplaceable !== undefined)).length,
    zones: [...new Set(zones)].toSorted(),
  };
}

test('a view that followed every change knows what one that reads the outcome knows, though changes come twice or late', () => {
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 60, size: 'max' }),
      fc.array(fc.nat(), { maxLength: 20, size: 'max' }),
      (rows, again) => {
        const followed = fresh();
        const outcome = new Map<string, { value: object | undefined; version: number }>();
        const apply = (view: ClusterView, { key, value }: Row, version: number): void => {
          view.apply([
            value === undefined
              ? { kind: 'removed', key, version }
              : { kind: 'put', key, value: toJson(value), version },
          ]);
        };
        for (const [index, one] of rows.entries()) {
          apply(followed, one, index + 1);
          outcome.set(one.key, { value: one.value, version: index + 1 });
          // An older state of a row that is still there must not come back.
          const late = again[index];
          const old = late === undefined ? undefined : rows[late % (index + 1)];
          if (late !== undefined && old !== undefined && outcome.get(old.key)?.value !== undefined)
            apply(followed, old, (late % (index + 1)) + 1);
        }
        const read = fresh();
        for (const [key, { value, version }] of outcome) apply(read, { key, value }, version);
        expect([...followed.tasks.keys()].toSorted()).toEqual([...read.tasks.keys()].toSorted());
        expect([...followed.instances.keys()].toSorted()).toEqual([...read.instances.keys()].toSorted());
        expect(new Set(followed.tasksOfService('web').map(({ id }) => id))).toEqual(
          new Set(read.tasksOfService('web').map(({ id }) => id)),
        );
        expect(room(followed)).toEqual(room(read));
        expect(counted(followed)).toEqual(recounted(followed));
        expect(counted(read)).toEqual(recounted(read));
      },
    ),
  );
});

const put = (view: ClusterView, value: TaskRecord, version: number): void =>
  view.apply([{ kind: 'put', key: clusterKeys.task(value.id), value: toJson(value), version }]);

const listOf = (...rows: readonly (readonly [TaskRecord, number])[]) =>
  new Map(
    rows.map(([value, version]) => {
      const key = clusterKeys.task(value.id);
      return [key, { key, value: toJson(value), version }];
    }),
  );

test('a fresh list takes nothing back that was committed while it was read', () => {
  const view = fresh();
  put(view, task('t1', 'i1', 'STOPPED', false), 12);
  put(view, task('t2', 'i1', 'RUNNING', false), 12);
  // The list began at version 10: it shows t1 as it was, and not yet t2.
  view.replace(listOf([task('t1', 'i1', 'RUNNING', false), 9]), 10, false);
  expect(view.tasks.get('t1')?.value.desiredStatus).toBe('STOPPED');
  expect(view.tasks.has('t2')).toBe(true);
});

test('rows that a failover took away go, and those that it set back count as they are now', () => {
  const view = fresh();
  for (const id of ['t1', 't2']) put(view, task(id, 'i1', 'STOPPED', true), 20);
  expect(view.newest).toBe(20);
  view.replace(listOf([task('t1', 'i1', 'RUNNING', false), 15]), 16, true);
  expect(view.tasks.get('t1')).toMatchObject({ version: 15, value: { desiredStatus: 'RUNNING' } });
  expect(view.tasks.has('t2')).toBe(false);
  expect(view.newest).toBe(15);
  expect(counted(view)).toEqual(recounted(view));
});

test('a row that a list shows in an older version than it must was set back, also when nobody said so', () => {
  const view = fresh();
  put(view, task('t1', 'i1', 'STOPPED', true), 20);
  view.replace(listOf([task('t1', 'i1', 'RUNNING', false), 15]), 30, false);
  expect(view.tasks.get('t1')?.value.desiredStatus).toBe('RUNNING');
});

test('a version that was given out again stands for what the list says', () => {
  const view = fresh();
  put(view, task('t1', 'i1', 'STOPPED', true), 20);
  view.replace(listOf([task('t1', 'i1', 'RUNNING', false), 20]), 25, false);
  expect(view.tasks.get('t1')?.value.desiredStatus).toBe('RUNNING');
});

test('who watches an instance is told of it and its tasks alone, and only when everything of a step is there', () => {
  const view = fresh();
  const seen: string[] = [];
  const look = (id: string) => (): void => {
    const host = view.instances.get(id)?.value.status ?? 'gone';
    seen.push(
      `${id} ${host} ${view
        .liveTasksOn(id)
        .map((one) => one.id)
        .join()}`,
    );
  };
  const changes = (...rows: readonly Row[]) =>
    rows.map(({ key, value }, index) => {
      const version = view.newest + 1 + index;
      return value === undefined
        ? ({ kind: 'removed', key, version } as const)
        : ({ kind: 'put', key, value: toJson(value), version } as const);
    });
  const onHost = (id: string, host: string, stopped = false): Row => ({
    key: clusterKeys.task(id),
    value: task(id, host, 'RUNNING', stopped),
  });
  const host = (id: string, status: InstanceRecord['status'] = 'ACTIVE'): Row => ({
    key: clusterKeys.instance(id),
    value: instance(id, status),
  });
  const stops = ['i1', 'i2'].map((id) => view.watch(id, look(id)));
  const after = (...rows: readonly Row[]): string[] => {
    view.apply(changes(...rows));
    return seen.splice(0);
  };
  expect(after(host('i1'), onHost('t1', 'i1'), onHost('t2', 'i1'))).toEqual(['i1 ACTIVE t1,t2']);
  expect(after(host('i2'), host('i3'), onHost('t3', 'i3'))).toEqual(['i2 ACTIVE ']);
  // An older state, and what is nobody's, tell nobody.
  view.apply([
    { kind: 'put', key: clusterKeys.task('t1'), value: toJson(task('t1', 'i2', 'RUNNING', false)), version: 0 },
  ]);
  expect(seen.splice(0)).toEqual([]);
  expect(after({ key: clusterKeys.service('web'), value: service('web', 'COMPLETED', false) })).toEqual([]);
  expect(after(onHost('t1', 'i1', true))).toEqual(['i1 ACTIVE t2']);
  // A fresh list is one step as well, though it takes back what was and puts something else in its place.
  const rows = [host('i1', 'DRAINING'), onHost('t2', 'i1'), onHost('t4', 'i1'), host('i2')];
  const list = rows.flatMap(({ key, value }) => (value === undefined ? [] : { key, value: toJson(value), version: 1 }));
  view.replace(new Map(list.map((stored) => [stored.key, stored])), 1, true);
  expect(seen.splice(0).toSorted()).toEqual(['i1 DRAINING t2,t4', 'i2 ACTIVE ']);
  stops[0]?.();
  expect(after(onHost('t2', 'i1', true), { key: clusterKeys.instance('i2'), value: undefined })).toEqual(['i2 gone ']);
});

test('an agent is away since this process knows that it has no connection; one without a container runtime is not', () => {
  let monotonic = 0;
  const view = new ClusterView('a', 'c', createPlacementIndex({ seed: 1 }), () => monotonic);
  const set = (more: Partial<InstanceRecord>): void =>
    view.apply([
      { kind: 'put', key: clusterKeys.instance('i1'), value: toJson(instanceRecord(more)), version: view.newest + 1 },
    ]);
  const away = (ms: number): number => {
    monotonic += ms;
    return view.awayFor('i1');
  };
  expect(view.awayFor('i1')).toBe(0);
  set({ agentConnected: true, connectionId: 's.1' });
  expect(away(10)).toBe(0);
  set({ agentConnected: false, connectionId: 's.1', runtimeImpaired: true });
  expect(away(10)).toBe(0);
  // In the same millisecond by the clock of whoever noted it.
  set({ agentConnected: false, runtimeImpaired: true });
  expect(away(10)).toBe(10);
  set({ agentConnected: false, tags: { a: 'b' } });
  expect(away(10)).toBe(20);
  // It was there in between.
  set({ agentConnected: false, connectivityChangedAt: 5 });
  expect(away(10)).toBe(10);
  set({ status: 'INACTIVE', agentConnected: false, connectivityChangedAt: 6 });
  expect(away(10)).toBe(0);
});

test('what engines acknowledge and hooks answer is news of its service, once, and goes as it came', () => {
  const view = fresh();
  const told: string[] = [];
  view.listen({ serviceChanged: (name) => told.push(name), capacityChanged: () => {} });
  const put = (key: string, value: object, version: number) =>
    ({ kind: 'put', key, value: toJson(value), version }) as const;
  const answer = { id: 'run', service: 'web', deploymentId: 'd', status: 'SUCCEEDED', at: 0 };
  view.apply([
    put(clusterKeys.shift('web'), { service: 'web', sequence: 2, rules: [] }, 1),
    put(clusterKeys.shiftLive('web'), { service: 'web', epoch: 1, sequence: 2, at: 0 }, 3),
    put(clusterKeys.shiftLive('web'), { service: 'web', epoch: 1, sequence: 1, at: 0 }, 2),
    put(clusterKeys.hookResult('api', 'run'), { ...answer, service: 'api' }, 4),
  ]);
  expect(told).toEqual(['web', 'api']);
  expect([view.shifts.get('web')?.value.sequence, view.shiftLives.get('web')?.value.sequence]).toEqual([2, 2]);
  expect([view.hookResultsOf('api').map(({ id }) => id), view.hookResultsOf('web')]).toEqual([['run'], []]);
  view.apply([
    { kind: 'removed', key: clusterKeys.shiftLive('web'), version: 5 },
    { kind: 'removed', key: clusterKeys.hookResult('api', 'run'), version: 5 },
    { kind: 'removed', key: clusterKeys.hookResult('api', 'run'), version: 6 },
  ]);
  expect(told).toEqual(['web', 'api', 'web', 'api']);
  expect([view.shiftLives.size, view.hookResultsOf('api')]).toEqual([0, []]);
});
