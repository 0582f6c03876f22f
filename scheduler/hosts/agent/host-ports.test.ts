import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '@slipway/storage/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { systemDisk } from './files.ts';
import { HostPorts, isPortFree } from './host-ports.ts';

let folder: string;
let now: number;
const busy = new Set<string>();
const rest = 120_000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-ports-'));
  now = 1_000_000;
  busy.clear();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The ports of an agent that starts, with the tasks that it knows. */
async function open(live: readonly string[] = [], last = 20_003): Promise<HostPorts> {
  const ports = new HostPorts({
    disk: systemDisk,
    file: join(folder, 'ports.json'),
    range: { first: 20_000, last },
    rest,
    clock: { now: () => now } as never,
    random: () => 0,
    isFree: async (protocol, port) => !busy.has(`${protocol} ${port}`),
  });
  ports.open(new Set(live));
  return ports;
}

const full = 'a host port is unavailable: of 20000-20003, each is in use or rests for 120 s after its use';

test('uses get ports one after the other, the same one each time it is asked for, tcp and udp apart', async () => {
  const ports = await open();
  expect(await ports.take('a', 'web/0', 'tcp')).toBe(20_000);
  expect(await ports.take('a', 'web/0', 'tcp')).toBe(20_000);
  expect(await ports.take('a', 'web/1', 'tcp')).toBe(20_001);
  expect(await ports.take('b', 'web/0', 'udp')).toBe(20_002);
  expect(await ports.take('b', 'web/1', 'tcp')).toBe(20_003);
  expect(await ports.take('b', 'web/2', 'tcp')).toBe(20_002);
});

test('a port rests after its task before another gets it; when all are in use or rest, that is said', async () => {
  const ports = await open();
  for (const task of ['a', 'b', 'c', 'd']) await ports.take(task, 'p', 'tcp');
  await expect(ports.take('e', 'p', 'tcp')).rejects.toThrow(full);
  await ports.release('b');
  await ports.release('b');
  now += rest - 1;
  await expect(ports.take('e', 'p', 'tcp')).rejects.toThrow(full);
  now += 1;
  expect(await ports.take('e', 'p', 'tcp')).toBe(20_001);
});

test('what others of the host listen on is passed over', async () => {
  busy.add('tcp 20000').add('udp 20001');
  const ports = await open();
  expect(await ports.take('a', 'p', 'tcp')).toBe(20_001);
  expect(await ports.take('a', 'q', 'udp')).toBe(20_002);
});

describe('ports next to each other', () => {
  test('are found past what is in use, and not around the end of the range', async () => {
    const ports = await open([], 20_005);
    busy.add('tcp 20001');
    expect(await ports.take('a', 'r', 'tcp', 3)).toBe(20_002);
    expect(await ports.take('a', 's', 'tcp', 1)).toBe(20_005);
    await expect(ports.take('a', 't', 'tcp', 2)).rejects.toThrow(/^2 contiguous host ports are unavailable: /);
  });

  test('are found where the range begins although the search begins later', async () => {
    const ports = await open();
    await ports.take('a', 'p', 'tcp');
    await ports.take('a', 'q', 'tcp');
    await ports.release('a');
    now += rest;
    expect(await ports.take('b', 'r', 'tcp', 4)).toBe(20_000);
  });

  test('that would be more than the range has are refused', async () => {
    await expect((await open()).take('a', 'p', 'tcp', 5)).rejects.toThrow(/^5 contiguous/);
  });
});

describe('an agent that starts again', () => {
  test('leaves tasks their ports, and lets those rest that tasks had which are over', async () => {
    const before = await open();
    await before.take('stays', 'p', 'tcp');
    await before.take('gone', 'p', 'tcp');
    const ports = await open(['stays']);
    expect(await ports.take('stays', 'p', 'tcp')).toBe(20_000);
    expect(await ports.take('new', 'p', 'tcp')).toBe(20_002);
    expect(await ports.take('new', 'q', 'tcp')).toBe(20_003);
    await expect(ports.take('new', 'r', 'tcp')).rejects.toThrow(full);
    now += rest;
    expect(await ports.take('new', 'r', 'tcp')).toBe(20_001);
  });

  test('and cannot read what was given lets the whole range rest', async () => {
    await (await open()).take('a', 'p', 'tcp');
    await writeFile(join(folder, 'ports.json'), '{"held":');
    const ports = await open();
    await expect(ports.take('a', 'p', 'tcp')).rejects.toThrow(full);
    now += rest;
    expect(await ports.take('a', 'p', 'tcp')).toBe(20_000);
  });

  test('with a clock that was set back waits for one rest and no longer', async () => {
    const before = await open();
    for (const use of ['p', 'q', 'r', 's']) await before.take('a', use, 'tcp');
    await before.release('a');
    now -= 500_000;
    const ports = await open();
    await expect(ports.take('b', 'p', 'tcp')).rejects.toThrow(full);
    now += rest;
    expect(await ports.take('b', 'p', 'tcp')).toBe(20_000);
  });
});

test('whether somebody listens on a port of TCP is found out', async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect(await isPortFree('127.0.0.1', 'tcp', port)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
  expect(await isPortFree('127.0.0.1', 'tcp', port)).toBe(true);
});

test('and of UDP', async () => {
  const socket = createSocket('udp4');
  const port = await freePort();
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  expect(await isPortFree('127.0.0.1', 'udp', port)).toBe(false);
  await new Promise<void>((resolve) => socket.close(resolve));
  expect(await isPortFree('127.0.0.1', 'udp', port)).toBe(true);
});

test('ports of containers whose task is not known rest as those of tasks do, over a restart as well', async () => {
  const ports = await open();
  await ports.rest([{ protocol: 'tcp', port: 20_000 }]);
  await ports.rest([]);
  expect(await ports.take('a', 'web/0', 'tcp')).toBe(20_001);
  expect(await ports.take('a', 'web/1', 'udp')).toBe(20_002);
  const again = await open(['a'], 20_001);
  await expect(again.take('b', 'web/0', 'tcp')).rejects.toThrow('a host port is unavailable');
  now += rest + 1;
  expect(await again.take('b', 'web/0', 'tcp')).toBe(20_000);
});
