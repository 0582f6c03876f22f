import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Agent } from './index.ts';
import type { SavedTask } from './saved-task.ts';
import { TestControlPlane, until } from '../testing/bench.ts';
import { type FakeContainer, FakeEngine } from '../testing/fake-engine.ts';

let engine: FakeEngine;
let plane: TestControlPlane;
let agent: Agent;
let dataDir: string;
let instance: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-agent-endings-'));
  engine = await FakeEngine.open();
  engine.images.add('local:latest');
  plane = await TestControlPlane.open();
  await start();
});

afterEach(async () => {
  await agent.stop();
  await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  agent = plane.agent({ dataDir, docker: engine.docker, inspectEvery: 100 });
  instance = (await agent.start()).containerInstanceArn;
}

/** A running task of one container, and its container. */
async function run(more: Partial<ContainerDefinition> = {}): Promise<{ id: string; container: FakeContainer }> {
  const container = { name: 'main', image: 'local', essential: true, memory: 32, ...more };
  const { id, arn } = await plane.place(await plane.register({ containerDefinitions: [container] }), instance);
  await plane.untilTask(id, 'RUNNING');
  const [made] = engine.of(arn);
  if (made === undefined) throw new Error('a running task without a container');
  return { id, container: made };
}

const creations = (): number => engine.asked.filter((request) => request === 'POST /containers/create').length;

test('what was started once is never started again: gone while the agent was away, it is reported as stopped', async () => {
  const { id, container } = await run();
  await agent.stop();
  engine.exit(container, 0);
  engine.prune(container);
  await start();
  const task = await plane.untilTask(id, 'STOPPED');
  expect(task.stoppedReason).toBe('ContainerRuntimeError: the container was removed from the Docker engine');
  expect(creations()).toBe(1);
});

describe('a task file of an agent that noted no starts', () => {
  /** Takes out of the only task file what older agents did not write. */
  async function forgetStarts(): Promise<void> {
    const [name = ''] = await readdir(join(dataDir, 'tasks'));
    const path = join(dataDir, 'tasks', name);
    const { started, ...rest } = JSON.parse(await readFile(path, 'utf8')) as { started: string[] };
    expect(started).toEqual(['main']);
    await writeFile(path, JSON.stringify(rest));
  }

  test('what it cannot find any more is reported as stopped, and not started again', async () => {
    const { id, container } = await run();
    await agent.stop();
    await forgetStarts();
    engine.exit(container, 0);
    engine.prune(container);
    await start();
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task.stoppedReason).toBe('ContainerRuntimeError: the container was removed from the Docker engine');
    expect(creations()).toBe(1);
  });

  test('what runs, runs on', async () => {
    const { id, container } = await run();
    await agent.stop();
    await forgetStarts();
    await start();
    engine.exit(container, 3);
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task.containers[0]).toMatchObject({ exitCode: 3 });
    expect(container.starts).toBe(1);
  });
});

test('a start that did not reach the engine is tried again, on the same container', async () => {
  engine.fail = (request) => (request.endsWith('/start') ? 'drop' : undefined);
  const container = { name: 'main', image: 'local', essential: true, memory: 32 };
  const { id, arn } = await plane.place(await plane.register({ containerDefinitions: [container] }), instance);
  const made = await until(() => engine.of(arn)[0], 'the container');
  engine.fail = () => undefined;
  expect(made.starts).toBe(0);
  expect((await plane.untilTask(id, 'RUNNING')).containers[0]?.runtimeId).toBe(made.id);
});

describe('a restart policy', () => {
  const restartPolicy = { enabled: true, restartAttemptPeriod: 0, ignoredExitCodes: [7] };

  test('keeps a container RUNNING, with its last exit code, also after the agent was started again', async () => {
    const { id, container } = await run({ restartPolicy });
    engine.exit(container, 3);
    const task = await until(async () => {
      const found = await plane.task(id);
      return container.starts === 2 && found.containers[0]?.exitCode === 3 ? found : undefined;
    }, 'the restart and the last exit code');
    expect(task).toMatchObject({ lastStatus: 'RUNNING', containers: [{ lastStatus: 'RUNNING', exitCode: 3 }] });
    await agent.stop();
    await start();
    engine.exit(container, 4);
    await until(async () => ((await plane.task(id)).containers[0]?.exitCode === 4 ? true : undefined), 'exit code 4');
    expect((await plane.task(id)).containers[0]?.lastStatus).toBe('RUNNING');
  });

  test('counts an end once, however often the start after it fails and the agent is killed', async () => {
    const { id, container } = await run({ restartPolicy });
    const savedRestarts = async () => {
      const [file = ''] = (await readdir(join(dataDir, 'tasks'))).filter((name) => name.endsWith('.json'));
      const saved = JSON.parse(await readFile(join(dataDir, 'tasks', file), 'utf8')) as SavedTask;
      return saved.restarts?.['main'];
    };
    for (const count of [1, 2]) {
      const starts = (): number => engine.asked.filter((request) => request.endsWith('/start')).length;
      engine.fail = (request) => (request.endsWith('/start') ? 'drop' : undefined);
      const before = starts();
      engine.exit(container, 3);
      await until(() => (starts() >= before + 2 ? true : undefined), 'two attempts');
      await agent.stop();
      await start();
      await until(() => (starts() >= before + 4 ? true : undefined), 'two attempts of the next agent');
      engine.fail = () => undefined;
      await until(() => (container.state === 'running' ? true : undefined), 'the restart');
      expect(await savedRestarts()).toMatchObject({ count, exitCode: 3 });
    }
    expect((await plane.task(id)).lastStatus).toBe('RUNNING');
  });

  test('of a container that its memory limit ended, and that runs again, leaves no reason behind', async () => {
    const { id, container } = await run({ restartPolicy });
    engine.exit(container, 137, true);
    await until(async () => ((await plane.task(id)).containers[0]?.exitCode === 137 ? true : undefined), 'the restart');
    expect((await plane.task(id)).containers[0]?.reason).toBeUndefined();
    await until(() => (container.state === 'running' ? true : undefined), 'the restart');
    engine.exit(container, 7);
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task.containers[0]).toMatchObject({ exitCode: 7 });
    expect(task.containers[0]?.reason).toBeUndefined();
  });

  test('ends with an exit code that it ignores', async () => {
    const { id, container } = await run({ restartPolicy });
    engine.exit(container, 7);
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task.containers[0]).toMatchObject({ lastStatus: 'STOPPED', exitCode: 7 });
    expect(container.starts).toBe(1);
  });
});

describe('OutOfMemoryError is the reason', () => {
  test('of a container that its memory limit ended', async () => {
    const { id, container } = await run();
    engine.exit(container, 137, true);
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task.containers[0]?.reason).toBe('OutOfMemoryError: Container killed due to memory usage');
    expect(task.stoppedReason).toBe('Essential container in task exited');
  });

  test.each([
    [0, true],
    [1, true],
    [137, false],
  ])('and not where a process in it was killed and it ended by itself with %i', async (exitCode, oom) => {
    const { id, container } = await run();
    engine.exit(container, exitCode, oom);
    expect((await plane.untilTask(id, 'STOPPED')).containers[0]?.reason).toBeUndefined();
  });

  test('and not of a task that a user stopped', async () => {
    const { id, container } = await run();
    engine.fail = (request) => {
      if (request.endsWith('/stop')) engine.exit(container, 137, true);
      return undefined;
    };
    await plane.stopTask(id);
    const task = await plane.untilTask(id, 'STOPPED');
    expect(task).toMatchObject({ stopCode: 'UserInitiated', containers: [{ exitCode: 137 }] });
    expect(task.containers[0]?.reason).toBeUndefined();
  });
});
