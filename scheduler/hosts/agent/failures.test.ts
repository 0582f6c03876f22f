import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AwsError, type Principal } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Agent, AgentOptions } from './index.ts';
import { TestControlPlane, until } from '../testing/bench.ts';
import { keysOf, principalOf } from '../testing/callers.ts';
import type { BenchOptions } from '../testing/serve.ts';
import { type Failure, FakeEngine } from '../testing/fake-engine.ts';

let engine: FakeEngine;
let plane: TestControlPlane;
let agent: Agent | undefined;
let dataDir: string;
let instance: string;
let authorize: (principal: Principal) => Promise<void>;
const callers: string[] = [];

/** Rejections that nobody handles end a server's process. */
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

const roles: BenchOptions = {
  authorize: async (principal) => {
    callers.push(principal.arn);
    await authorize(principal);
  },
  // The second principal plays the execution role.
  taskCredentials: async () => ({
    ...keysOf('two'),
    sessionToken: 'session',
    expiresAt: Date.now() + 3_600_000,
    principal: principalOf('two'),
  }),
};
const role = `arn:aws:iam::000000000000:user/two`;

beforeEach(async () => {
  callers.length = 0;
  unhandled.length = 0;
  authorize = async () => undefined;
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-agent-failures-'));
  engine = await FakeEngine.open();
  plane = await TestControlPlane.open(roles);
  await start();
});

afterEach(async () => {
  await agent?.stop();
  await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
  if (unhandled.length > 0) throw new AggregateError(unhandled, 'rejections that nobody handled');
});

async function start(more: Partial<AgentOptions> = {}): Promise<void> {
  agent = plane.agent({
    dataDir,
    docker: engine.docker,
    inspectEvery: 100,
    resolve: (host) => Promise.resolve([host === 'inner.example' ? '10.0.0.1' : '93.184.215.14']),
    ...more,
  });
  instance = (await agent.start()).containerInstanceArn;
}

/** A task of one container; with `image` pulled with its execution role's rights. */
async function place(image?: string) {
  if (image === undefined) engine.images.add('local:latest');
  const container = { name: 'main', image: image ?? 'local', essential: true, memory: 32 };
  const definition = await plane.register({
    containerDefinitions: [container],
    ...(image === undefined ? {} : { executionRoleArn: 'arn:aws:iam::000000000000:role/execution' }),
  });
  return plane.place(definition, instance);
}

const ours = (): string => `${new URL(plane.endpoint).host}/team/web:1`;

describe('a GetAuthorizationToken that fails', () => {
  test.each([
    ['is refused', new AwsError('AccessDeniedException', 'not authorized to perform ecr:GetAuthorizationToken'), 1],
    ['is answered with an error of the server', new AwsError('ServerException', 'broken', { status: 500 }), 9],
  ])('%s stops the task, and only the task', async (_how, failure, times) => {
    authorize = () => Promise.reject(failure);
    const { id } = await place(ours());
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task).toMatchObject({ stopCode: 'TaskFailedToStart' });
    expect(task.stoppedReason).toMatch(new RegExp(`^CannotPullContainerError: .*${failure.message}`));
    expect(task.containers[0]?.reason).toBe(task.stoppedReason);
    expect(new Set(callers)).toEqual(new Set([role]));
    expect(callers).toHaveLength(times);
    await plane.untilTask((await place()).id, 'RUNNING');
  });

  test("does not stop another task's pull of the same image", async () => {
    // Each task asks for itself, whichever is first and leaves the image with the engine.
    await agent?.stop();
    await start({ pullBehavior: 'default' });
    engine.pullable.add(ours());
    authorize = async ({ arn }) => {
      if (arn === role) throw new AwsError('AccessDeniedException', 'the first one may not');
    };
    const agentPulls = await plane.register({
      containerDefinitions: [{ name: 'main', image: ours(), essential: true, memory: 32 }],
    });
    const refused = await place(ours());
    const allowed = await plane.place(agentPulls, instance);
    expect((await plane.untilTask(refused.id, 'STOPPED')).stoppedReason).toMatch(/the first one may not/);
    expect((await plane.untilTask(allowed.id, 'RUNNING')).stopCode).toBeUndefined();
  });
});

test("after a restart a pull waits for the execution role's credentials; the agent's own are never used", async () => {
  engine.pullable.add(ours());
  authorize = () => new Promise(() => undefined);
  const { id } = await place(ours());
  await until(() => callers[0], 'the first question');
  await agent?.stop();
  authorize = async () => undefined;
  await start();
  await plane.untilTask(id, 'RUNNING');
  expect(new Set(callers)).toEqual(new Set([role]));
});

test('a registry that refuses a login is believed, although the engine has the image from another time', async () => {
  await agent?.stop();
  engine.images.add(ours());
  engine.pullError = 'denied: requested access to the resource is denied';
  agent = plane.agent({ dataDir, docker: engine.docker, pullBehavior: 'default' });
  await agent.start();
  const task = await plane.untilTask((await place(ours())).id, 'STOPPED');
  expect(task.stoppedReason).toMatch(/^CannotPullContainerError: /);
});

describe('a pull that fails', () => {
  const reasonOf = async (image: string, said: string): Promise<string | undefined> => {
    engine.pullError = said;
    const definition = await plane.register({
      containerDefinitions: [{ name: 'main', image, essential: true, memory: 32 }],
    });
    const { id } = await plane.place(definition, instance);
    return (await plane.untilTask(id, 'STOPPED')).stoppedReason;
  };
  const pulls = (): number => engine.asked.filter((request) => request === 'POST /images/create').length;

  test("of this installation's registry says what the registry said", async () => {
    expect(await reasonOf(ours(), 'manifest unknown: words of ours')).toBe(
      'CannotPullContainerError: manifest unknown: words of ours',
    );
  });

  test('of another registry says what failed, and nothing of what was read', async () => {
    expect(await reasonOf('nothing.example/web:1', 'manifest unknown: SECRET')).toBe(
      'CannotPullContainerError: manifest for nothing.example/web:1 not found',
    );
    expect(pulls()).toBe(1);
  });

  test('F11: is not begun where the name of the registry leads to a private address', async () => {
    expect(await reasonOf('inner.example/web:1', 'manifest unknown')).toBe(
      "CannotPullContainerError: The image 'inner.example/web:1' is on inner.example, which resolves to a private address. The operator can open its range with the agent's option allow.registryAddresses.",
    );
    expect(await reasonOf('127.0.0.1:9991/x/y', 'manifest unknown')).toMatch(
      /^CannotPullContainerError: container main: .* is private/,
    );
    expect(pulls()).toBe(0);
  });

  test('F11: is refused also where the engine has the image from another time', async () => {
    await agent?.stop();
    engine.images.add('inner.example/web:1');
    await start({ pullBehavior: 'default' });
    expect(await reasonOf('inner.example/web:1', '')).toMatch(/resolves to a private address/);
  });

  test('of a text that is no reference is not tried', async () => {
    expect(await reasonOf('nothing.example/Web', '')).toBe(
      "CannotPullContainerError: invalid reference format: 'nothing.example/Web'",
    );
    expect(pulls()).toBe(0);
  });

  test("has the engine's words without those of its client", async () => {
    engine.fail = (request) => (request === 'POST /images/create' ? 'text' : undefined);
    expect(await reasonOf(ours(), '')).toBe('CannotPullContainerError: manifest for it not found: manifest unknown');
  });
});

/** A task of one container with a volume that tasks share, which the agent makes. */
async function placeWithVolume() {
  engine.images.add('local:latest');
  const mountPoints = [{ sourceVolume: 'shared', containerPath: '/shared' }];
  const definition = await plane.register({
    containerDefinitions: [{ name: 'main', image: 'local', essential: true, memory: 32, mountPoints }],
    volumes: [{ name: 'shared', dockerVolumeConfiguration: { scope: 'shared', autoprovision: true } }],
  });
  return plane.place(definition, instance);
}

/** What is asked of an engine, by kind. */
const kindOf = (request: string): string =>
  request
    .replace(/\/volumes\/(?!create).+/, '/volumes/*')
    .replace(/\/images\/.+\/json/, '/images/*')
    .replace(/\/containers\/(?!create|json$)[^/]+/, '/containers/*');

test('an answer to a start that is none of the engine ends the task, and does not leave it waiting', async () => {
  let times = 0;
  engine.fail = (request) => (/^POST .*\/start$/.test(request) && times++ === 0 ? 'garbage' : undefined);
  const task = await plane.untilTask((await place()).id, 'STOPPED');
  expect(task.stoppedReason).toMatch(/^CannotStartContainerError: the Docker engine gave no answer/);
});

test.each([
  ['POST /containers/create', 240_000, 'Could not transition to created; timed out after waiting 4m0s'],
  ['POST /containers/*/start', 180_000, 'Could not transition to running; timed out after waiting 3m0s'],
])('an engine that says nothing to %s is waited for, and not for ever', async (call, limit, reason) => {
  await agent?.stop();
  const heard = Promise.withResolvers<void>();
  // Only what waits for the engine waits for so long: its time is over as soon as the engine says nothing.
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    ms === limit ? heard.promise : systemClock.sleep(ms, signal);
  engine.fail = (request) => {
    if (kindOf(request) !== call) return undefined;
    heard.resolve();
    return 'silence';
  };
  await start({ clock: { now: () => systemClock.now(), monotonic: () => systemClock.monotonic(), sleep } });
  const { id } = await place();
  const { stoppedReason, containers } = await plane.untilTask(id, 'STOPPED');
  expect(`${stoppedReason} ${JSON.stringify(containers)}`).toContain(`ContainerRuntimeTimeoutError: ${reason}`);
});

test('whatever call fails, in whatever way, tasks end with a reason and the agent goes on', async () => {
  const modes: readonly Failure[] = ['refuse', 'garbage', 'drop'];
  const asked = new Map<string, number>();
  const failures = new Map<string, Set<Failure>>();
  let enough = false;
  engine.fail = (request) => {
    if (enough) return undefined;
    const kind = kindOf(request);
    const times = (asked.get(kind) ?? 0) + 1;
    asked.set(kind, times);
    // Every third request of a kind fails, in each way in turn.
    const mode = times % 3 === 1 ? modes[((times - 1) / 3) % modes.length] : undefined;
    if (mode !== undefined) failures.set(kind, (failures.get(kind) ?? new Set()).add(mode));
    return mode;
  };
  let logins = 0;
  authorize = async () => {
    logins += 1;
    if (!enough && logins % 3 === 1) throw new AwsError('AccessDeniedException', 'injected');
    if (!enough && logins % 3 === 2) throw new AwsError('ServerException', 'injected', { status: 500 });
  };
  engine.pullable.add(ours());
  const calls = [
    'GET /events',
    'GET /containers/json',
    'GET /images/*',
    'POST /images/create',
    'POST /containers/create',
    'GET /volumes/*',
    'POST /volumes/create',
  ];
  const wanted = [...calls, 'GET /containers/*/json', 'POST /containers/*/start', 'POST /containers/*/stop'];
  const placed: string[] = [];
  const all = async () => Promise.all(placed.map((id) => plane.task(id)));
  const stopRunning = async () => {
    for (const task of await all())
      if (task.lastStatus === 'RUNNING' && task.desiredStatus === 'RUNNING') await plane.stopTask(task.id);
  };
  await until(
    async () => {
      const open = (await all()).filter((task) => task.lastStatus !== 'STOPPED');
      const kinds = [() => place(), () => place(ours()), placeWithVolume];
      if (open.length < 6) placed.push((await (kinds[placed.length % kinds.length] ?? place)()).id);
      await stopRunning();
      const ways = new Set([...failures.values()].flatMap((seen) => [...seen]));
      return (wanted.every((kind) => failures.has(kind)) && ways.size === modes.length) || undefined;
    },
    'a failure of every kind of call, and every kind of failure',
    120_000,
  );
  enough = true;
  const over = await until(
    async () => {
      await stopRunning();
      const tasks = await all();
      return tasks.every((task) => task.lastStatus === 'STOPPED') ? tasks : undefined;
    },
    'the end of every task',
    120_000,
  );
  for (const task of over) expect(task.stoppedReason).toBeTruthy();
  await plane.untilTask((await place()).id, 'RUNNING');
}, 360_000);
