import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { TestControlPlane } from '../testing/bench.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { taskSchema } from '../wire/index.ts';
import { volumeName } from './create-options.ts';
import { nameClash } from './name-clash.ts';

const id = 'fs-0123456789abcdef0';
const task = (containers: readonly string[], volumes: readonly string[] = []) =>
  taskSchema.parse({
    arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
    family: 'web',
    version: '3',
    desiredStatus: 'RUNNING',
    containers: containers.map((name) => ({ name, image: 'busybox' })),
    volumes: volumes.map((name, index) => ({
      name,
      ...(index === 0 ? { type: 'efs', fileSystem: { id, path: '/', readOnly: true } } : { type: 'docker' }),
    })),
  });

test.each([
  ['-internal-ecs-volumes'],
  ['-internal-ecs-pause'],
  ['-internal-ecs-folders'],
  ['~internal~ecs~volumes'],
  [`-internal-ecs-${'x'.repeat(80)}`],
])('no container is called as one of the agent is: %s', (name) => {
  expect(nameClash(task(['main', name]))).toBe(
    `container ${name}: names that begin with -internal-ecs- are the agent's own.`,
  );
});

test('no two containers or volumes of a task are one to the engine, however long their names', () => {
  expect(nameClash(task(['main', '-internal', 'internal-ecs-volumes', 'a'.repeat(200), 'a'.repeat(201)]))).toBe(
    undefined,
  );
  expect(nameClash(task(['a.b', 'a~b', 'a-b']))).toMatch(/^container a-b: /);
  expect(nameClash(task(['main'], ['data', 'data-1', 'b'.repeat(200), 'b'.repeat(201)]))).toBeUndefined();
  // Long names are cut, and told apart by 32 bits: whoever looks for two that agree finds them soon, and one is not held to what the other is.
  const seen = new Map<string, string>();
  const any = task([]);
  const same = (): [string, string] => {
    for (let number = 0; ; number += 1) {
      const name = `${'v'.repeat(40)}-${number}-padding`;
      const volume = volumeName(any, { name }) ?? '';
      const before = seen.get(volume);
      if (before !== undefined) return [before, name];
      seen.set(volume, name);
    }
  };
  expect(nameClash(task(['main'], same()))).toMatch(/^volume v+-\d+-padding: its name is another one's to the Docker/);
});

test('a task that would take the volumes of the container which holds all file systems is stopped with the reason', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-names-'));
  await using engine = await FakeEngine.open();
  await using plane = await TestControlPlane.open();
  const agent = plane.agent({ dataDir, docker: engine.docker, inspectEvery: 100 });
  try {
    engine.images.add('local:latest');
    const { containerInstanceArn } = await agent.start();
    const container = { image: 'local', essential: true, memory: 32 };
    const definition = await plane.register({
      containerDefinitions: [
        { ...container, name: '-internal-ecs-volumes' },
        { ...container, name: 'main', volumesFrom: [{ sourceContainer: '-internal-ecs-volumes' }] },
      ],
    });
    const { id: taskId } = await plane.place(definition, containerInstanceArn);
    const stopped = await plane.untilTask(taskId, 'STOPPED');
    expect(stopped.stoppedReason).toBe(
      "CannotCreateContainerError: container -internal-ecs-volumes: names that begin with -internal-ecs- are the agent's own.",
    );
    expect(engine.containers.size).toBe(0);
  } finally {
    await agent.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
