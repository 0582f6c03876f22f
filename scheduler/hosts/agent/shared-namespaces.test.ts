import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TaskDefinitionBody } from '../../tasks/index.ts';
import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { engineMissing, server, TestEngine } from '../testing/test-engine.ts';
import type { Agent } from './index.ts';

const missing = await engineMissing();

describe.skipIf(missing !== undefined && !process.env['CI'])(
  'namespaces that the containers of a task share',
  { timeout: 180_000 },
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let agent: Agent;
    let instance: string;

    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
      plane = await TestControlPlane.open();
      // They end when they are told to, however long a busy machine takes: none is killed.
      agent = plane.agent({ dataDir: await engine.folder(), inspectEvery: 200, stopTimeout: 60_000 });
      instance = await plane.join(agent);
    });

    afterAll(() => endBench(agent, plane, engine), 60_000);

    /** What a shell prints in a container, trimmed. */
    async function inside(id: string, script: string): Promise<string> {
      const command = { Cmd: ['/bin/busybox', 'sh', '-c', script], AttachStdout: true, AttachStderr: true, Tty: true };
      const exec = await engine.docker.getContainer(id).exec(command);
      let said = '';
      for await (const chunk of await exec.start({ Tty: true })) said += String(chunk);
      return said.trim();
    }

    /** A running task of these two containers, and the ids of their containers by name. */
    async function running(task: Partial<TaskDefinitionBody>, more: object = {}) {
      const containerDefinitions = [engine.container('app', server, more), engine.container('helper', server)];
      const placed = await plane.place(await plane.register({ ...task, containerDefinitions }), instance);
      const { containers } = await plane.untilTask(placed.id, 'RUNNING', 60_000);
      expect(containers.map(({ name }) => name)).toEqual(['app', 'helper']);
      const [app = '', helper = ''] = containers.map(({ runtimeId }) => runtimeId);
      return { ...placed, app, helper };
    }

    async function stop({ id, arn }: { readonly id: string; readonly arn: string }): Promise<void> {
      await plane.stopTask(id);
      const { containers, stoppedReason } = await plane.untilTask(id, 'STOPPED', 60_000);
      expect(stoppedReason).toBe('Task stopped by user');
      expect(containers.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
      expect((await engine.containersOf(arn)).filter(({ State }) => State === 'running')).toEqual([]);
    }

    test('pidMode task: they see and signal each other, and nothing of the host; orphans are buried', async () => {
      const task = await running({ pidMode: 'task' });
      const [own, all] = await Promise.all(
        ['readlink /proc/self/ns/pid', 'ps | wc -l'].map((script) => inside(task.helper, `busybox ${script}`)),
      );
      expect(await inside(task.app, 'busybox readlink /proc/self/ns/pid')).toBe(own);
      // The holder, two shells with what they wait for, and what looks.
      expect(Number(all)).toBeLessThan(12);
      expect(await inside(task.helper, 'busybox cat /proc/1/comm')).toBe('pause');
      // An orphan's first process takes it in, and no other reads its end.
      await inside(task.app, '(busybox sleep 0 &) ; busybox sleep 0');
      await until(
        async () =>
          (await inside(task.helper, 'busybox grep -l "State:.Z" /proc/[0-9]*/status || echo none')) === 'none'
            ? true
            : undefined,
        'no zombie',
      );
      await stop(task);
    });

    test('ipcMode task: they share memory, of the size that one of them asks for, and its kernel parameters', async () => {
      const more = {
        linuxParameters: { sharedMemorySize: 96 },
        systemControls: [{ namespace: 'kernel.msgmax', value: '7777' }],
      };
      const task = await running({ ipcMode: 'task' }, more);
      await inside(task.app, 'echo shared > /dev/shm/note');
      expect(await inside(task.helper, 'busybox cat /dev/shm/note')).toBe('shared');
      expect(await inside(task.helper, 'busybox df -k /dev/shm')).toContain(` ${96 * 1024} `);
      expect(await inside(task.helper, 'busybox cat /proc/sys/kernel/msgmax')).toBe('7777');
      await stop(task);
    });

    test('without either, each container has its own', async () => {
      const task = await running({});
      expect((await engine.containersOf(task.arn)).length).toBe(2);
      for (const namespace of ['pid', 'ipc']) {
        const script = `busybox readlink /proc/self/ns/${namespace}`;
        expect(await inside(task.app, script)).not.toBe(await inside(task.helper, script));
      }
      await stop(task);
    });

    test('ipcMode none: no shared memory at all', async () => {
      const task = await running({ ipcMode: 'none' });
      expect(await inside(task.app, 'test -w /dev/shm && echo there || echo none')).toBe('none');
      await stop(task);
    });

    test('a container that is started again finds them as they were', async () => {
      const containerDefinitions = [
        engine.container('app', server),
        engine.container('flaky', 'echo x >> /dev/shm/starts; while test ! -e /dev/shm/end; do busybox sleep 1; done', {
          essential: false,
          // Whatever it ran for is enough.
          restartPolicy: { enabled: true, restartAttemptPeriod: 0 },
        }),
      ];
      const definition = await plane.register({ pidMode: 'task', ipcMode: 'task', containerDefinitions });
      const placed = await plane.place(definition, instance);
      const { containers } = await plane.untilTask(placed.id, 'RUNNING', 60_000);
      const app = containers[0]?.runtimeId ?? '';
      await inside(app, 'touch /dev/shm/end');
      const starts = await until(async () => {
        const count = Number(await inside(app, 'busybox wc -l < /dev/shm/starts'));
        return count > 1 ? count : undefined;
      }, 'another start');
      expect(starts).toBeGreaterThan(1);
      await plane.stopTask(placed.id);
      await plane.untilTask(placed.id, 'STOPPED', 60_000);
    });
  },
);
