import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { TestControlPlane, until } from '../testing/bench.ts';
import { engineMissing, TestEngine } from '../testing/test-engine.ts';
import { TestRegistry } from '../testing/registry.ts';
import type { Agent } from './index.ts';

const missing = await engineMissing();

describe.skipIf(missing !== undefined && !process.env['CI'])(
  'images that no task needs any more',
  { timeout: 240_000 },
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let registry: TestRegistry;
    let agent: Agent;
    let instance: string;
    const removed: string[] = [];

    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
      registry = await TestRegistry.open(engine.image);
      plane = await TestControlPlane.open({ registry });
      const info = (about: object, message: string): void => {
        if (message === 'removed an image that no task needs') removed.push((about as { image: string }).image);
      };
      agent = plane.agent({
        dataDir: await engine.folder(),
        inspectEvery: 200,
        cleanupAfter: 1_000,
        pullBehavior: 'default',
        allow: { registryAddresses: ['127.0.0.1/32'] },
        imageCleanup: { every: 300, minimumAge: 1, perCycle: 5 },
        log: { info, warn: () => undefined, error: () => undefined },
      });
      instance = await plane.join(agent);
    });

    afterAll(async () => {
      await agent?.stop();
      // What a test that failed left.
      for (const { Id } of await ofRegistry()) await engine?.docker.getImage(Id).remove({ force: true });
      await plane?.[Symbol.asyncDispose]();
      await engine?.[Symbol.asyncDispose]();
    });

    /** The engine's images that came from the test's registry. */
    const ofRegistry = async (): Promise<Docker.ImageInfo[]> =>
      ((await engine?.docker.listImages({ digests: true })) ?? []).filter(({ RepoDigests: names }) =>
        (names ?? []).some((name) => name.endsWith(registry.digest)),
      );

    const run = async (repository: string, command?: string[]) => {
      const image = `${new URL(plane.endpoint).host}/${repository}:1`;
      const main = { name: 'main', image, memory: 32, ...(command === undefined ? {} : { command }) };
      return plane.place(await plane.register({ containerDefinitions: [main] }), instance);
    };

    test('stay while a task runs, go with its containers, and come again for the next one', async () => {
      const first = await run('team/web', ['trap "exit 0" TERM; while :; do busybox sleep 1 & wait $!; done']);
      await plane.untilTask(first.id, 'RUNNING', 90_000);
      const [image] = await ofRegistry();
      expect(image).toBeDefined();
      // Another one, that ends, has the agent look at images meanwhile.
      const second = await run('team/web');
      await plane.untilTask(second.id, 'STOPPED', 90_000);
      await until(
        async () => ((await engine.containersOf(second.arn)).length === 0 ? true : undefined),
        'its containers gone',
      );
      expect(removed).toEqual([]);
      expect((await ofRegistry()).map(({ Id }) => Id)).toEqual([image?.Id]);
      await plane.stopTask(first.id);
      await plane.untilTask(first.id, 'STOPPED', 90_000);
      await until(async () => ((await ofRegistry()).length === 0 ? true : undefined), 'the image gone', 90_000);
      // The engine is done a moment before its answer is here.
      await until(() => (removed.length > 0 ? true : undefined), 'the removal told of');
      expect(removed).toEqual([image?.Id]);
      const third = await run('team/web');
      const task = await plane.untilTask(third.id, 'STOPPED', 90_000);
      expect(task.containers[0]).toMatchObject({ exitCode: 21 });
      await until(async () => ((await ofRegistry()).length === 0 ? true : undefined), 'the image gone again', 90_000);
    });

    test('stay when somebody else gave them a name, and when they were there before', async () => {
      const { id, arn } = await run('team/api', ['trap "exit 0" TERM; while :; do busybox sleep 1 & wait $!; done']);
      await plane.untilTask(id, 'RUNNING', 90_000);
      const [image] = await ofRegistry();
      await engine.docker.getImage(image?.Id ?? '').tag({ repo: `${engine.image.split(':')[0] ?? ''}-mine`, tag: '1' });
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED', 90_000);
      await until(
        async () => ((await engine.containersOf(arn)).length === 0 ? true : undefined),
        'its containers gone',
      );
      // Brought again: it is somebody's, who keeps it.
      const again = await run('team/api');
      await plane.untilTask(again.id, 'STOPPED', 90_000);
      await until(async () => ((await engine.containersOf(again.arn)).length === 0 ? true : undefined), 'gone too');
      expect((await ofRegistry()).map(({ Id }) => Id)).toEqual([image?.Id]);
    });
  },
);
