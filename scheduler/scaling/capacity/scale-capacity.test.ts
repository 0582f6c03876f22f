import {
  CreateCapacityProviderCommand,
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeCapacityProvidersCommand,
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RunTaskCommand,
  UpdateCapacityProviderCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { systemClock } from '@slipway/storage/clock';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { account, openApi, type TestApi } from '../../ecs/testing/open-api.ts';
import { idOf, newId } from '../../state/index.ts';
import { ClusterViews, type HeldView } from '../../views/index.ts';
import type { Sample } from '../../signals/metrics/index.ts';
import { readDefinition } from '../../control/index.ts';
import { canEmpty, holdersOf, hostsOf } from './hosts.ts';
import type { CapacityPorts, SizedGroups, SizedMachine } from './index.ts';
import { lookAt, newMemory } from './scale-capacity.ts';

let api: TestApi;
let held: HeldView;
let now: number;
let group: {
  name: string;
  min: number;
  max: number;
  desired: number;
  failures: number;
  zones: string[];
  suspended: string[];
};
let machines: { -readonly [K in keyof SizedMachine]: SizedMachine[K] }[];
let samples: Sample[];
/** What the group's launch template says. */
let template: { id: string; version: number };
const memory = newMemory();
const patience = { timeout: 60_000, interval: 50 };

beforeEach(async () => {
  api = await openApi();
  group = { name: 'fleet', min: 0, max: 4, desired: 0, failures: 0, zones: ['us-east-1a'], suspended: [] };
  machines = [];
  samples = [];
  template = { id: 'lt-1', version: 1 };
  now = Date.now();
  api.hostGroups.set('fleet', { protectNew: true });
  await api.define({ family: 'half', containerDefinitions: [{ name: 'main', image: 'busybox', memory: 512 }] });
});
afterEach(async () => {
  await held.release();
  await api[Symbol.asyncDispose]();
});

/** The group as Auto Scaling has it, with machines that join when a test says so. */
const groups: SizedGroups = {
  byName: (_account, name) => Promise.resolve(name === group.name ? { ...group } : undefined),
  instancesOf: () => Promise.resolve(machines.map((machine) => ({ ...machine }))),
  setDesired: (_account, _name, desired) => {
    group.desired = desired;
    while (machines.filter(({ state }) => state !== 'Terminating').length < desired)
      machines.push({
        id: `i-${machines.length}`,
        instance: newId(api.ports.random),
        cluster: 'fleet',
        zone: group.zones[machines.length % group.zones.length] ?? '',
        template,
        instanceType: 'm5.large',
        state: 'Pending',
        protected: false,
        stateAt: now,
      });
    return Promise.resolve();
  },
  protect: (_account, _group, ids, on) => {
    for (const machine of machines) if (ids.includes(machine.id)) machine.protected = on;
    return Promise.resolve();
  },
  terminate: (_account, id, { decrement }) => {
    for (const machine of machines) if (machine.id === id) machine.state = 'Terminating';
    if (decrement) group.desired--;
    return Promise.resolve();
  },
};

async function join(memory = 1024): Promise<void> {
  for (const machine of machines) {
    if (machine.state !== 'Pending') continue;
    const attributes = { 'slipway.auto-scaling-group': 'fleet', 'ecs.availability-zone': machine.zone };
    const arn = await api.addInstance({ cluster: 'fleet', cpu: 2048, memory, attributes });
    Object.assign(machine, { state: 'InService', instance: idOf(arn), stateAt: now });
  }
}

async function look(seconds = 5): Promise<void> {
  now += seconds * 1000;
  await held.feed.catchUp();
  const ports: CapacityPorts = {
    ...api.ports,
    clock: { ...systemClock, now: () => now },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    groups,
    nextMachines: () => Promise.resolve({ template: template.id, version: template.version, types: ['m5.large'] }),
    metrics: { put: (_account, put) => Promise.resolve(void samples.push(...put)) },
  };
  await lookAt(ports, held.view, 'fleet', memory);
}

async function setUp(protection: 'ENABLED' | 'DISABLED'): Promise<void> {
  await api.ecs.send(
    new CreateCapacityProviderCommand({
      name: 'fleet',
      autoScalingGroupProvider: {
        autoScalingGroupArn: 'fleet',
        managedScaling: { status: 'ENABLED', instanceWarmupPeriod: 120 },
        managedTerminationProtection: protection,
      },
    }),
  );
  await api.ecs.send(new CreateClusterCommand({ clusterName: 'fleet', capacityProviders: ['fleet'] }));
  held = new ClusterViews({
    ...api.ports,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    placement: { seed: 1 },
  }).hold(account, 'fleet');
  await held.feed.first;
}

const strategy = { capacityProviderStrategy: [{ capacityProvider: 'fleet' }] };
const standing = async () =>
  (await api.ecs.send(new DescribeCapacityProvidersCommand({ capacityProviders: ['fleet'] }))).capacityProviders?.[0]
    ?.updateStatusReason;
const statuses = async () =>
  (
    await api.ecs.send(
      new DescribeContainerInstancesCommand({
        cluster: 'fleet',
        containerInstances: machines.filter(({ state }) => state === 'InService').map(({ instance }) => instance),
      }),
    )
  ).containerInstances?.map(({ status }) => status);
const placed = async (count: number, more: object = {}): Promise<string[]> => {
  let arns: string[] = [];
  await vi.waitFor(async () => {
    const { taskArns = [] } = await api.ecs.send(new ListTasksCommand({ cluster: 'fleet', ...more }));
    const { tasks = [] } =
      taskArns.length === 0 ? {} : await api.ecs.send(new DescribeTasksCommand({ cluster: 'fleet', tasks: taskArns }));
    arns = tasks.flatMap(({ taskArn = '', containerInstanceArn }) =>
      containerInstanceArn === undefined ? [] : [taskArn],
    );
    expect(arns).toHaveLength(count);
  }, patience);
  return arns;
};

test('a group goes from nothing to what tasks need, and back to nothing when they are over', async () => {
  await setUp('ENABLED');
  await look();
  expect(group.desired).toBe(0);
  expect(samples.at(-1)).toMatchObject({ name: 'CapacityProviderReservation', measured: 100 });
  await api.ecs.send(new RunTaskCommand({ cluster: 'fleet', taskDefinition: 'half', count: 5, ...strategy }));
  // Nobody knows yet what a host of this group is like.
  await look();
  expect(group.desired).toBe(1);
  await look();
  expect(group.desired).toBe(1);
  await join();
  await placed(2);
  await look(60);
  expect(group.desired).toBe(3);
  expect(await standing()).toMatch(/3 tasks wait, for 2 hosts\. 3 hosts are right, of 0 to 4; 3 are wanted\./);
  expect(samples.at(-1)).toMatchObject({ measured: 300 });
  await join();
  const tasks = await placed(5);
  await look(60);
  expect(group.desired).toBe(3);
  expect(machines.map((machine) => machine.protected)).toEqual([true, true, true]);
  for (const task of tasks) await api.report(task, 'STOPPED', 0);
  await look();
  expect(machines.map((machine) => machine.protected)).toEqual([false, false, false]);
  // Not before it was so for a while.
  await look(30);
  expect(await statuses()).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE']);
  for (let turn = 0; turn < 4; turn++) await look(60);
  expect(group.desired).toBeLessThan(3);
  for (let turn = 0; turn < 8; turn++) await look(60);
  expect(group.desired).toBe(0);
  expect(machines.every(({ state }) => state === 'Terminating')).toBe(true);
});

test('services get the hosts that they lack; a host is emptied whose tasks have room elsewhere, and stays when it is needed', async () => {
  await setUp('DISABLED');
  await api.ecs.send(
    new CreateServiceCommand({
      cluster: 'fleet',
      serviceName: 'web',
      taskDefinition: 'half',
      desiredCount: 4,
      ...strategy,
    }),
  );
  const waits = () =>
    vi.waitFor(async () => {
      await held.feed.catchUp();
      expect(held.view.services.get('web')?.value.deployments[0]?.unplaceable).toBeDefined();
    }, patience);
  await waits();
  await look();
  await join();
  await placed(2);
  await look();
  expect(group.desired).toBe(2);
  await join();
  const tasks = await placed(4);
  for (const task of tasks) await api.report(task, 'RUNNING');
  const scale = (desiredCount: number) =>
    api.ecs.send(new UpdateServiceCommand({ cluster: 'fleet', service: 'web', desiredCount }));
  await scale(2);
  await vi.waitFor(async () => {
    const { taskArns = [] } = await api.ecs.send(
      new ListTasksCommand({ cluster: 'fleet', serviceName: 'web', desiredStatus: 'STOPPED' }),
    );
    expect(taskArns).toHaveLength(2);
    for (const task of taskArns) await api.report(task, 'STOPPED', 0);
  }, patience);
  await placed(2);
  // One on each: the tasks of one have room on the other.
  await look(200);
  await look(61);
  expect((await statuses())?.toSorted()).toEqual(['ACTIVE', 'DRAINING']);
  await scale(4);
  await waits();
  await look();
  expect(await statuses()).toEqual(['ACTIVE', 'ACTIVE']);
  expect(group.desired).toBe(2);
  await placed(4, { desiredStatus: 'RUNNING' });
});

test('tasks that no host of the group could take make none, and are told', async () => {
  await setUp('DISABLED');
  await api.ecs.send(new RunTaskCommand({ cluster: 'fleet', taskDefinition: 'half', ...strategy }));
  await look();
  await join();
  const [half = ''] = await placed(1);
  await api.define({ family: 'huge', containerDefinitions: [{ name: 'main', image: 'busybox', memory: 4096 }] });
  await api.ecs.send(new RunTaskCommand({ cluster: 'fleet', taskDefinition: 'huge', ...strategy }));
  await look();
  expect(group.desired).toBe(1);
  expect(await standing()).toMatch(/1 of them no host of the group could take/);
  // Empty by now: it stays while somebody protects it, or has the group end none.
  await api.report(half, 'STOPPED', 0);
  const [machine] = machines;
  Object.assign(machine ?? {}, { protected: true });
  await look(200);
  Object.assign(machine ?? {}, { protected: false });
  group.suspended = ['Terminate'];
  await look(200);
  expect(await statuses()).toEqual(['ACTIVE']);
  group.suspended = [];
  await look();
  await look(61);
  expect(await statuses()).toEqual(['DRAINING']);
  group.name = 'other';
  await look();
  expect(await standing()).toBe('There is no Auto Scaling group fleet.');
  // Nobody goes on with a host that was being emptied when it is switched off.
  await api.ecs.send(
    new UpdateCapacityProviderCommand({
      name: 'fleet',
      autoScalingGroupProvider: { managedScaling: { status: 'DISABLED' } },
    }),
  );
  await look();
  expect(await statuses()).toEqual(['ACTIVE']);
});

test('what the launch template says by now may be larger: a host is made to see, beside others and from nothing', async () => {
  await setUp('DISABLED');
  const run = async (memory: number): Promise<void> => {
    const family = `large-${memory}`;
    await api.define({ family, containerDefinitions: [{ name: 'main', image: 'busybox', memory }] });
    await api.ecs.send(new RunTaskCommand({ cluster: 'fleet', taskDefinition: family, ...strategy }));
  };
  await run(512);
  await look();
  await join();
  const [half = ''] = await placed(1);
  await api.report(half, 'STOPPED', 0);
  await run(4096);
  await look();
  expect(await standing()).toMatch(/1 of them no host of the group could take/);
  expect(group.desired).toBe(1);
  template = { ...template, version: 2 };
  // The empty one that is there is not for it.
  await look();
  expect(group.desired).toBe(2);
  await look();
  expect(group.desired).toBe(2);
  await join(4096);
  await placed(1, { desiredStatus: 'RUNNING' });
  // And what another one would be like is known from now on.
  await run(4096);
  await look();
  expect(group.desired).toBe(3);
  await join(4096);
  for (const task of await placed(2, { desiredStatus: 'RUNNING' })) await api.report(task, 'STOPPED', 0);
  for (let turn = 0; turn < 12; turn++) await look(61);
  expect(group.desired).toBe(0);
  template = { ...template, version: 3 };
  await run(8192);
  await look();
  expect(group.desired).toBe(1);
  await join(8192);
  await placed(1, { desiredStatus: 'RUNNING' });
});

test('an empty host in another zone holds back none where tasks have to run', async () => {
  group.zones = ['us-east-1a', 'us-east-1b'];
  await setUp('DISABLED');
  await api.ecs.send(new RunTaskCommand({ cluster: 'fleet', taskDefinition: 'half', ...strategy }));
  await look();
  await join();
  const [half = ''] = await placed(1);
  await api.report(half, 'STOPPED', 0);
  await api.ecs.send(
    new RunTaskCommand({
      cluster: 'fleet',
      taskDefinition: 'half',
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:ecs.availability-zone == us-east-1b' }],
      ...strategy,
    }),
  );
  await look();
  expect(group.desired).toBe(2);
  await join();
  await placed(1, { desiredStatus: 'RUNNING' });
});

test('hosts can be emptied where others have room for what they run, and for what another one runs once more', async () => {
  await setUp('DISABLED');
  await groups.setDesired(account, 'fleet', 4, 'the test');
  await join();
  const spread = [{ type: 'spread' as const, field: 'instanceId' }];
  const service = { cluster: 'fleet', taskDefinition: 'half', placementStrategy: spread, ...strategy };
  await api.ecs.send(new CreateServiceCommand({ ...service, serviceName: 'web', desiredCount: 3 }));
  const tasks = await placed(3);
  for (const task of tasks) await api.report(task, 'RUNNING');
  await vi.waitFor(async () => {
    await held.feed.catchUp();
    expect(held.view.services.get('web')?.value.deployments[0]?.rolloutState).toBe('COMPLETED');
  }, patience);
  // Two have room on each of four; three have one.
  const busy = machines.map(({ instance }) => instance).filter((id) => holdersOf(held.view, id).length === 1);
  const [empty = ''] = machines.map(({ instance }) => instance).filter((id) => !busy.includes(id));
  const [one = '', two = '', three = ''] = busy;
  const arn = held.view.services.get('web')?.value.deployments[0]?.taskDefinition ?? '';
  const definition = await readDefinition(api.ports.records, account, arn);
  const definitions = new Map(definition === undefined ? [] : [[arn, definition]]);
  const can = (instances: readonly string[], like?: string): boolean =>
    canEmpty(held.view, { instances, like }, memory.requests, definitions, now);
  expect([can([one]), can([one], two), can([one, two]), can([one, two], three)]).toEqual([true, true, true, false]);
  expect([can([empty], one), can([empty, one], two), can([empty, one, two])]).toEqual([true, false, false]);
  // One of no service does not move, and another one like it needs as much.
  await api.ecs.send(
    new RunTaskCommand({ cluster: 'fleet', taskDefinition: 'half', count: 2, placementStrategy: spread, ...strategy }),
  );
  await placed(5);
  await vi.waitFor(async () => {
    await held.feed.catchUp();
    expect(machines.flatMap(({ instance }) => holdersOf(held.view, instance))).toHaveLength(5);
  }, patience);
  const alone = machines
    .map(({ instance }) => instance)
    .filter((id) => holdersOf(held.view, id).some((task) => task.service === undefined));
  const { hosts } = hostsOf(held.view, { suspended: [] }, machines, definitions, now);
  expect(hosts.map(({ fixed }) => fixed)).toEqual(machines.map(({ instance }) => alone.includes(instance)));
  const [free = ''] = busy.filter((id) => !alone.includes(id));
  expect(alone.map((id) => can([id]))).toEqual(alone.map(() => false));
  expect([
    can([free]),
    can(
      [free],
      alone.find((id) => holdersOf(held.view, id).length === 2),
    ),
  ]).toEqual([true, false]);
});
