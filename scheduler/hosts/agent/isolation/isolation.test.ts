import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import type { AgentContainer, AgentTask } from '../../wire/index.ts';
import { type EngineRuntime, isolationBy } from './runtimes.ts';
import { IsolationError, TaskIsolation } from './index.ts';

const gvisor: EngineRuntime = { path: '/usr/bin/runsc', runtimeArgs: ['--network=host'] };

test.each<[string, EngineRuntime, object]>([
  ['gVisor with the network of the host', gvisor, { runtime: 'safe', several: true }],
  [
    'its flags in other ways of writing',
    { path: '/opt/runsc', runtimeArgs: ['-debug', '-network', 'host', '--ignore-cgroups=false'] },
    { several: true },
  ],
  ['Kata, of which each container is a machine', { runtimeType: 'io.containerd.kata.v2' }, { several: false }],
  ['Kata by its program', { path: '/usr/bin/kata-runtime', runtimeArgs: null }, { several: false }],
  [
    'gVisor with a network of its own',
    { path: '/usr/bin/runsc' },
    { reason: 'register the runtime safe with --network=host' },
  ],
  [
    'what is said last',
    { path: 'runsc', runtimeArgs: ['--network=host', '--network=sandbox'] },
    { reason: expect.stringMatching(/--network=host$/) },
  ],
  [
    'gVisor that nothing limits',
    { ...gvisor, runtimeArgs: ['--network=host', '--ignore-cgroups'] },
    { reason: expect.stringMatching(/--ignore-cgroups, so that nothing limits a task$/) },
  ],
  [
    'the same in another way of writing',
    { ...gvisor, runtimeArgs: ['--network=host', '-ignore-cgroups=1'] },
    { reason: expect.stringMatching(/--ignore-cgroups, so that nothing limits a task$/) },
  ],
  [
    'what isolates nothing',
    { path: '/usr/bin/crun' },
    { reason: expect.stringMatching(/neither gVisor \(runsc\) nor Kata$/) },
  ],
  [
    'a shim whose settings nobody sees',
    { runtimeType: 'io.containerd.runsc.v1' },
    { reason: expect.stringMatching(/--network=host$/) },
  ],
])('%s', (_, runtime, expected) => {
  expect(isolationBy('safe', { runc: {}, safe: runtime })).toMatchObject(expected);
});

test('a runtime that is not registered, or that only an object has, isolates nothing', () => {
  for (const name of ['runsc', 'constructor', 'a b', ''])
    expect(isolationBy(name, { safe: gvisor })).toEqual({
      reason: `no runtime ${name} is registered with the Docker engine`,
    });
});

const engine = (Runtimes: Record<string, EngineRuntime>) => ({ info: async () => ({ Runtimes }) }) as unknown as Docker;
const container = (name: string, more: object = {}) =>
  ({ name, dockerConfig: { config: '{}', hostConfig: '{}' }, ...more }) as unknown as AgentContainer;
const task = (more: object = {}) =>
  ({ launchType: 'FARGATE', containers: [container('main')], ...more }) as unknown as AgentTask;
const pause = container('~internal~ecs~pause');
const [main, side] = [container('main'), container('side')];

test('tasks of Fargate have the runtime; other tasks, and what the agent itself adds, the usual one', async () => {
  const isolation = new TaskIsolation(engine({ safe: gvisor }), 'safe');
  const two = task({ containers: [pause, main, side] });
  expect(await isolation.runtimeOf(two, main)).toBe('safe');
  expect(await isolation.runtimeOf(two, side)).toBe('safe');
  expect(await isolation.runtimeOf(two, pause)).toBeUndefined();
  expect(await isolation.runtimeOf(task({ launchType: 'EC2' }), main)).toBeUndefined();
  expect(await new TaskIsolation(engine({ safe: gvisor }), undefined).runtimeOf(task(), main)).toBeUndefined();
});

test('a task that cannot be isolated is refused, never run without', async () => {
  const isolation = new TaskIsolation(engine({ safe: gvisor }), 'safe');
  const sysctls = { config: '{}', hostConfig: JSON.stringify({ Sysctls: { 'net.core.somaxconn': '1024' } }) };
  for (const [more, why] of [
    [{ pidMode: 'task' }, /PID namespace/],
    [{ ipcMode: 'task' }, /IPC namespace/],
    [{ containers: [container('main', { dockerConfig: sysctls })] }, /systemControls/],
    [{ containers: [main, container('side', { firelensConfiguration: {} })] }, /log router/],
  ] as const) {
    const refused = isolation.runtimeOf(task(more), main);
    await expect(refused).rejects.toBeInstanceOf(IsolationError);
    await expect(refused).rejects.toThrow(why);
  }
  const kata = new TaskIsolation(engine({ vm: { runtimeType: 'io.containerd.kata.v2' } }), 'vm');
  expect(await kata.runtimeOf(task({ containers: [pause, main] }), main)).toBe('vm');
  await expect(kata.runtimeOf(task({ containers: [pause, main, side] }), side)).rejects.toThrow('several containers');
});

test('an engine that has lost the runtime starts nothing; the next look finds it again', async () => {
  const runtimes: Record<string, EngineRuntime> = {};
  const isolation = new TaskIsolation(engine(runtimes), 'safe');
  await expect(isolation.runtimeOf(task(), main)).rejects.toThrow('no runtime safe is registered');
  runtimes['safe'] = gvisor;
  expect(await isolation.look()).toEqual({ runtime: 'safe', several: true });
  expect(await isolation.runtimeOf(task(), main)).toBe('safe');
});
