import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { mountsOf } from './mounts.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-mounts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [names, beyondStub, containerd] = ['names', 'beyond', 'containerd'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const mounts = () => mountsOf({ names, beyondStub, containerd });

test('machines ask for names where the service on the loopback of this computer asks', async () => {
  expect(await mounts()).toEqual([]);
  writeFileSync(names, 'search lab\nnameserver 127.0.0.53\n');
  // Nobody says whom that asks.
  expect(await mounts()).toEqual([]);
  writeFileSync(beyondStub, 'nameserver 10.0.0.2\n');
  expect(await mounts()).toEqual([['--bind', beyondStub, names]]);
  writeFileSync(names, 'nameserver 127.0.0.53\nnameserver 10.0.0.2\n');
  expect(await mounts()).toEqual([]);
});

test('an engine does not see the containerd of this computer, which would start its containers outside of the machine', async () => {
  mkdirSync(containerd);
  expect(await mounts()).toEqual([]);
  writeFileSync(join(containerd, 'containerd.sock'), '');
  expect(await mounts()).toEqual([
    ['-t', 'tmpfs', '-o', 'mode=0711,nodev,nosuid,noexec', 'slipway-machine', containerd],
  ]);
});
