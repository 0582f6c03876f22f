import { AwsError } from '@slipway/auth/contract';
import { type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { expect, test } from 'vitest';

import { partition } from '../control/testing/cluster-world.ts';
import type { TaskRecord } from '../state/index.ts';
import { HookBench, role } from './testing/hook-bench.ts';

const exits = (exitCode: number) => ({ startsIn: 1, exitsAfter: 1, stopsIn: 1, exitCode });

/** A bench with a hook that runs a task of this image. */
async function commands(bench: HookBench, image: string, patch: Parameters<HookBench['world']['revision']>[1] = {}) {
  const revision = await bench.world.revision(image, patch);
  return { revision, hooks: [{ target: { type: 'task', taskDefinition: revision.arn }, roleArn: role }] as const };
}

const ofHook = async (bench: HookBench): Promise<TaskRecord[]> =>
  (await bench.world.tasks()).filter(({ startedBy }) => startedBy?.startsWith('ecs-hook/') === true);

test('a command task is run once with the rights of its role, is told the payload, and its exit code decides', async () => {
  await using bench = await HookBench.open();
  bench.world.behaviours.set('migrate', exits(0));
  const { revision, hooks } = await commands(bench, 'migrate:1', { taskRoleArn: 'arn:aws:iam::000000000000:role/db' });
  await bench.wait([{ ...hooks[0], details: { to: 3 } }], [{}]);
  const row = await bench.decided();
  expect(row).toMatchObject({ status: 'SUCCEEDED' });
  const [task, ...others] = await ofHook(bench);
  expect(others).toEqual([]);
  expect(task).toMatchObject({ id: row.task, taskDefinition: revision.arn, group: 'family:web', clientToken: 'run-1' });
  const { containerOverrides } = (task?.overrides ?? { containerOverrides: [] }) as {
    containerOverrides: { name: string; environment: { name: string; value: string }[] }[];
  };
  const environment = Object.fromEntries(
    containerOverrides[0]?.environment.map(({ name, value }) => [name, value]) ?? [],
  );
  expect(environment).toMatchObject({ SLIPWAY_HOOK_EXECUTION: 'run-1', SLIPWAY_HOOK_STAGE: 'POST_SCALE_UP' });
  expect(JSON.parse(environment['SLIPWAY_HOOK'] ?? '')).toMatchObject({
    executionId: 'run-1',
    resourceArn: environment['SLIPWAY_HOOK_DEPLOYMENT'],
    hookDetails: { to: 3 },
  });
  expect(bench.roles).toEqual([`${role} run-1 arn:aws:ecs:us-east-1:000000000000:service/default/web`]);
  const session = 'arn:aws:sts::000000000000:assumed-role/hooks';
  expect(bench.world.asked).toEqual([
    `${session} ecs:RunTask ${revision.arn}`,
    `${session} iam:PassRole arn:aws:iam::000000000000:role/db`,
  ]);
  expect(bench.counted).toEqual(['task IN_PROGRESS', 'task SUCCEEDED']);
});

test('another exit code fails the hook, and so does a task that ends in another way', async () => {
  await using bench = await HookBench.open();
  bench.world.behaviours.set('broken', exits(3));
  bench.world.behaviours.set('missing', { startsIn: 1, exitsAfter: 0, stopsIn: 1 });
  const broken = await commands(bench, 'broken:1');
  const missing = await commands(bench, 'missing:1');
  await bench.wait([...broken.hooks, ...missing.hooks], [{ id: 'one' }, { id: 'two', hook: 1 }]);
  const [one, two] = [await bench.decided('one'), await bench.decided('two')];
  expect(one).toMatchObject({
    status: 'FAILED',
    reason: `Command task ${broken.revision.arn} failed: container app of its task ${one.task} exited with code 3.`,
  });
  expect(two).toMatchObject({
    status: 'FAILED',
    reason: `Command task ${missing.revision.arn} failed: its task ${two.task} stopped: CannotPullContainerError: no such image.`,
  });
});

test('a leader that comes after the start and before its record finds the task that runs already', async () => {
  await using bench = await HookBench.open();
  const { hooks } = await commands(bench, 'migrate:1');
  bench.world.behaviours.set('migrate', { startsIn: 1, exitsAfter: 1_500, stopsIn: 1, exitCode: 0 });
  let commit = 0;
  const { records } = bench.world.storage;
  // The first leader is cut off between the two: what it writes of results never arrives.
  const cut: RecordStore = {
    get: (...call) => records.get(...call),
    getMany: (...call) => records.getMany(...call),
    list: (...call) => records.list(...call),
    count: (...call) => records.count(...call),
    version: (...call) => records.version(...call),
    partitions: (...call) => records.partitions(...call),
    follow: (...call) => records.follow(...call),
    close: () => Promise.resolve(),
    commit: (name, batch) => {
      if (batch.put?.some(({ key }) => key.startsWith('hook/')) !== true) return records.commit(name, batch);
      commit += 1;
      return Promise.reject(new StoreUnavailable('cut off', 'not-committed'));
    },
  };
  await bench.changeLeader({ records: cut });
  await bench.wait(hooks, [{}]);
  await bench.world.until(
    () => Promise.resolve(commit),
    (commits) => commits > 0,
  );
  expect(await bench.result()).toBeUndefined();
  await bench.changeLeader();
  expect((await bench.decided()).status).toBe('SUCCEEDED');
  expect(await ofHook(bench)).toHaveLength(1);
});

test('its task is stopped when the deployment does not wait for it any more, also by a leader that did not start it', async () => {
  await using bench = await HookBench.open();
  const { hooks } = await commands(bench, 'migrate:1');
  for (const change of [() => Promise.resolve(), () => bench.changeLeader()]) {
    const before = new Set((await ofHook(bench)).map(({ id }) => id));
    const id = `run-${before.size}`;
    await bench.wait(hooks, [{ id }]);
    await bench.world.until(
      () => bench.result(id),
      (row) => row?.task !== undefined,
    );
    await change();
    await bench.wait(hooks, [{ id, status: 'TIMED_OUT' }]);
    const [task] = await bench.world.until(
      async () => (await ofHook(bench)).filter((one) => !before.has(one.id)),
      ([one]) => one?.lastStatus === 'STOPPED',
    );
    expect(task?.stoppedReason).toBe('The deployment does not wait for this hook any more');
    expect((await bench.result(id))?.status).toBe('IN_PROGRESS');
  }
});

test('a role that may not, one that is not there, and a task whose exit code would say nothing are refused before anything runs', async () => {
  await using bench = await HookBench.open();
  const { hooks, revision } = await commands(bench, 'migrate:1');
  bench.world.refusals.set('ecs:RunTask', 'no identity-based policy allows it');
  await bench.wait(hooks, [{ id: 'denied' }]);
  expect((await bench.decided('denied')).reason).toBe(
    `Command task ${revision.arn} failed: ${role} may not ecs:RunTask on ${revision.arn}: no identity-based policy allows it.`,
  );
  bench.noRole = new AwsError('NoSuchEntityException', `The role ${role} cannot be found.`);
  const container = { essential: true, memory: 64, image: 'migrate:1' };
  const two = await commands(bench, '', {
    containerDefinitions: [
      { ...container, name: 'app' },
      { ...container, name: 'side' },
    ],
  });
  const gone = { target: { type: 'task', taskDefinition: `${revision.arn}9` }, roleArn: role } as const;
  const nobodys = { target: { type: 'task', taskDefinition: revision.arn } } as const;
  await bench.wait(
    [...hooks, ...two.hooks, gone, nobodys],
    ['no role', 'two', 'gone', 'nobody'].map((id, hook) => ({ id, hook })),
  );
  expect((await bench.decided('no role')).reason).toMatch(/The role \S+ cannot be found/);
  expect((await bench.decided('two')).reason).toMatch(/must have exactly one essential container/);
  expect((await bench.decided('gone')).reason).toMatch(/Unable to describe task definition|not found|does not exist/i);
  expect((await bench.decided('nobody')).reason).toMatch(/it has no roleArn/);
  expect(await ofHook(bench)).toEqual([]);
});

test('a command task runs as the deployment does that waits for it, not as the service was made', async () => {
  await using bench = await HookBench.open();
  const { hooks } = await commands(bench, 'migrate:1');
  const launch = { launchType: 'FARGATE' } as const;
  await bench.change((service) => ({
    ...service,
    deployments: service.deployments.map((one) => ({ ...one, launch })),
  }));
  await bench.wait(hooks, [{}]);
  expect((await bench.decided()).reason).toMatch(/does not support launch_type FARGATE/);
});

test('room for a task is waited for: hosts that come back in time run it', async () => {
  await using bench = await HookBench.open();
  bench.world.behaviours.set('migrate', exits(0));
  await bench.world.changeInstance('i1', { agentConnected: false });
  const { hooks } = await commands(bench, 'migrate:1');
  await bench.wait(hooks, [{}]);
  const token = await bench.world.until(
    () => bench.world.storage.records.get(partition, 'token/RunTask/run-1'),
    (row) => row !== undefined,
  );
  expect(token?.value).toMatchObject({ done: false });
  expect(await bench.result()).toBeUndefined();
  await bench.world.changeInstance('i1', { agentConnected: true });
  expect((await bench.decided()).status).toBe('SUCCEEDED');
});
