import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FailingWay, failures, UnhandledRejections } from '@slipway/auth/outbound/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Agent } from './index.ts';
import { TestControlPlane } from '../testing/bench.ts';
import { keysOf, principalOf } from '../testing/callers.ts';
import { FakeEngine } from '../testing/fake-engine.ts';

let engine: FakeEngine;
let plane: TestControlPlane;
let way: FailingWay;
let agent: Agent | undefined;
let dataDir: string;
/** How often the execution role's credentials are still not to be had. */
let withoutKeys = 0;
const unhandled = new UnhandledRejections();

beforeAll(async () => {
  engine = await FakeEngine.open();
  plane = await TestControlPlane.open({
    taskCredentials: async () => {
      if (withoutKeys-- > 0) throw new Error('injected');
      return {
        ...keysOf('two'),
        sessionToken: 'session',
        expiresAt: Date.now() + 3_600_000,
        principal: principalOf('two'),
      };
    },
  });
  way = await FailingWay.open(plane.endpoint);
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-agent-lost-calls-'));
});
afterEach(async () => {
  way.fail = () => undefined;
  await agent?.stop();
  await rm(dataDir, { recursive: true, force: true });
});
afterAll(async () => {
  await way[Symbol.asyncDispose]();
  await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  unhandled[Symbol.dispose]();
});

let images = 0;
/** An image of the control plane's registry that the engine does not have yet. */
const newImage = (): string => `${new URL(way.url).host}/team/web:${++images}`;

/** Everything that an agent asks of its control plane. */
const calls = [
  'RegisterContainerInstance',
  'DiscoverPollEndpoint',
  'GET /agent/acs/ws',
  'GET /agent/tcs/ws',
  'SubmitTaskStateChange',
  'GetAuthorizationToken',
] as const;

test.each(failures)(
  'an agent of whose control plane every call first %s goes on asking: its tasks run, end and are reported',
  async (failure) => {
    const failed = new Map<string, number>();
    way.fail = (call) => {
      const times = failed.get(call) ?? 0;
      if (times >= 2) return undefined;
      failed.set(call, times + 1);
      return failure;
    };
    withoutKeys = 2;
    const image = newImage();
    engine.pullable.add(image);
    agent = plane.agent({ dataDir, endpoint: way.url, docker: engine.docker, inspectEvery: 100 });
    const { containerInstanceArn } = await agent.start();
    const definition = await plane.register({
      containerDefinitions: [{ name: 'main', image, essential: true, memory: 32 }],
      executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
    });
    const { id } = await plane.place(definition, containerInstanceArn);
    await plane.untilTask(id, 'RUNNING');
    await plane.stopTask(id);
    expect(await plane.untilTask(id, 'STOPPED')).toMatchObject({ stopCode: 'UserInitiated' });
    expect([...failed.keys()].toSorted()).toEqual([...calls].toSorted());
    expect(withoutKeys).toBeLessThan(0);
    expect(await unhandled.take()).toEqual([]);
  },
  180_000,
);

test.each(failures)(
  'a GetAuthorizationToken that always %s stops the task with the reason, and no other task',
  async (failure) => {
    way.fail = (call) => (call === 'GetAuthorizationToken' ? failure : undefined);
    agent = plane.agent({ dataDir, endpoint: way.url, docker: engine.docker, inspectEvery: 100 });
    const { containerInstanceArn } = await agent.start();
    const place = async (of: string) =>
      plane.place(
        await plane.register({ containerDefinitions: [{ name: 'main', image: of, essential: true, memory: 32 }] }),
        containerInstanceArn,
      );
    const task = await plane.untilTask((await place(newImage())).id, 'STOPPED');
    expect(task).toMatchObject({ stopCode: 'TaskFailedToStart' });
    expect(task.stoppedReason).toMatch(
      failure !== 'refuses' ? /^CannotPullContainerError: .*not answered/ : /^CannotPullContainerError: ./,
    );
    engine.images.add('local:latest');
    await plane.untilTask((await place('local')).id, 'RUNNING');
    expect(await unhandled.take()).toEqual([]);
  },
  180_000,
);
