import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { streamUrl } from '../../exec/sessions/index.ts';
import { openClient, type TestClient } from '../../exec/testing/open-client.ts';
import type { TaskRecord } from '../../state/index.ts';
import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { account, principalOf } from '../testing/callers.ts';
import { engineMissing, server, TestEngine } from '../testing/test-engine.ts';
import type { Agent } from './index.ts';

const missing = await engineMissing();
const ref = { account, cluster: 'default' };

// Under CI a missing engine is a failure: the first hook throws.
describe.skipIf(missing !== undefined && !process.env['CI'])('ECS Exec on a host', { timeout: 180_000 }, () => {
  let plane: TestControlPlane;
  let engine: TestEngine;
  let agent: Agent;
  let instance: string;
  let task: TaskRecord;

  beforeAll(async () => {
    engine = await TestEngine.open();
    plane = await TestControlPlane.open();
    agent = plane.agent({ dataDir: await engine.folder() });
    instance = await plane.join(agent);
    task = await running(true);
  }, 120_000);

  afterAll(() => endBench(agent, plane, engine), 120_000);

  async function running(enableExecuteCommand: boolean): Promise<TaskRecord> {
    const main = engine.container('main', server, { stopTimeout: 1, user: '1000' });
    const definition = await plane.register({ containerDefinitions: [main] });
    const { id } = await plane.place(definition, instance, { enableExecuteCommand });
    return plane.untilTask(id, 'RUNNING');
  }

  const ask = (command: readonly string[], more: { interactive?: boolean; of?: TaskRecord } = {}) => {
    const { interactive = false, of = task } = more;
    return plane.exec.waiting.add(ref, {
      taskId: of.id,
      containerName: 'main',
      runtimeId: of.containers[0]?.runtimeId ?? '',
      instanceId: of.instanceId ?? '',
      command,
      interactive,
      principal: principalOf('one'),
    });
  };

  const open = async (command: readonly string[], more: Parameters<typeof ask>[1] & { version?: string } = {}) => {
    const { sessionId, tokenValue } = await ask(command, more);
    return openClient(streamUrl(plane.endpoint, ref, sessionId), tokenValue, more.version);
  };

  const until1 = (one: TestClient, text: string): Promise<true> =>
    until(() => (one.stdout().includes(text) ? true : undefined), `${text} in ${one.stdout()}`);

  /** Has a shell say so once its terminal has a size: how soon that follows the session's beginning is not told. */
  const sized = (size: string): string =>
    `while :; do case "$(busybox stty size)" in "${size}") break;; esac; busybox usleep 50000; done; echo si""zed ${size}\n`;

  const processes = async (text: string): Promise<number> => {
    const { Processes } = await engine.docker.getContainer(task.containers[0]?.runtimeId ?? '').top();
    return (Processes as unknown as string[][]).filter((row) => row.join(' ').includes(text)).length;
  };

  test('a command runs as root, with its streams apart, its input, its end and its exit code', async () => {
    const one = await open(['sh', '-c', 'busybox id -u; busybox cat; echo bad >&2; exit 7']);
    await one.ready;
    one.client.write(Buffer.from('typed\n'));
    one.client.end();
    expect(await one.closed).toEqual({ code: 7, output: '' });
    expect([one.stdout(), one.stderr()]).toEqual(['0\ntyped\n', 'bad\n']);
  });

  test('a terminal has a size, which follows; the plug-in is told an exit status in words', async () => {
    const one = await open(['sh'], { interactive: true, version: '1.2.0.0' });
    await one.ready;
    one.client.resize(101, 33);
    one.client.write(Buffer.from(sized('33 101')));
    await until1(one, 'sized 33 101');
    one.client.resize(90, 20);
    one.client.write(Buffer.from(sized('20 90')));
    await until1(one, 'sized 20 90');
    one.client.write(Buffer.from('exit 3\n'));
    expect(await one.closed).toEqual({ code: undefined, output: '' });
    expect(one.stdout()).toMatch(/exit status 3\r\n$/);
  });

  test('the end of a client, or its wish, ends the command', async () => {
    const gone = await open(['busybox', 'sleep', '4321']);
    await gone.ready;
    await until(async () => ((await processes('sleep 4321')) === 1 ? true : undefined), 'the command');
    gone.ws.close();
    await until(async () => ((await processes('sleep 4321')) === 0 ? true : undefined), 'its end');
    const ended = await open(['busybox', 'sleep', '4322'], { interactive: true });
    await ended.ready;
    await until(async () => ((await processes('sleep 4322')) === 1 ? true : undefined), 'the command');
    ended.client.terminate();
    expect((await ended.closed).output).toBe('');
    await until(async () => ((await processes('sleep 4322')) === 0 ? true : undefined), 'its end');
  });

  test('much output and much input arrive whole', async () => {
    const size = 8 * 1024 * 1024;
    const one = await open(['busybox', 'dd', 'if=/dev/zero', 'bs=1048576', 'count=8']);
    expect((await one.closed).code).toBe(0);
    expect(one.bytes()).toBe(size);
    const two = await open(['busybox', 'wc', '-c']);
    await two.ready;
    for (let sent = 0; sent < size; sent += 65_536) {
      await until(() => (two.client.hasRoom ? true : undefined), 'room');
      two.client.write(Buffer.alloc(65_536));
    }
    two.client.end();
    expect((await two.closed).code).toBe(0);
    expect(two.stdout().trim()).toBe(String(size));
  });

  test('a token is good once, and for its session alone', async () => {
    const { sessionId, tokenValue } = await ask(['busybox', 'true']);
    const url = streamUrl(plane.endpoint, ref, sessionId);
    const wrong = openClient(url, 'x'.repeat(43));
    expect((await wrong.closed).output).toMatch(/^The token is not good/);
    const other = await ask(['busybox', 'true']);
    expect((await openClient(url, other.tokenValue).closed).output).toMatch(/^The token is not good/);
    expect((await openClient(url, tokenValue).closed).code).toBe(0);
    expect((await openClient(url, tokenValue).closed).output).toMatch(/^The token is not good/);
  });

  test('the agent runs nothing in a task that was started without ECS Exec, or in another run of a container', async () => {
    const closed = await running(false);
    const one = await open(['busybox', 'true'], { of: closed });
    expect((await one.closed).output).toMatch(/the task was started without ECS Exec/);
    const containers = [{ ...task.containers[0]!, runtimeId: 'ab'.repeat(32) }];
    const two = await open(['busybox', 'true'], { of: { ...task, containers } });
    expect((await two.closed).output).toMatch(/does not run, or was started again/);
    const three = await open(['no-such-program']);
    expect((await three.closed).code).not.toBe(0);
  });
});
