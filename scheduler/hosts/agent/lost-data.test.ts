import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { instanceView } from '../../cluster/index.ts';
import type { Agent } from './index.ts';
import { TestControlPlane, until } from '../testing/bench.ts';
import type { BenchOptions } from '../testing/serve.ts';
import { FakeEngine } from '../testing/fake-engine.ts';

let engine: FakeEngine;
let planes: TestControlPlane[];
let agents: Agent[];
let folder: string;
let warnings: string[];

beforeEach(async () => {
  [planes, agents, warnings] = [[], [], []];
  folder = await mkdtemp(join(tmpdir(), 'slipway-agent-lost-'));
  engine = await FakeEngine.open();
  engine.images.add('local:latest');
});

afterEach(async () => {
  for (const agent of agents) await agent.stop();
  for (const plane of planes) await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function open(options: BenchOptions): Promise<TestControlPlane> {
  const plane = await TestControlPlane.open(options);
  planes.push(plane);
  return plane;
}

/** An agent on the engine, with a data folder of that name. */
async function start(plane: TestControlPlane, name: string): Promise<{ agent: Agent; instance: string }> {
  const log = {
    info: () => undefined,
    error: () => undefined,
    warn: (_fields: object, message: string) => void warnings.push(message),
  };
  const agent = plane.agent({ dataDir: join(folder, name), docker: engine.docker, inspectEvery: 100, log });
  agents.push(agent);
  const { containerInstanceArn } = await agent.start();
  await plane.untilConnected(containerInstanceArn, true);
  return { agent, instance: containerInstanceArn };
}

async function run(plane: TestControlPlane, instance: string): Promise<{ id: string; arn: string }> {
  const container = { name: 'main', image: 'local', essential: true, memory: 32 };
  const task = await plane.place(await plane.register({ containerDefinitions: [container] }), instance);
  await plane.untilTask(task.id, 'RUNNING');
  return task;
}

const untilGone = (arn: string): Promise<true> =>
  until(() => (engine.of(arn).length === 0 ? true : undefined), 'the end of the containers', 45_000);

test('what an agent left whose data folder is lost is ended by the next one on its engine, and it says so', async () => {
  const plane = await open({ abandonAfter: 1 });
  const first = await start(plane, 'lost');
  const { arn } = await run(plane, first.instance);
  await first.agent.stop();
  await plane.untilConnected(first.instance, false);
  await rm(join(folder, 'lost'), { recursive: true });

  const second = await start(plane, 'lost');
  expect(second.instance).not.toBe(first.instance);
  await untilGone(arn);
  expect(warnings.filter((warning) => /another agent/.test(warning))).toEqual([
    expect.stringMatching(/has containers that another agent made for tasks of this cluster/),
    expect.stringMatching(/ending what another agent left on this Docker engine when its data was lost/),
  ]);
  const found = await plane.instance(second.instance);
  expect(found.strays).toMatchObject({ ended: 1, left: 0, of: [] });
  expect(instanceView(found, []).statusReason).toMatch(
    /containers of this installation that this agent does not know, .*: another agent's data folder was lost, or this one's is new\. Those of 1 tasks were ended\.$/,
  );
});

test('it runs on while the control plane wants it and its agent may be back, and ends when it is told to', async () => {
  const plane = await open({});
  const first = await start(plane, 'lost');
  const { id, arn } = await run(plane, first.instance);
  await first.agent.stop();
  const away = await until(async () => {
    const record = await plane.instance(first.instance);
    return record.connectionId === undefined ? record : undefined;
  }, 'the end of its connection');
  // By the clock of the server that noted it, which is far behind, it has been away for long.
  await plane.putInstance({ ...away, connectivityChangedAt: 1 });

  const second = await start(plane, 'second');
  const mine = await run(plane, second.instance);
  expect(engine.of(arn)).toMatchObject([{ state: 'running' }]);
  const { strays, ...others } = await until(async () => {
    const record = await plane.instance(second.instance);
    return record.strays === undefined ? undefined : record;
  }, 'what the second agent found');
  expect(strays).toMatchObject({ ended: 0, left: 1, of: [first.instance.split('/').at(-1)] });
  expect(instanceView({ ...others, strays: strays! }, []).statusReason).toMatch(
    / 1 of container instance .* stay while/,
  );
  await second.agent.stop();
  await plane.stopTask(id);
  await start(plane, 'second');
  await untilGone(arn);
  expect(engine.of(mine.arn)).toMatchObject([{ state: 'running', starts: 1 }]);
});

test("an agent that lives keeps its containers, and so does another installation's", async () => {
  const [plane, other] = [await open({ abandonAfter: 0 }), await open({ abandonAfter: 0 })];
  const first = await start(plane, 'first');
  const { id, arn } = await run(plane, first.instance);
  const theirs = await run(other, (await start(other, 'other')).instance);

  const second = await start(plane, 'second');
  await run(plane, second.instance);
  await plane.stopTask(id);
  await plane.untilTask(id, 'STOPPED');
  // Kept for a while by its own agent, as of any task that is over.
  expect(engine.of(arn)).toHaveLength(1);
  expect(engine.of(theirs.arn)).toMatchObject([{ state: 'running' }]);
  expect(warnings.filter((warning) => /ending what/.test(warning))).toEqual([]);
});
