import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { endBench, TestControlPlane } from '../testing/bench.ts';
import { engineMissing, server, TestEngine } from '../testing/test-engine.ts';
import type { Agent } from './index.ts';

const missing = await engineMissing();
const mebibytes = (count: number): number => count / 1024;

describe.skipIf(missing !== undefined && !process.env['CI'])(
  'the ephemeral storage of tasks beside a Docker engine',
  { timeout: 240_000 },
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let agent: Agent;
    let instance: string;

    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
      plane = await TestControlPlane.open();
      agent = plane.agent({ dataDir: await engine.folder(), inspectEvery: 200, countStorageEvery: 200 });
      instance = await plane.join(agent);
    });

    afterAll(() => endBench(agent, plane, engine), 60_000);

    /** A task with so much storage, of containers that run these scripts and have the volume `scratch`. */
    async function placed(ephemeralStorage: number, ...scripts: readonly string[]) {
      const mountPoints = [{ sourceVolume: 'scratch', containerPath: '/scratch' }];
      const containerDefinitions = scripts.map((script, index) =>
        engine.container(`c${index}`, `${script}; ${server}`, { mountPoints }),
      );
      const definition = await plane.register({ volumes: [{ name: 'scratch', host: {} }], containerDefinitions });
      return plane.place(definition, instance, { ephemeralStorage });
    }
    const write = (path: string, count: number): string => `busybox head -c ${count}m /dev/zero > ${path}`;
    const over = (id: string) => plane.untilTask(id, 'STOPPED', 90_000);

    test('is for all of its containers and volumes together: who takes more is stopped, and says so', async () => {
      const scripts = [write('/file', 10), `${write('/file', 10)}; ${write('/scratch/file', 10)}`];
      const task = await over((await placed(mebibytes(24), ...scripts)).id);
      expect(task.stoppedReason).toMatch(
        /^ContainerRuntimeError: no space left on device: the files of the task take 0\.0\d GiB, and its ephemeral storage is 0\.0234375 GiB$/,
      );
      expect(task.stopCode).toBe('EssentialContainerExited');
    });

    test('is what files take, not what they say: one with holes and one of many names stop nobody', async () => {
      const holes = 'busybox truncate -s 4g /holes';
      const names = `${write('/file', 8)}; for i in 1 2 3 4 5; do busybox ln /file /file$i; done; touch /ready`;
      const within = await placed(mebibytes(24), `${holes}; ${names}`);
      await plane.untilTask(within.id, 'RUNNING', 60_000);
      // Others, placed later, were counted; and then once more.
      for (const _ of [1, 2]) await over((await placed(mebibytes(24), write('/file', 40))).id);
      expect(await plane.task(within.id)).toMatchObject({ desiredStatus: 'RUNNING', lastStatus: 'RUNNING' });
      await plane.stopTask(within.id);
      expect((await over(within.id)).stoppedReason).toBe('Task stopped by user');
    });

    test('is no matter of tasks that have none; their host says how it holds others to theirs', async () => {
      const main = engine.container('main', `${write('/file', 40)}; ${server}`);
      const free = await plane.place(await plane.register({ containerDefinitions: [main] }), instance);
      await plane.untilTask(free.id, 'RUNNING', 60_000);
      await over((await placed(mebibytes(1), write('/file', 4))).id);
      expect((await plane.task(free.id)).lastStatus).toBe('RUNNING');
      await plane.stopTask(free.id);
      await over(free.id);
      const value = expect.stringMatching(/^(counted|quota)$/) as string;
      expect((await plane.instance(instance)).attributes).toContainEqual({ name: 'slipway.storage', value });
    });
  },
);
