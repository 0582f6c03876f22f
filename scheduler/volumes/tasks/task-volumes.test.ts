import * as sdk from '@aws-sdk/client-efs';
import type { AccessRequest, Principal } from '@slipway/auth/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { FileSystemNeed } from '../../hosts/control/index.ts';
import { openEfs, type TestEfs } from '../testing/open-efs.ts';
import { createTaskVolumes } from './task-volumes.ts';

const account = '000000000000';
const role: Principal = { type: 'assumed-role', account, arn: `arn:aws:iam::${account}:role/web`, id: 'AROAWEB:task' };

let opened: TestEfs;
let id: string;
beforeAll(async () => {
  opened = await openEfs();
  id = (await opened.efs.send(new sdk.CreateFileSystemCommand({ CreationToken: 'shop' }))).FileSystemId ?? '';
});
afterAll(() => opened[Symbol.asyncDispose]());

const need = (more: Partial<FileSystemNeed> = {}): FileSystemNeed => ({
  name: 'data',
  fileSystemId: id,
  rootDirectory: '/',
  accessPointId: undefined,
  iam: false,
  encryptedTransit: true,
  ...more,
});
const asked: AccessRequest[] = [];
const resolve = (given: FileSystemNeed, denied: readonly string[] = [], who: Principal | undefined = role) =>
  createTaskVolumes({
    ...opened.api.ports,
    fileSystems: opened.fileSystems,
    authorizer: {
      authorize: (_principal, access) => {
        asked.push(access);
        return Promise.resolve({ allowed: !denied.includes(access.action), reason: 'the test says so' });
      },
    },
  })(account, who, [given]);
const said = (message: string) =>
  `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ${message}`;

describe('what a task mounts of file systems', () => {
  test('is not found without a mount target, or when it is not there', async () => {
    const why = (of: string) =>
      said(`Failed to resolve "${of}.efs.us-east-1.amazonaws.com" - check that your file system ID is correct`);
    await expect(resolve(need())).rejects.toThrow(why(id));
    await expect(resolve(need({ fileSystemId: 'fs-0123456789abcdef0' }))).rejects.toThrow(why('fs-0123456789abcdef0'));
    const network = await opened.networks.read(account);
    const SubnetId = network.all('subnet')[0]?.id ?? '';
    await opened.efs.send(new sdk.CreateMountTargetCommand({ FileSystemId: id, SubnetId }));
    expect(await resolve(need({ rootDirectory: '/a/b/' }))).toEqual({
      data: { id, path: '/a/b', readOnly: false, noRoot: false },
    });
    expect(await resolve(need())).toMatchObject({ data: { path: '/' } });
  });

  test('is what its access point says', async () => {
    const made = await opened.efs.send(
      new sdk.CreateAccessPointCommand({
        FileSystemId: id,
        ClientToken: 'web',
        PosixUser: { Uid: 1000, Gid: 1001 },
        RootDirectory: { Path: '/web', CreationInfo: { OwnerUid: 1000, OwnerGid: 1001, Permissions: '0750' } },
      }),
    );
    expect(await resolve(need({ accessPointId: made.AccessPointId }))).toEqual({
      data: {
        id,
        path: '/web',
        creation: { uid: 1000, gid: 1001, permissions: '0750' },
        user: { uid: 1000, gid: 1001, secondaryGids: [] },
        readOnly: false,
        noRoot: false,
      },
    });
    await expect(resolve(need({ accessPointId: 'fsap-0123456789abcdef0' }))).rejects.toThrow(
      said(`mount.nfs4: access denied by server while mounting ${id}:/: the file system has no access point`),
    );
  });

  test('is what its policy and those of its role allow', async () => {
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 'elasticfilesystem:*', Resource: '*' }],
    });
    await opened.efs.send(new sdk.PutFileSystemPolicyCommand({ FileSystemId: id, Policy }));
    await expect(resolve(need())).rejects.toThrow(/has a policy.*iam to ENABLED/);
    await expect(resolve(need({ iam: true }), ['elasticfilesystem:ClientMount'])).rejects.toThrow(
      /access denied by server.*role\/web is not authorized to perform: elasticfilesystem:ClientMount.*the test says so/,
    );
    expect(asked.at(-1)).toMatchObject({
      resources: [{ policy: Policy }],
      context: { 'aws:SecureTransport': 'true', 'elasticfilesystem:AccessedViaMountTarget': 'true' },
    });
    const denied = ['elasticfilesystem:ClientWrite', 'elasticfilesystem:ClientRootAccess'];
    expect(await resolve(need({ iam: true }), denied)).toMatchObject({ data: { readOnly: true, noRoot: true } });
    expect(await resolve(need({ iam: true }))).toMatchObject({ data: { readOnly: false, noRoot: false } });
  });
});
