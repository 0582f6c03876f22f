import { expect, test } from 'vitest';

import { type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };
const told = { stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' };

/** A steady service whose tasks are all on the first of two hosts, which is then taken back: at the latest in a minute they must stop. */
function takenBack(options: ConstructorParameters<typeof World>[0] = {}): { world: World; old: string[]; at: number } {
  const world = new World({ hosts: 2, desired: 2, first: good, ...options });
  world.calm();
  const old = world.wanted().map(({ id }) => id);
  expect(world.wanted().every(({ instanceId }) => instanceId === 'host-0')).toBe(true);
  const at = world.now + 60_000;
  Object.assign(world.hosts[0]!, { condition: 'draining', interruptedAt: at });
  return { world, old, at };
}

const wantedOf = (world: World, ids: readonly string[]): string[] =>
  world
    .wanted()
    .map(({ id }) => id)
    .filter((id) => ids.includes(id));

test('successors are started first, and what they succeed is interrupted when they are healthy', () => {
  const { world, old, at } = takenBack();
  world.pass();
  expect(wantedOf(world, old)).toEqual(old);
  expect(world.wanted()).toHaveLength(4);
  expect(world.lastPlan?.wakeAt).toBe(at);
  const started = world.wanted().filter(({ id }) => !old.includes(id));
  for (const { id } of started) world.running(id);
  world.pass();
  expect(wantedOf(world, old)).toEqual(old);
  for (const { id } of started) world.check(id, 'HEALTHY');
  world.pass();
  expect(wantedOf(world, old)).toEqual([]);
  for (const id of old) expect(world.tasks.get(id)).toMatchObject(told);
  expect(world.now).toBeLessThan(at);
  world.calm();
  expect(world.service.steady).toBe(true);
  expect(world.primary().failedTasks).toBe(0);
  const said = world.events.filter((event) => event.includes('on a host that is taken back'));
  expect(said).toEqual([
    '(service web) has tasks on a host that is taken back; they are replaced, and end within two minutes of the notice.',
  ]);
  expect(world.service.said).not.toHaveProperty('interrupted');
});

test.each<[string, ConstructorParameters<typeof World>[0]]>([
  ['the bounds', { configuration: { minimumHealthyPercent: 100, maximumPercent: 100 } }],
  ['other hosts', { hosts: 1 }],
])('where %s leave no room, tasks run until their time and are then interrupted', (_what, options) => {
  const { world, old, at } = takenBack(options);
  world.pass();
  world.now = at - 1;
  world.pass();
  expect(wantedOf(world, old)).toEqual(old);
  expect(world.wanted()).toHaveLength(2);
  world.now = at;
  world.pass();
  for (const id of old) expect(world.tasks.get(id)).toMatchObject({ desiredStatus: 'STOPPED', ...told });
  expect(world.primary()).toMatchObject({ failedTasks: 0, rolloutState: 'COMPLETED' });
});

test('a task that is protected is interrupted like others', () => {
  const { world, old, at } = takenBack();
  for (const id of old) world.report(id, { protectedUntil: at + 3_600_000 });
  world.now = at;
  world.pass();
  expect(wantedOf(world, old)).toEqual([]);
});

test('a task that has not started yet is interrupted at once', () => {
  const world = new World({ hosts: 2, desired: 1, first: good });
  world.pass();
  const [task] = world.live();
  Object.assign(world.hosts[0]!, { condition: 'draining', interruptedAt: world.now + 60_000 });
  world.pass();
  expect(world.tasks.get(task!.id)).toMatchObject({ desiredStatus: 'STOPPED', ...told });
  expect(world.wanted().map(({ instanceId }) => instanceId)).toEqual(['host-1']);
});

test('a daemon goes with its host', () => {
  const world = new World({ hosts: 2, schedulingStrategy: 'DAEMON', first: good });
  world.calm();
  const [first] = world.wanted().filter(({ instanceId }) => instanceId === 'host-0');
  Object.assign(world.hosts[0]!, { condition: 'draining', interruptedAt: world.now });
  world.pass();
  expect(world.tasks.get(first!.id)).toMatchObject({ desiredStatus: 'STOPPED', ...told });
  world.calm();
  expect(world.wanted().map(({ instanceId }) => instanceId)).toEqual(['host-1']);
});
