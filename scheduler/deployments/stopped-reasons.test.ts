import { memoryRecords } from '@slipway/storage/records/memory';
import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import { deregisterInstance, machineEnded } from '../cluster/index.ts';
import { applyTaskChange, giveUp } from '../hosts/control/transitions.ts';
import { clusterKeys, clusterPartition, type TaskRecord, toJson } from '../state/index.ts';
import { stopping } from '../tasks/index.ts';
import { World } from './testing/world.ts';

/**
 * Why tasks end, in ECS's words (ECS developer guide, "Stopped tasks error messages" and "API failure reasons"): programs go by them.
 * What load balancers and zones end is in `targets.test.ts` and `rebalancing.test.ts`, what agents refuse in `hosts/agent/*.test.ts`.
 */
const now = 2_000_000;

/** A task that runs, with a container whose end is the task's. */
function running(): TaskRecord {
  const world = new World({ desired: 1 });
  world.calm();
  return world.live()[0]!;
}

/** One that has not come to run yet. */
function waiting(): TaskRecord {
  const world = new World({ desired: 1 });
  world.pass();
  return world.live()[0]!;
}

const ended = (container: object, reason?: string): TaskRecord | undefined => {
  const task = running();
  const containers = task.containers.map(({ name }) => ({ name, status: 'STOPPED' as const, ...container }));
  return applyTaskChange(task, { status: 'STOPPED', containers, ...(reason === undefined ? {} : { reason }) }, now);
};

/** The one that a service has ended when something happened to it. */
function endedBy(happens: (world: World) => void, options: ConstructorParameters<typeof World>[0] = {}): TaskRecord {
  const world = new World({ desired: 2, ...options });
  world.calm();
  happens(world);
  for (let pass = 0; pass < 5; pass += 1) {
    world.pass();
    const found = [...world.tasks.values()].find(({ desiredStatus }) => desiredStatus === 'STOPPED');
    if (found !== undefined) return found;
    // A successor comes first where a task is replaced.
    for (const { id, healthStatus } of world.wanted()) {
      if (healthStatus === 'UNHEALTHY') continue;
      world.running(id);
      world.check(id, 'HEALTHY');
    }
    world.now += 60_000;
  }
  throw new Error('the service ended none');
}

/** A task on an instance that leaves its cluster for that reason. */
async function withoutHost(...why: Parameters<typeof deregisterInstance>[4][]): Promise<TaskRecord | undefined> {
  const records = memoryRecords(systemClock);
  const ref = { account: '000000000000', cluster: 'default' };
  const partition = clusterPartition(ref.account, ref.cluster);
  const task = { ...running(), instanceId: 'i1' };
  await records.commit(partition, {
    put: [
      { key: clusterKeys.instance('i1'), value: toJson({ id: 'i1', status: 'ACTIVE', attributes: [], version: 1 }) },
      { key: clusterKeys.task(task.id), value: toJson(task) },
    ],
  });
  await deregisterInstance({ records, clock: systemClock } as never, ref, 'i1', true, ...why);
  return (await records.get<TaskRecord>(partition, clusterKeys.task(task.id)))?.value;
}

const deployment = (task: TaskRecord): string => task.service?.deploymentId ?? '';

test.each<[string, string | ((task: TaskRecord) => string), string, () => unknown]>([
  ['a container ends', 'Essential container in task exited', 'EssentialContainerExited', () => ended({ exitCode: 1 })],
  [
    'it never came to run',
    'CannotPullContainerError: no such image',
    'TaskFailedToStart',
    () => giveUp(waiting(), 'CannotPullContainerError: no such image', now),
  ],
  [
    'its agent says why',
    'ContainerRuntimeError: no space left on device',
    'EssentialContainerExited',
    () => ended({ exitCode: 137 }, 'ContainerRuntimeError: no space left on device'),
  ],
  [
    'somebody stops it',
    'the words of StopTask',
    'UserInitiated',
    () => stopping(running(), 'UserInitiated', 'the words of StopTask', now),
  ],
  [
    'its service has fewer',
    (task) => `Scaling activity initiated by (deployment ${deployment(task)})`,
    'ServiceSchedulerInitiated',
    () => endedBy((world) => (world.service = { ...world.service, desiredCount: 1 })),
  ],
  [
    'its checks fail',
    'Task failed container health checks',
    'ServiceSchedulerInitiated',
    () => endedBy((world) => world.check(world.live()[0]!.id, 'UNHEALTHY')),
  ],
  [
    'its host is taken back',
    'Your Spot Task was interrupted.',
    'SpotInterruption',
    () => endedBy((world) => Object.assign(world.hosts[0]!, { condition: 'draining', interruptedAt: world.now })),
  ],
  [
    'its host is deregistered',
    'Container instance deregistration forced by user',
    'UserInitiated',
    () => withoutHost(),
  ],
  [
    'its machine is ended',
    'Host EC2 (instance i-0123456789abcdef0) terminated.',
    'TerminationNotice',
    () => withoutHost(machineEnded('i-0123456789abcdef0', 'terminated')),
  ],
])('a task ends because %s', async (_, reason, stopCode, produce) => {
  const task = (await produce()) as TaskRecord;
  expect([task.stoppedReason, task.stopCode]).toEqual([typeof reason === 'string' ? reason : reason(task), stopCode]);
});
