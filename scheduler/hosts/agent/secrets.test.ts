import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { principalOf } from '../testing/callers.ts';
import { engineMissing, server, TestEngine } from '../testing/test-engine.ts';
import type { Agent } from './index.ts';

const missing = await engineMissing();
const canary = 'canary-c417';
const executionRoleArn = 'arn:aws:iam::000000000000:role/execution';

// Under CI a missing engine is a failure: the first hook throws.
describe.skipIf(missing !== undefined && !process.env['CI'])('secrets on a host', { timeout: 180_000 }, () => {
  let plane: TestControlPlane;
  let engine: TestEngine;
  let agent: Agent;
  let dataDir: string;
  let instance: string;
  let away = false;

  const start = async (): Promise<void> => {
    agent = plane.agent({ dataDir });
    instance = await plane.join(agent);
  };

  beforeAll(async () => {
    engine = await TestEngine.open();
    plane = await TestControlPlane.open({
      taskCredentials: () =>
        Promise.resolve({
          accessKeyId: 'KEY',
          secretAccessKey: 'secret',
          sessionToken: 'token',
          expiresAt: Date.now() + 3_600_000,
          principal: principalOf('two'),
        }),
      taskSecrets: () =>
        away
          ? Promise.reject(new Error('the store is away'))
          : Promise.resolve({ main: { environment: { PASSWORD: canary }, logOptions: {} } }),
    });
    dataDir = await engine.folder();
    await start();
  }, 120_000);

  afterAll(() => endBench(agent, plane, engine), 120_000);

  /** Every file of the agent. */
  async function files(): Promise<string> {
    const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
    const found = entries.filter((entry) => entry.isFile());
    return (await Promise.all(found.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
  }

  /** A task whose container with a secret waits for another one, which runs. */
  async function waiting() {
    const main = engine.container('main', server, {
      secrets: [{ name: 'PASSWORD', valueFrom: 'password' }],
      environment: [{ name: 'PLAIN', value: 'plain' }],
      dependsOn: [{ containerName: 'first', condition: 'COMPLETE' }],
      stopTimeout: 1,
    });
    const first = engine.container('first', server, { essential: false, stopTimeout: 1 });
    const { id, arn } = await plane.place(
      await plane.register({ executionRoleArn, containerDefinitions: [first, main] }),
      instance,
    );
    const running = await until(
      async () => (await engine.containersOf(arn)).find(({ State }) => State === 'running'),
      'the first container',
    );
    return { id, arn, first: engine.docker.getContainer(running.Id) };
  }

  test('reach a container that is made after its agent was started again, and lie in none of its files', async () => {
    const { id, arn, first } = await waiting();
    const written = await files();
    expect([written.includes(id), written.includes(canary)]).toEqual([true, false]);

    await agent.stop();
    await start();
    await first.kill();
    await plane.untilTask(id, 'RUNNING');
    const made = (await engine.containersOf(arn)).find(({ State }) => State === 'running');
    const info = await engine.docker.getContainer(made?.Id ?? '').inspect();
    expect(info.Config.Env).toEqual(expect.arrayContaining([`PASSWORD=${canary}`, 'PLAIN=plain']));
    expect(JSON.stringify(info.Config.Labels)).not.toContain(canary);
    expect(await files()).not.toContain(canary);
    await plane.stopTask(id);
    await plane.untilTask(id, 'STOPPED');
  });

  test('that do not come again keep a container from being made, and its task from nothing else', async () => {
    const { id, arn, first } = await waiting();
    await agent.stop();
    away = true;
    await start();
    await first.kill();
    await until(
      async () => (await engine.containersOf(arn)).find(({ State }) => State === 'exited'),
      'the end of the first',
    );
    await plane.stopTask(id);
    await plane.untilTask(id, 'STOPPED');
    expect((await engine.containersOf(arn)).map(({ State }) => State)).toEqual(['exited']);
  });
});
