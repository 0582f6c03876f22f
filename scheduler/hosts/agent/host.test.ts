import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { type HostOptions, inspectHost } from './host.ts';

const docker = {
  info: () =>
    Promise.resolve({
      NCPU: 2,
      MemTotal: 2 ** 30,
      OSType: 'linux',
      OperatingSystem: 'Debian',
      Architecture: 'x86_64',
      Plugins: { Log: ['json-file'], Volume: ['local'] },
    }),
  version: () => Promise.resolve({ ApiVersion: '1.41', Version: '20.10' }),
} as unknown as Docker;

const options: HostOptions = {
  taskRoles: true,
  hostNetwork: false,
  taskNetwork: true,
  fileSystems: false,
  taskLimits: true,
  storageQuota: true,
  fargate: true,
  spot: false,
  routers: false,
  address: '192.0.2.1',
};

const limits = { 'slipway.limits': 'task', 'slipway.storage': 'quota', 'slipway.address': '192.0.2.1' };

async function slipway(more: Partial<HostOptions>): Promise<Record<string, string | undefined>> {
  const { attributes } = await inspectHost(docker, { ...options, ...more });
  return Object.fromEntries(
    attributes.flatMap(({ name = '', value }) => (name.startsWith('slipway.') ? [[name, value]] : [])),
  );
}

test('a host that gives tasks network interfaces offers itself to Fargate unless it is told otherwise', async () => {
  const network = { ...limits, 'slipway.capability.task-network': undefined };
  expect(await slipway({})).toEqual({ ...network, 'slipway.capability.fargate': undefined });
  expect(await slipway({ fargate: false })).toEqual(network);
  expect(await slipway({ taskNetwork: false })).toEqual(limits);
});

test('a host says that it may be taken back, whatever else it does', async () => {
  expect(await slipway({ spot: true })).toMatchObject({
    'slipway.spot': 'true',
    'slipway.capability.fargate': undefined,
  });
  expect(await slipway({ spot: true, taskNetwork: false })).toEqual({ ...limits, 'slipway.spot': 'true' });
});

test('a host says where it is reached, and on which address it publishes ports when that is not every one', async () => {
  expect(await slipway({ taskNetwork: false })).toEqual(limits);
  const { 'slipway.address': _, ...unreached } = limits;
  expect(await slipway({ taskNetwork: false, address: undefined })).toEqual(unreached);
  const both = { ...limits, 'slipway.published-on': '127.0.0.1' };
  expect(await slipway({ taskNetwork: false, publishedOn: '127.0.0.1' })).toEqual(both);
});

test('a host says whether it limits tasks or their containers only', async () => {
  expect(await slipway({ taskLimits: false })).toMatchObject({ 'slipway.limits': 'container' });
});

test('a host says whether its engine holds containers to a size', async () => {
  expect(await slipway({ storageQuota: false })).toMatchObject({ 'slipway.storage': 'counted' });
});

test('a host says by what it isolates tasks of Fargate, and takes none where it cannot', async () => {
  expect(await slipway({ isolation: { runtime: 'runsc', several: true } })).toMatchObject({
    'slipway.isolation': 'runsc',
    'slipway.isolation.containers': 'several',
    'slipway.capability.fargate': undefined,
  });
  expect(await slipway({ isolation: { runtime: 'vm', several: false } })).toMatchObject({
    'slipway.isolation.containers': 'one',
  });
  const network = { ...limits, 'slipway.capability.task-network': undefined };
  expect(await slipway({ isolation: { reason: 'no runtime' } })).toEqual({ ...network, 'slipway.isolation': 'none' });
});

test('a host says its end of encrypted tunnels where it has one', async () => {
  expect(await slipway({ tunnel: 'key:51820' })).toMatchObject({ 'slipway.wireguard': 'key:51820' });
});
