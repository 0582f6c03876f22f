import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { TaskStorage } from './task-storage.ts';

const refusing = (statusCode: number, message: string): Error =>
  Object.assign(new Error(message), { statusCode, json: { message } });

interface Engine {
  readonly info: object;
  /** What creating a container with a size says; nothing when it works. */
  readonly refuses?: Error;
}

/** An engine of which only what is asked here is there, and what it was asked. */
function engine({ info, refuses }: Engine): { readonly docker: Docker; readonly asked: string[] } {
  const asked: string[] = [];
  const docker = {
    modem: {},
    info: () => Promise.resolve(info),
    version: () => Promise.resolve({ Arch: 'amd64' }),
    getImage: () => ({ inspect: () => Promise.resolve({}) }),
    getContainer: (id: string) => ({
      remove: () => {
        asked.push(`remove ${id}`);
        return Promise.reject(refusing(404, 'No such container'));
      },
      inspect: ({ size }: { size?: boolean }) =>
        id === 'gone' ? Promise.reject(refusing(404, 'gone')) : Promise.resolve(size === true ? { SizeRw: 7 } : {}),
    }),
    createContainer: ({ name, HostConfig }: { name: string; HostConfig: { StorageOpt: { size: string } } }) => {
      asked.push(`create ${name} of ${HostConfig.StorageOpt.size}`);
      return refuses === undefined ? Promise.resolve({}) : Promise.reject(refuses);
    },
    getVolume: () => ({ inspect: () => Promise.resolve({ Driver: 'local', Options: null, Mountpoint: '/v' }) }),
  };
  return { docker: docker as unknown as Docker, asked };
}

const xfs = { Driver: 'overlay2', DriverStatus: [['Backing Filesystem', 'xfs']] };
const run = (): Promise<string> => Promise.reject(new Error('nothing is run'));
const tried = ['remove slipway-storage-me', 'create slipway-storage-me of 1G', 'remove slipway-storage-me'];

test('an engine that may hold containers to a size is asked once', async () => {
  const { docker, asked } = engine({ info: xfs });
  const storage = new TaskStorage({ agentId: 'me', docker, run });
  expect(await storage.reason()).toBeUndefined();
  expect(await storage.reason()).toBeUndefined();
  expect(asked).toEqual(tried);
});

test('what it refuses is the reason', async () => {
  const refuses = refusing(400, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  const { docker, asked } = engine({ info: xfs, refuses });
  const storage = new TaskStorage({ agentId: 'me', docker, run });
  expect(await storage.reason()).toMatch(/refuses a size: --storage-opt .* 'pquota'/);
  expect(asked).toEqual(tried);
});

test.each([
  [{ Driver: 'overlay2', DriverStatus: [['Backing Filesystem', 'extfs']] }, /overlay2 on extfs$/],
  [{ Driver: 'vfs', DriverStatus: null }, /its storage is vfs$/],
  [{}, /not told$/],
])('an engine on %j holds nothing to a size, and is not tried', async (info, reason) => {
  const { docker, asked } = engine({ info });
  expect(await new TaskStorage({ agentId: 'me', docker, run }).reason()).toMatch(reason);
  expect(asked).toEqual([]);
});

test('an engine that goes away meanwhile is asked again', async () => {
  let there = false;
  const gone = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  const info = () => (there ? Promise.resolve(xfs) : Promise.reject(gone));
  const docker = Object.assign(engine({ info: xfs }).docker, { info });
  const storage = new TaskStorage({ agentId: 'me', docker, run });
  await expect(storage.reason()).rejects.toThrow(/does not answer/);
  there = true;
  expect(await storage.reason()).toBeUndefined();
});

test('of an engine whose folders it cannot see the agent takes the word, and a container that is gone takes nothing', async () => {
  const { docker } = engine({ info: xfs });
  const container = (Id: string) => ({ Id, GraphDriver: { Data: { UpperDir: `/layers/${Id}` } } });
  const storage = new TaskStorage({ agentId: 'me', docker, run });
  expect(await storage.used([container('one'), container('gone'), { Id: 'two' }] as never, ['v'])).toBe(14);
});
