import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@slipway/storage/clock';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { deregisterInstance, listInstances } from '../../cluster/index.ts';
import { serverReach } from '../../reach/index.ts';
import { TestControlPlane, until } from '../testing/bench.ts';
import { account, region } from '../testing/callers.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import type { Agent } from './index.ts';

const within = 180_000;
const ref = { account, cluster: 'default' };

let engine: FakeEngine;
let plane: TestControlPlane;
let agents: Agent[];
let dataDir: string;
let said: string[];

beforeEach(async () => {
  [agents, said] = [[], []];
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-agent-deregistered-'));
  engine = await FakeEngine.open();
  engine.images.add('local:latest');
  plane = await TestControlPlane.open({});
});

afterEach(async () => {
  for (const agent of agents) await agent.stop();
  await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<{ agent: Agent; instance: string }> {
  const note = (_fields: object, message: string): void => void said.push(message);
  const agent = plane.agent({
    dataDir,
    docker: engine.docker,
    inspectEvery: 100,
    log: { info: note, warn: note, error: note },
  });
  agents.push(agent);
  const { containerInstanceArn: instance } = await agent.start();
  await plane.untilConnected(instance, true, within);
  return { agent, instance };
}

async function run(instance: string): Promise<{ id: string; arn: string }> {
  const container = { name: 'main', image: 'local', essential: true, memory: 32 };
  const task = await plane.place(await plane.register({ containerDefinitions: [container] }), instance);
  await plane.untilTask(task.id, 'RUNNING', within);
  return task;
}

const ecs = () => ({
  records: plane.records,
  clock: systemClock,
  random: randomBytes,
  region,
  reach: serverReach({ ownHost: () => false }),
});

const deregister = (arn: string): Promise<unknown> =>
  deregisterInstance(ecs(), ref, arn.slice(arn.lastIndexOf('/') + 1), true);

/** The instance under which the host has joined anew. */
const joinedAnew = (before: string): Promise<string> =>
  until(
    async () => {
      const instances = await listInstances(ecs(), ref);
      return instances.find(({ arn, agentConnected }) => arn !== before && agentConnected)?.arn;
    },
    'a new container instance',
    within,
  );

const instances = (): Promise<{ arn: string }[]> => listInstances(ecs(), ref);

test('a host that was deregistered while it was away ends what it ran, and only then joins as a new instance', async () => {
  const { instance } = await start();
  const { arn } = await run(instance);
  await plane.stopServer();
  await deregister(instance);
  let refused = 0;
  engine.fail = (request) => (/^POST .*\/stop/.test(request) && refused++ >= 0 ? 'refuse' : undefined);
  await plane.startServer();

  await until(() => (refused > 2 ? true : undefined), 'orders to stop', within);
  expect((await instances()).map((one) => one.arn)).toEqual([instance]);
  engine.fail = () => undefined;
  const anew = await joinedAnew(instance);
  expect(engine.of(arn).filter(({ state }) => state === 'running')).toEqual([]);
  expect(said.filter((line) => /deregistered/.test(line))).toEqual([
    expect.stringMatching(/was deregistered: what it ran was given up and replaced elsewhere/),
    'ended the tasks of a container instance that was deregistered',
  ]);
  const file = JSON.parse(await readFile(join(dataDir, 'agent.json'), 'utf8')) as { registration: object };
  expect(file.registration).toMatchObject({ containerInstanceArn: anew });
  const mine = await run(anew);
  expect(engine.of(mine.arn)).toMatchObject([{ state: 'running', starts: 1 }]);
}, 180_000);

test('one that is deregistered while it is there does the same, and an agent that was not running when it starts', async () => {
  const first = await start();
  const { arn } = await run(first.instance);
  await deregister(first.instance);
  await until(() => (engine.of(arn)[0]?.state === 'exited' ? true : undefined), 'the end of what it ran', within);
  const second = await joinedAnew(first.instance);
  const { arn: next } = await run(second);

  await first.agent.stop();
  await plane.untilConnected(second, false, within);
  await deregister(second);
  const third = await start();
  expect([first.instance, second]).not.toContain(third.instance);
  expect(engine.of(next)).toMatchObject([{ state: 'exited' }]);
}, 240_000);
