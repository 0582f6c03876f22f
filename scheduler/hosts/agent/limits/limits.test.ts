import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type AgentTask, taskSchema } from '../../wire/index.ts';
import { GroupFiles } from './group-files.ts';
import { readHierarchy } from './hierarchy.ts';
import { groupOf, limitsOf } from './limits.ts';
import { OtherAgents } from './other-agents.ts';
import { noLimits, type TaskLimitsPort } from './port.ts';
import { makeSlice, removeSlice, slicePath } from './slices.ts';
import { TaskGroup } from './task-group.ts';

const arn = 'arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef';
const task = (more: object): AgentTask =>
  taskSchema.parse({ arn, desiredStatus: 'RUNNING', containers: [{ name: 'a', image: 'i', cpu: 100 }], ...more });
const mebibyte = 1024 * 1024;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-limits-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the limits of a task', () => {
  test("are its sizes; without them it weighs what its containers' shares come to", () => {
    expect(limitsOf(task({ cpu: 0.25, memory: 512 }), 50)).toEqual({
      cpu: 0.25,
      shares: 256,
      memory: 512 * mebibyte,
      swap: true,
      pids: 50,
    });
    expect(limitsOf(task({}), 50)).toEqual({ shares: 100, swap: true, pids: 50 });
    const containers = [1, 0].map((cpu) => ({ name: `c${cpu}`, image: 'i', cpu }));
    expect(limitsOf(task({ containers }), 50).shares).toBe(2);
    expect(limitsOf(task({ memory: 1 }), 50).memory).toBe(6 * mebibyte);
  });

  test('leave Fargate no swap', () => {
    expect(limitsOf(task({ launchType: 'FARGATE' }), 50).swap).toBe(false);
  });

  test('stand in a group that is named by the task, and by nothing that a task could choose', () => {
    expect(groupOf(arn)).toBe('0123456789abcdef0123456789abcdef');
    for (const odd of ['a/../../b', 'x', `${arn}-1`, '']) expect(groupOf(odd)).toMatch(/^[0-9a-f]{32}$/);
    expect(groupOf('task/a-b')).not.toBe(groupOf('task/a_b'));
  });
});

describe('control groups of version 2', () => {
  const path = '/slipway/agent/task';
  const files = ['cpu.weight', 'cpu.max', 'memory.max', 'memory.swap.max', 'pids.max'];

  /** Folders as the kernel shows them, with a group that it has made already. */
  async function kernel(without: readonly string[] = []): Promise<GroupFiles> {
    await mkdir(join(folder, path), { recursive: true });
    await writeFile(join(folder, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    for (const at of ['', 'slipway', 'slipway/agent'])
      await writeFile(join(folder, at, 'cgroup.subtree_control'), at === '' ? 'cpu memory\n' : '');
    for (const name of files) if (!without.includes(name)) await writeFile(join(folder, path, name), '');
    return new GroupFiles({ controllers: new Map(), unified: folder, roots: [folder] }, 2);
  }
  const at = (name: string): Promise<string> => readFile(join(folder, path, name), 'utf8');

  test('get the limits, and each group above hands on what that needs', async () => {
    const groups = await kernel();
    expect(await groups.missing()).toBeUndefined();
    await groups.make(path, { cpu: 0.25, shares: 256, memory: 512 * mebibyte, swap: false, pids: 99 });
    expect(await Promise.all(files.map(at))).toEqual(['10', '25000 100000', '536870912', '0', '99']);
    for (const [where, handed] of [
      ['', '+pids'],
      ['slipway', '+cpu +memory +pids'],
      ['slipway/agent', '+cpu +memory +pids'],
    ] as const)
      expect(await readFile(join(folder, where, 'cgroup.subtree_control'), 'utf8')).toBe(handed);
  });

  test('are made without a file for swap where the kernel counts none, and not without any other', async () => {
    const limits = { shares: 2, memory: 8 * mebibyte, swap: false, pids: 9 };
    await (await kernel(['memory.swap.max'])).make(path, limits);
    expect(await at('cpu.max')).toBe('max 100000');
    await rm(join(folder, path, 'pids.max'));
    await expect(
      new GroupFiles({ controllers: new Map(), unified: folder, roots: [folder] }, 2).make(path, limits),
    ).rejects.toMatchObject({ name: 'LimitsError', message: expect.stringMatching(/^the control group .*pids\.max/) });
  });

  test('count what the kernel ended in them; one that is gone counts nothing', async () => {
    const groups = await kernel();
    expect(await groups.kills(path)).toBe(0);
    await writeFile(join(folder, path, 'memory.events'), 'low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\noom_group_kill 0\n');
    expect(await groups.kills(path)).toBe(3);
  });

  test('a kernel without what is needed is told of', async () => {
    const groups = await kernel();
    await writeFile(join(folder, 'cgroup.controllers'), 'cpu memory');
    expect(await groups.missing()).toBe('control groups of version 2 have no controller for pids here');
    const none = { controllers: new Map(), roots: [] };
    expect(await new GroupFiles(none, 2).missing()).toBe('the kernel shows no control groups of version 2');
    expect(await new GroupFiles(none, 1).missing()).toBe('the kernel shows no control groups of cpu');
  });
});

test('what is mounted is read as the kernel tells it, several controllers of one folder and both versions', async () => {
  const file = join(folder, 'mountinfo');
  await writeFile(
    file,
    `30 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`,
  );
  expect(await readHierarchy(file)).toMatchObject({
    controllers: new Map([
      ['rw', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct'],
      ['memory', '/sys/fs/cgroup/memory'],
    ]),
    unified: '/sys/fs/cgroup/unified',
    roots: ['/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'],
  });
});

describe('slices of systemd', () => {
  const slice = 'slipway-0123456789ab-0123456789abcdef0123456789abcdef.slice';

  test('stand where their name says', () => {
    expect(slicePath('a-b-c.slice')).toBe('/a.slice/a-b.slice/a-b-c.slice');
  });

  test('are told their limits, and go with what they were told', async () => {
    const told: string[] = [];
    const run = async (program: string, words: readonly string[]): Promise<string> => {
      told.push([program, ...words].join(' '));
      return '';
    };
    await makeSlice(run, slice, { cpu: 0.5, shares: 512, memory: mebibyte, swap: false, pids: 7 });
    await makeSlice(run, slice, { shares: 2, swap: true, pids: 7 });
    await removeSlice(run, slice);
    const set = `systemctl set-property --runtime ${slice}`;
    expect(told).toEqual([
      `systemctl start ${slice}`,
      `${set} CPUWeight=20 CPUQuota=50% MemoryMax=1048576 MemorySwapMax=0 TasksMax=7`,
      `systemctl start ${slice}`,
      `${set} CPUWeight=1 CPUQuota= MemoryMax=infinity MemorySwapMax=infinity TasksMax=7`,
      `systemctl stop ${slice}`,
      `systemctl revert ${slice}`,
    ]);
  });

  test('that are refused are told of', async () => {
    const run = (): Promise<never> => Promise.reject(new Error('Access denied'));
    await expect(makeSlice(run, slice, { shares: 2, swap: true, pids: 1 })).rejects.toThrow(
      `the slice ${slice} cannot be made: Access denied`,
    );
  });
});

describe('the group of a task', () => {
  const ports = (more: Partial<TaskLimitsPort>): TaskLimitsPort => ({
    ...noLimits('none'),
    reason: async () => undefined,
    ...more,
  });
  const look = (status: string, exitCode = 0, finishedAt = '') => ({
    HostConfig: { CgroupParent: '/slipway/a/t' },
    State: { Status: status, Running: status === 'running', ExitCode: exitCode, FinishedAt: finishedAt } as never,
  });

  test('tells which container the kernel ended, once, and whom it did not', async () => {
    let kills = 4;
    const group = new TaskGroup(ports({ kills: async () => kills }), task({}), 9);
    const running = look('running');
    // What an earlier run of the agent saw end is nobody's any more.
    expect(await group.ranOut('a', running, undefined)).toBe(false);
    expect(await group.ranOut('a', look('exited', 137, 'first'), running)).toBe(false);
    kills = 5;
    // A process in it was ended, and it ended by itself.
    expect(await group.ranOut('b', look('exited', 1, 'second'), running)).toBe(false);
    kills = 6;
    expect(await group.ranOut('c', look('exited', 137, 'third'), running)).toBe(true);
    expect(await group.ranOut('c', look('exited', 137, 'third'), look('exited', 137, 'third'))).toBe(true);
    expect(await group.ranOut('d', look('exited', 137, 'fourth'), running)).toBe(false);
  });

  test('is refused to what cannot be limited without one, and nothing else', async () => {
    const group = (more: object): TaskGroup => new TaskGroup(noLimits('the kernel has none'), task(more), 9);
    const two = { containers: ['a', 'b'].map((name) => ({ name, image: 'i' })) };
    expect(await group({ ...two, memory: 512 }).parent()).toBeUndefined();
    expect(await group({ launchType: 'FARGATE' }).parent()).toBeUndefined();
    await expect(group({ ...two, launchType: 'FARGATE' }).parent()).rejects.toMatchObject({
      name: 'LimitsError',
      message: 'this host cannot hold the containers of a task to its size together: the kernel has none',
    });
  });

  test('is made before each start, and an engine that puts containers elsewhere is found out', async () => {
    const held: string[] = [];
    const hold = async (name: string): Promise<void> => void held.push(name);
    const group = new TaskGroup(ports({ hold, holds: async (_, pid) => pid === 1 }), task({}), 9);
    await group.hold(undefined);
    expect(held).toEqual([]);
    await group.hold(look('created'));
    expect(held).toEqual([groupOf(arn)]);
    const container = (pid: number) => {
      const { State, HostConfig } = look('running');
      return { HostConfig, State: { ...(State as object), Pid: pid } } as never;
    };
    await group.check(container(1));
    await expect(group.check(container(2))).rejects.toThrow('outside of the control group');
  });
});

test('a process that is ending is in no group of version 1, and counts as one that is gone', async () => {
  const files = new GroupFiles(await readHierarchy(), 1);
  // The shell becomes a program that never asks what became of its child, which ends when it is told.
  const parent = spawn('sh', ['-c', '(read word <&3) & echo $!; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  const { pid = 0, stdout } = parent;
  const nowhere = '/slipway/not-there';
  try {
    if (stdout === null) throw new Error('the output of the shell is not read');
    const [printed] = (await once(stdout, 'data')) as [Buffer];
    const child = Number(printed.toString());
    await expect.poll(() => readFile(`/proc/${pid}/comm`, 'utf8')).toBe('sleep\n');
    expect(await files.holds(nowhere, child)).toBe(false);
    (parent.stdio[3] as Writable).end('end\n');
    await expect.poll(() => files.holds(nowhere, child)).toBe(true);
    expect(existsSync(`/proc/${child}`)).toBe(true);
    expect(await files.holds(nowhere, pid)).toBe(false);
  } finally {
    parent.kill('SIGKILL');
  }
  await once(parent, 'close');
  expect(await files.holds(nowhere, pid)).toBe(true);
});

test('groups that a killed agent left go when they were of no use for an hour; what is in use, or not ours, stays', async () => {
  let now = 0;
  const files = new GroupFiles({ controllers: new Map([['memory', folder]]), roots: [folder] }, 1);
  const [own, other, idle] = ['0'.repeat(12), '1'.repeat(12), '2'.repeat(12)];
  const [used, left, later] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)];
  const make = (...names: string[]) => mkdir(join(folder, 'slipway', ...names), { recursive: true });
  await make(own, left);
  // A process of a group cannot be played here: whatever is in a folder keeps it, too.
  await make(other, used, 'container');
  await make(other, left);
  await make(idle);
  await make('not-an-agent', left);
  const others = new OtherAgents({ now: () => now });
  const sweep = () => others.sweep(files, '/slipway', own);
  const has = (...names: string[]): boolean => existsSync(join(folder, 'slipway', ...names));
  await sweep();
  now += 3_599_999;
  await make(other, later);
  await sweep();
  expect([has(other, left), has(idle)]).toEqual([true, true]);
  now += 1;
  await sweep();
  expect([has(other, left), has(idle)]).toEqual([false, false]);
  expect([has(other, used), has(other, later), has(own, left), has('not-an-agent', left)]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  // One that comes back counts anew.
  await make(other, left);
  now += 3_600_000;
  await sweep();
  expect([has(other, left), has(other, later)]).toEqual([true, false]);
});
