import { afterEach, expect, test, vi } from 'vitest';

import type { CheckResult } from '../health/index.ts';
import { balancingKeys, balancingPartition, type EngineRecord, type TargetRecord } from '../records/index.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { FakeTasks } from '../testing/fake-tasks.ts';
import { account, openWeb } from '../testing/open-balancing.ts';
import { trafficOptions } from '../testing/traffic-options.ts';

import { Drains } from './drains.ts';
import { EngineDriver } from './driver.ts';
import { isDone, Keeper } from './keeper.ts';
import { membership, Registrar } from './registrar.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const until = { timeout: 30_000 };

/** A load balancer with an engine, whose targets are tasks. */
async function openTasks() {
  const world = await openWeb();
  const { balancers, groupArn, call } = world;
  const tasks = new FakeTasks();
  const engine = new FakeEngine();
  const answers = new Map<string, CheckResult>();
  const options = trafficOptions(world, {
    tasks,
    probe: ({ address }) => Promise.resolve(answers.get(address) ?? { kind: 'passed' }),
  });
  const begin = (run: (signal: AbortSignal) => Promise<void>): (() => Promise<void>) => {
    const over = new AbortController();
    const running = run(over.signal);
    const end = async (): Promise<void> => {
      over.abort();
      await running;
    };
    ends.push(end);
    return end;
  };
  begin((signal) => new EngineDriver(options, { id: 'one', open: () => engine.open() }).run(signal));
  const rows = async (): Promise<readonly TargetRecord[]> => (await balancers.read(account)).all('target');
  return {
    ...world,
    tasks,
    engine,
    answers,
    rows,
    keep: () => begin((signal) => new Keeper(options).run(signal)),
    states: async (): Promise<string[]> =>
      (await call('DescribeTargetHealth', { TargetGroupArn: groupArn })).TargetHealthDescriptions.map(
        ({ TargetHealth }: { TargetHealth: { State: string } }) => TargetHealth.State,
      ),
    up: () => engine.desired?.targetGroups[0]?.targets.filter(({ state }) => state === 'up') ?? [],
  };
}

test('a task is registered, checked, told how it is, and gets requests', async () => {
  const { tasks, groupArn, keep, up, answers, states } = await openTasks();
  keep();
  tasks.add('web', groupArn);
  await vi.waitFor(() => expect(up()).toMatchObject([{ registrationId: 'web'.padEnd(16, '0'), port: 8080 }]), until);
  await vi.waitFor(() => expect(tasks.target('web').health?.state).toBe('healthy'), until);
  expect(await states()).toEqual(['healthy']);
  answers.set('10.0.0.2', { kind: 'failed', problem: '10.0.0.2:8080: ECONNREFUSED' });
  tasks.add('ill', groupArn, '10.0.0.2');
  await vi.waitFor(
    () =>
      expect(tasks.target('ill').health).toEqual({
        state: 'initial',
        reason: 'Elb.InitialHealthChecking',
        description: expect.stringContaining('') as string,
      }),
    until,
  );
  expect(up()).toHaveLength(1);
});

test('a task that is told to stop is out only when every engine is quiet', async () => {
  const { tasks, groupArn, keep, up, engine, rows } = await openTasks();
  keep();
  tasks.add('web', groupArn);
  await vi.waitFor(() => expect(up()).toHaveLength(1), until);
  const { id } = tasks.target('web');
  engine.inFlight.set(id, 1);
  const generation = engine.desired?.generation ?? 0;
  tasks.stop('web');
  await vi.waitFor(() => expect(engine.desired?.generation).toBeGreaterThan(generation), until);
  expect(up()).toEqual([]);
  // An old worker of the engine may still route by what it knew.
  engine.oldest = generation;
  engine.inFlight.clear();
  const seen = engine.observed;
  await vi.waitFor(() => expect(engine.observed).toBeGreaterThan(seen + 5), until);
  expect(tasks.target('web').quietAt).toBeUndefined();
  engine.oldest = undefined;
  await vi.waitFor(() => expect(tasks.target('web').quietAt).toBeTypeOf('number'), until);
  await vi.waitFor(async () => expect(await rows()).toEqual([]), until);
});

test('a registration that was never made is waited for like any other, and a task that was not told stays', async () => {
  const { tasks, groupArn, keep, rows } = await openTasks();
  tasks.add('brief', groupArn);
  tasks.stop('brief');
  tasks.add('stays', groupArn, '10.0.0.2');
  keep();
  await vi.waitFor(() => expect(tasks.target('brief').quietAt).toBeTypeOf('number'), until);
  await vi.waitFor(async () => expect((await rows()).map(({ task }) => task?.id)).toEqual(['stays']), until);
  expect(tasks.target('stays').quietAt).toBeUndefined();
});

test('whoever looks after targets next knows what was told to stop, and asks the records about what it has not heard of', async () => {
  const { tasks, groupArn, keep, rows, up } = await openTasks();
  const end = keep();
  tasks.add('web', groupArn);
  tasks.add('gone', groupArn, '10.0.0.2');
  tasks.add('other', groupArn, '10.0.0.3');
  await vi.waitFor(() => expect(up()).toHaveLength(3), until);
  await end();
  tasks.unheard.add('web');
  tasks.tasks.delete('gone');
  tasks.stop('other');
  keep();
  await vi.waitFor(() => expect(up().map(({ address }) => address)).toEqual(['10.0.0.1']), until);
  await vi.waitFor(() => expect(tasks.target('other').quietAt).toBeTypeOf('number'), until);
  await vi.waitFor(async () => expect((await rows()).map(({ task }) => task?.id)).toEqual(['web']), until);
});

test('somebody who takes a task out by hand gets it back', async () => {
  const { tasks, groupArn, keep, up, call } = await openTasks();
  keep();
  tasks.add('web', groupArn);
  await vi.waitFor(() => expect(up()).toHaveLength(1), until);
  await call('DeregisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.1', Port: 8080 }] });
  await vi.waitFor(() => expect(up()).toHaveLength(1), until);
  expect(tasks.target('web').quietAt).toBeUndefined();
});

test('what cannot be written stays to be written: no row goes before its task was told', async () => {
  const { tasks, groupArn, keep, up, rows, engine } = await openTasks();
  keep();
  tasks.add('web', groupArn);
  await vi.waitFor(() => expect(tasks.target('web').health?.state).toBe('healthy'), until);
  tasks.broken = new Error('the store is away');
  tasks.stop('web');
  await vi.waitFor(() => expect(up()).toEqual([]), until);
  const seen = engine.observed;
  await vi.waitFor(() => expect(engine.observed).toBeGreaterThan(seen + 5), until);
  expect(await rows()).toHaveLength(1);
  tasks.broken = undefined;
  await vi.waitFor(() => expect(tasks.target('web').quietAt).toBeTypeOf('number'), until);
  await vi.waitFor(async () => expect(await rows()).toEqual([]), until);
});

test('a task of a group that does not exist joins nothing, and its end waits for the engines', async () => {
  const { tasks, groupArn, balancers } = await openTasks();
  tasks.add('lost', `${groupArn.slice(0, -16)}${'f'.repeat(16)}`);
  const balancing = await balancers.read(account);
  expect(membership(balancing, [tasks.get('lost')])).toEqual({ join: [], leave: [], notes: [] });
  tasks.stop('lost');
  const { leave } = membership(balancing, [tasks.get('lost')]);
  expect(leave).toMatchObject([{ groupId: 'f'.repeat(16), task: { id: 'lost' } }]);
  const [row] = leave as [TargetRecord];
  const since = { ...row, deregisteredAt: 0 };
  const drained = (ms: number) => ({ drainedFor: () => ms, silentFor: () => 0 });
  expect(isDone(balancing, since, [], drained(299_999))).toBe(false);
  expect(isDone(balancing, since, [], drained(300_000))).toBe(true);
});

test('a task whose target has no time to drain ends when new requests go elsewhere', async () => {
  const { tasks, groupArn, balancers, call } = await openTasks();
  await call('ModifyTargetGroupAttributes', {
    TargetGroupArn: groupArn,
    Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: '0' }],
  });
  tasks.add('web', groupArn);
  const { balancing } = await balancers.change(account, (draft) => {
    for (const row of membership(draft, [tasks.get('web')]).join)
      draft.put('target', { ...row, deregisteredAt: draft.now });
  });
  const [row] = balancing.all('target') as [TargetRecord];
  const serving = (generation: number): EngineRecord[] => [
    { id: 'one', kind: 'embedded', generation, oldestServing: generation, seenAt: 0, unbound: {}, quiet: [] },
  ];
  const drained = (ms: number) => ({ drainedFor: () => ms, silentFor: () => 0 });
  const { generation } = balancing;
  expect(isDone(balancing, row, serving(generation - 1), drained(0))).toBe(false);
  expect(isDone(balancing, row, serving(generation), drained(0))).toBe(true);
  // One that takes nothing is not waited for for ever.
  expect(isDone(balancing, row, serving(generation - 1), drained(20_000))).toBe(true);
});

test('more tasks than a commit takes come and go in several', async () => {
  const world = await openWeb();
  const tasks = new FakeTasks();
  const options = trafficOptions(world, { tasks });
  const lease = await options.leases.acquire(balancingPartition(account), balancingKeys.checker, {
    signal: new AbortController().signal,
  });
  ends.push(() => lease.release());
  const names = Array.from({ length: 10_001 }, (_, i) => `${String(i).padStart(6, '0')}.`);
  for (const name of names) tasks.add(name, world.groupArn);
  const registrar = new Registrar(options);
  const rows = async (): Promise<readonly TargetRecord[]> => {
    for (let step = 0; step < 3; step++) await registrar.step(lease);
    return (await world.balancers.read(account)).all('target');
  };
  expect(await rows()).toHaveLength(names.length);
  for (const name of names) tasks.stop(name);
  expect((await rows()).filter(({ deregisteredAt }) => deregisteredAt === undefined)).toEqual([]);
});

test('how long something lasts is told by no clock that may be moved, nor by another machine', () => {
  let [wall, monotonic] = [1_000_000_000, 0];
  const drains = new Drains({ now: () => wall, monotonic: () => monotonic, sleep: () => Promise.resolve() });
  const target = { id: 'a' } as TargetRecord;
  const engine = { id: 'one', seenAt: wall - 60_000 } as EngineRecord;
  const old = { id: 'old', seenAt: 0 } as EngineRecord;
  drains.look([target], [engine, old]);
  expect([drains.drainedFor(target), drains.silentFor(engine), drains.silentFor(old)]).toEqual([0, 0, Infinity]);
  wall += 3_600_000;
  monotonic += 500;
  drains.look([target], [engine, old]);
  expect([drains.drainedFor(target), drains.silentFor(engine)]).toEqual([500, 500]);
  monotonic += 500;
  drains.look(
    [],
    [
      { ...engine, seenAt: 7 },
      { ...old, seenAt: 8 },
    ],
  );
  expect([drains.silentFor(engine), drains.silentFor(old)]).toEqual([0, 0]);
  drains.look([target], []);
  expect(drains.drainedFor(target)).toBe(0);
});
