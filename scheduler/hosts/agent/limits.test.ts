import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '@slipway/storage/clock';
import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { engineMissing, server, TestEngine } from '../testing/test-engine.ts';
import type { Agent } from './index.ts';
import { readHierarchy } from './limits/hierarchy.ts';
import { groupOf, TaskLimits } from './limits/index.ts';
import { run } from './network/index.ts';

const probe = new TaskLimits({
  agentId: randomBytes(8).toString('hex'),
  docker: new Docker(),
  run,
  clock: systemClock,
});
const missing = (await engineMissing()) ?? (await probe.reason());
await probe.close();

describe.skipIf(missing !== undefined && !process.env['CI'])(
  `the limits of tasks beside a Docker engine${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let agent: Agent;
    let dataDir: string;
    let instance: string;
    const pids = 24;
    const start = async (): Promise<void> => {
      agent = plane.agent({ dataDir, inspectEvery: 200, taskPidsLimit: pids });
      instance = await plane.join(agent);
    };

    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
      plane = await TestControlPlane.open();
      dataDir = await engine.folder();
      await start();
    });

    afterAll(() => endBench(agent, plane, engine), 60_000);

    /** The folder of a controller's group above that of a container, and a file of it. */
    async function groupFolder(containerId: string, controller: string): Promise<string> {
      const { controllers, unified = '' } = await readHierarchy();
      const { State } = await engine.docker.getContainer(containerId).inspect();
      const own = readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8')
        .split('\n')
        .map((line) => line.split(':'))
        .find(([, names = '']) => (controllers.has(controller) ? names.split(',').includes(controller) : names === ''));
      return join(controllers.get(controller) ?? unified, dirname(own?.[2] ?? ''));
    }
    const read = (folder: string, ...names: string[]): string =>
      readFileSync(join(folder, names.find((name) => existsSync(join(folder, name))) ?? ''), 'utf8').trim();

    const container = (name: string, script: string, more: object = {}) => {
      const { memory: _memory, ...own } = engine.container(name, script, more);
      return own;
    };
    const idOf = (task: { containers: readonly { name: string; runtimeId?: string }[] }, name: string): string =>
      task.containers.find((one) => one.name === name)?.runtimeId ?? '';

    test('hold all its containers together, and go with it', async () => {
      const containerDefinitions = [container('one', server), container('two', server)];
      const body = { cpu: '512', memory: '48', containerDefinitions };
      const { id, arn } = await plane.place(await plane.register(body), instance);
      const task = await plane.untilTask(id, 'RUNNING', 60_000);
      const folders: string[] = [];
      for (const controller of ['memory', 'cpu', 'pids']) {
        const folder = await groupFolder(idOf(task, 'one'), controller);
        expect(folder).toContain(groupOf(arn));
        expect(await groupFolder(idOf(task, 'two'), controller)).toBe(folder);
        folders.push(folder);
      }
      const [memory = '', cpu = '', processes = ''] = folders;
      expect(Number(read(memory, 'memory.limit_in_bytes', 'memory.max'))).toBe(48 * 1024 * 1024);
      expect(read(cpu, 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/);
      expect(read(processes, 'pids.max')).toBe(String(pids));
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED', 60_000);
      await until(() => (folders.some((folder) => existsSync(folder)) ? undefined : true), 'no group', 60_000);
    });

    test('of memory end the container that takes too much, which is told as OutOfMemoryError; no other is blamed', async () => {
      const containerDefinitions = [
        container('takes', 'sleep 1; exec busybox tail -c 200m /dev/zero'),
        // Does not hear SIGTERM, so that it ends with 137 as well.
        container('beside', "trap '' TERM; while :; do sleep 1; done", { essential: false }),
      ];
      const definition = await plane.register({ cpu: '512', memory: '48', containerDefinitions });
      const task = await plane.untilTask((await plane.place(definition, instance)).id, 'STOPPED', 60_000);
      expect(task).toMatchObject({
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
      });
      const [takes, beside] = task.containers;
      expect(takes).toMatchObject({ exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' });
      expect(beside?.exitCode).toBe(137);
      expect(beside?.reason).toBeUndefined();
    });

    test('of processes hold a task that starts more and more of them', async () => {
      const bomb = 'for i in $(busybox seq 1 60); do busybox sleep 600 & done; while :; do sleep 1; done';
      const containerDefinitions = [container('starts', bomb), container('beside', server)];
      const { id } = await plane.place(await plane.register({ memory: '48', containerDefinitions }), instance);
      const task = await until(async () => {
        const found = await plane.task(id);
        return idOf(found, 'starts') === '' ? undefined : found;
      }, 'the container');
      // The shell that cannot make one more ends, and with it the task; or it waits at the limit.
      const stopped = plane.untilTask(id, 'STOPPED', 60_000).then(() => 'stopped');
      const atLimit = until(
        async () => {
          // It may end at any moment, and its group with it.
          const count = await groupFolder(idOf(task, 'starts'), 'pids')
            .then((folder) => Number(read(folder, 'pids.current')))
            .catch(() => 0);
          expect(count).toBeLessThanOrEqual(pids);
          return count >= pids - 2 ? 'at the limit' : undefined;
        },
        'the limit',
        60_000,
      );
      stopped.catch(() => undefined);
      atLimit.catch(() => undefined);
      expect(await Promise.race([stopped, atLimit])).toBeDefined();
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED', 60_000);
    });

    test('leave no group behind of tasks that ended while the agent was away, nor one that nobody knows', async () => {
      const definition = await plane.register({ memory: '48', containerDefinitions: [container('main', server)] });
      const { id, arn } = await plane.place(definition, instance);
      const task = await plane.untilTask(id, 'RUNNING', 60_000);
      const folder = await groupFolder(idOf(task, 'main'), 'memory');
      expect(folder).toContain(groupOf(arn));
      const unknown = join(dirname(folder), randomBytes(16).toString('hex'));
      mkdirSync(unknown);
      await until(() => (existsSync(unknown) ? undefined : true), 'the unknown group swept');
      expect(existsSync(folder)).toBe(true);
      await agent.stop();
      execFileSync('docker', ['kill', idOf(task, 'main')]);
      await start();
      await plane.untilTask(id, 'STOPPED', 60_000);
      await until(() => (existsSync(folder) ? undefined : true), 'the group swept');
    });
  },
);
