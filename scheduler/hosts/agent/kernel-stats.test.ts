import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { KernelStats } from './kernel-stats.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'slipway-stats-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const write = (files: Record<string, string>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
};
const id = 'a'.repeat(64);
const counted = { id, pid: 7, networkMode: 'bridge', runtime: '', internal: false };
const interfaces = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     111       1    0    0    0     0          0         0      222       1    0    0    0     0       0          0
  eth0:12345678       9    0    0    0     0          0         0   987654       5    0    0    0     0       0          0
docker0:     333       3    0    0    0     0          0         0      444       4    0    0    0     0       0          0
`;

test('of version 2, with the driver of systemd', async () => {
  const group = `slipway.slice/slipway-x.slice/docker-${id}.scope`;
  write({
    'proc/7/cgroup': `0::/${group}\n`,
    'proc/7/net/dev': interfaces,
    [`unified/${group}/cpu.stat`]: 'usage_usec 5000\nuser_usec 3000\n',
    [`unified/${group}/memory.current`]: '4096\n',
    [`unified/${group}/memory.stat`]: 'anon 1\ninactive_file 1024\n',
    [`unified/${group}/io.stat`]: '8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2\n',
  });
  const unified = join(folder, 'unified');
  const stats = new KernelStats(join(folder, 'proc'), async () => ({
    controllers: new Map(),
    unified,
    roots: [unified],
  }));
  expect(await stats.of(counted)).toEqual({
    cpu_stats: { cpu_usage: { total_usage: 5_000_000 } },
    memory_stats: { usage: 4096, stats: { anon: 1, inactive_file: 1024 } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { op: 'read', value: 10 },
        { op: 'write', value: 20 },
        { op: 'read', value: 1 },
        { op: 'write', value: 2 },
      ],
    },
    networks: { eth0: { rx_bytes: 12_345_678, tx_bytes: 987_654 } },
  });
  // It ended while it was read: the engine says what there is to say.
  rmSync(join(unified, group, 'memory.current'));
  expect(await stats.of(counted)).toBeUndefined();
});

test('of version 1, also on a host that shows version 2 beside it', async () => {
  const group = `slipway/0/1/${id}`;
  const controllers = new Map(['cpuacct', 'memory', 'blkio'].map((name) => [name, join(folder, name)]));
  write({
    'proc/7/cgroup': `4:cpu,cpuacct:/${group}\n3:memory:/${group}\n2:blkio:/${group}\n0::/${group}\n`,
    'proc/7/net/dev': interfaces,
    [`cpuacct/${group}/cpuacct.usage`]: '77\n',
    [`memory/${group}/memory.usage_in_bytes`]: '4096\n',
    [`memory/${group}/memory.stat`]: 'cache 1\ntotal_inactive_file 2048\n',
    [`blkio/${group}/blkio.throttle.io_service_bytes_recursive`]: '8:0 Read 5\n8:0 Write 6\n8:0 Total 11\nTotal 11\n',
  });
  const stats = new KernelStats(join(folder, 'proc'), async () => ({ controllers, unified: '/nowhere', roots: [] }));
  expect(await stats.of({ ...counted, networkMode: 'host' })).toEqual({
    cpu_stats: { cpu_usage: { total_usage: 77 } },
    memory_stats: { usage: 4096, stats: { cache: 1, total_inactive_file: 2048 } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { op: 'Read', value: 5 },
        { op: 'Write', value: 6 },
        { op: 'Total', value: 11 },
      ],
    },
  });
  // What holds namespaces of a task that has no interface of its own says nothing in place of the task's containers.
  write({ 'proc/7/net/dev': interfaces.replace(/ *eth0.*\n/, '') });
  expect(await stats.of({ ...counted, networkMode: 'none', internal: true })).toEqual({});
  // A group above, below or beside that of the container is not the container's.
  for (const path of ['slipway/0/1', `${group}/below`, `slipway/${'b'.repeat(64)}`, `slipway/x${id}`]) {
    write({ 'proc/7/cgroup': `4:cpuacct:/${path}\n3:memory:/${path}\n2:blkio:/${path}\n` });
    expect(await stats.of(counted)).toBeUndefined();
  }
});
