import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { TestControlPlane } from '../testing/bench.ts';
import { FakeEngine } from '../testing/fake-engine.ts';

let engine: FakeEngine;
let plane: TestControlPlane;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-agent-identity-'));
  engine = await FakeEngine.open();
  plane = await TestControlPlane.open();
});

afterEach(async () => {
  await plane[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Runs an agent until its control connection stands. @returns its instance */
async function run(name: string): Promise<string> {
  const agent = plane.agent({ dataDir: join(folder, name), docker: engine.docker, inspectEvery: 100 });
  try {
    const { containerInstanceArn } = await agent.start();
    await plane.untilConnected(containerInstanceArn, true);
    return containerInstanceArn;
  } finally {
    await agent.stop();
  }
}

test('two agents with the keys of one principal have secrets of their own; a restart keeps its agent the same', async () => {
  const one = await run('one');
  const { secretHash } = await plane.instance(one);
  expect(secretHash).toBeDefined();
  await plane.untilConnected(one, false);

  expect(await run('one')).toBe(one);
  expect((await plane.instance(one)).secretHash).toBe(secretHash);

  const two = await run('two');
  expect(two).not.toBe(one);
  expect((await plane.instance(two)).secretHash).not.toBe(secretHash);
});

test('the secret lies in files of the data folder that nobody else can read', async () => {
  await run('one');
  for (const entry of await readdir(join(folder, 'one'), { withFileTypes: true })) {
    const { mode } = await stat(join(entry.parentPath, entry.name));
    expect([entry.name, (mode & 0o077).toString(8)]).toEqual([entry.name, '0']);
  }
});
