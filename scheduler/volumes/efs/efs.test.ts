import * as sdk from '@aws-sdk/client-efs';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openEfs, type TestEfs } from '../testing/open-efs.ts';
import { efsKeys } from './keys.ts';
import { notServed } from './not-served.ts';

let opened: TestEfs;
beforeAll(async () => {
  opened = await openEfs();
});
afterAll(() => opened[Symbol.asyncDispose]());

let tokens = 0;
const make = async (more: Partial<sdk.CreateFileSystemCommandInput> = {}): Promise<string> => {
  const input = { CreationToken: `token-${tokens++}`, ...more };
  return (await opened.efs.send(new sdk.CreateFileSystemCommand(input))).FileSystemId ?? '';
};
const subnetOf = async (zone: string): Promise<string> => {
  const network = await opened.networks.read('000000000000');
  return network.all('subnet').find((one) => one.zone === zone)?.id ?? '';
};
const target = async (FileSystemId: string, more: Partial<sdk.CreateMountTargetCommandInput> = {}) =>
  opened.efs.send(new sdk.CreateMountTargetCommand({ FileSystemId, SubnetId: await subnetOf('us-east-1a'), ...more }));
const point = (FileSystemId: string, more: Partial<sdk.CreateAccessPointCommandInput> = {}) =>
  opened.efs.send(new sdk.CreateAccessPointCommand({ FileSystemId, ClientToken: `point-${tokens++}`, ...more }));
const refused = (name: string, message: RegExp) =>
  expect.objectContaining({ name, message: expect.stringMatching(message) as unknown });

test('every operation of the API model is served or refused by name, as the page says', () => {
  const model = Object.keys(sdk).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Operations\n([^]*?)\n\n[^|]/.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  expect([...named, ...Object.keys(notServed)].toSorted()).toEqual(model.filter((name) => name !== '$').toSorted());
  expect(opened.served.toSorted()).toEqual(model.toSorted());
});

describe('file systems', () => {
  test('one is made, shown, changed and deleted', async () => {
    const { efs } = opened;
    const made = await efs.send(
      new sdk.CreateFileSystemCommand({ CreationToken: 'once', Tags: [{ Key: 'Name', Value: 'shop' }] }),
    );
    const { FileSystemId = '' } = made;
    expect(FileSystemId).toMatch(/^fs-[0-9a-f]{17}$/);
    expect(made).toMatchObject({
      FileSystemArn: `arn:aws:elasticfilesystem:us-east-1:000000000000:file-system/${FileSystemId}`,
      LifeCycleState: 'available',
      Name: 'shop',
      NumberOfMountTargets: 0,
      Encrypted: false,
      ThroughputMode: 'bursting',
    });
    await expect(efs.send(new sdk.CreateFileSystemCommand({ CreationToken: 'once' }))).rejects.toMatchObject({
      name: 'FileSystemAlreadyExists',
      FileSystemId,
      $metadata: { httpStatusCode: 409 },
    });
    const named = await efs.send(new sdk.DescribeFileSystemsCommand({ CreationToken: 'once' }));
    expect(named.FileSystems?.map((one) => one.FileSystemId)).toEqual([FileSystemId]);
    const changed = await efs.send(new sdk.UpdateFileSystemCommand({ FileSystemId, ThroughputMode: 'elastic' }));
    expect(changed.ThroughputMode).toBe('elastic');
    await efs.send(new sdk.DeleteFileSystemCommand({ FileSystemId }));
    await expect(efs.send(new sdk.DescribeFileSystemsCommand({ FileSystemId }))).rejects.toMatchObject({
      name: 'FileSystemNotFound',
      message: `File system '${FileSystemId}' does not exist.`,
      ErrorCode: 'FileSystemNotFound',
      $metadata: { httpStatusCode: 404 },
    });
    // The token is free again.
    expect(await make({ CreationToken: 'once' })).not.toBe(FileSystemId);
  });

  test('pages are continued by their markers alone', async () => {
    const { efs } = opened;
    const ids = [await make(), await make(), await make()];
    const seen: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await efs.send(new sdk.DescribeFileSystemsCommand({ MaxItems: 2, Marker }));
      expect(page.FileSystems?.length).toBeLessThanOrEqual(2);
      seen.push(...(page.FileSystems ?? []).map((one) => one.FileSystemId ?? ''));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(seen).toEqual(expect.arrayContaining(ids));
    expect(seen).toEqual(seen.toSorted());
    await expect(efs.send(new sdk.DescribeFileSystemsCommand({ Marker: 'made-up' }))).rejects.toEqual(
      refused('BadRequest', /token is not one of this list/),
    );
  });

  test.each([
    [{ Encrypted: true }, /SLIPWAY_EFS_ENCRYPTED=on/],
    [{ KmsKeyId: 'alias/x' }, /KmsKeyId/],
    [{ PerformanceMode: 'maxIO' as const }, /maxIO/],
    [{ ThroughputMode: 'provisioned' as const, ProvisionedThroughputInMibps: 10 }, /Provisioned throughput/],
    [{ AvailabilityZoneName: 'us-east-1a' }, /every zone/],
    [{ Backup: true }, /Back up the share/],
  ])('what nothing acts on is refused: %j', async (input, message) => {
    await expect(make(input)).rejects.toEqual(refused('BadRequest', message));
  });

  test('one is encrypted where the operator says that the share is', async () => {
    await using encrypted = await openEfs({ encryptedShare: true });
    const made = await encrypted.efs.send(new sdk.CreateFileSystemCommand({ CreationToken: 'e', Encrypted: true }));
    expect(made.Encrypted).toBe(true);
  });

  test('lifecycles, backups and protection say what is so, and refuse what is not', async () => {
    const { efs } = opened;
    const FileSystemId = await make();
    expect((await efs.send(new sdk.DescribeLifecycleConfigurationCommand({ FileSystemId }))).LifecyclePolicies).toEqual(
      [],
    );
    await efs.send(new sdk.PutLifecycleConfigurationCommand({ FileSystemId, LifecyclePolicies: [] }));
    await expect(
      efs.send(
        new sdk.PutLifecycleConfigurationCommand({
          FileSystemId,
          LifecyclePolicies: [{ TransitionToIA: 'AFTER_30_DAYS' }],
        }),
      ),
    ).rejects.toEqual(refused('BadRequest', /one storage class/));
    const off = await efs.send(new sdk.DescribeBackupPolicyCommand({ FileSystemId }));
    expect(off.BackupPolicy?.Status).toBe('DISABLED');
    await expect(
      efs.send(new sdk.PutBackupPolicyCommand({ FileSystemId, BackupPolicy: { Status: 'ENABLED' } })),
    ).rejects.toEqual(refused('BadRequest', /Back up the share/));
    await expect(
      efs.send(new sdk.UpdateFileSystemProtectionCommand({ FileSystemId, ReplicationOverwriteProtection: 'DISABLED' })),
    ).rejects.toEqual(refused('BadRequest', /replicates/));
    await expect(efs.send(new sdk.DescribeReplicationConfigurationsCommand({ FileSystemId }))).rejects.toEqual(
      refused('BadRequest', /DescribeReplicationConfigurations is not supported/),
    );
    expect((await efs.send(new sdk.DescribeAccountPreferencesCommand({}))).ResourceIdPreference?.ResourceIdType).toBe(
      'LONG_ID',
    );
  });
});

describe('mount targets', () => {
  test('there is one in a zone, and a file system that has one stays', async () => {
    const { efs } = opened;
    const FileSystemId = await make();
    const made = await target(FileSystemId);
    expect(made).toMatchObject({
      LifeCycleState: 'available',
      AvailabilityZoneName: 'us-east-1a',
      SubnetId: await subnetOf('us-east-1a'),
    });
    await expect(target(FileSystemId)).rejects.toEqual(refused('MountTargetConflict', /already exists in this AZ/));
    await expect(efs.send(new sdk.DeleteFileSystemCommand({ FileSystemId }))).rejects.toEqual(
      refused('FileSystemInUse', /has mount targets/),
    );
    const { MountTargetId = '' } = made;
    const { SecurityGroups = [] } = await efs.send(new sdk.DescribeMountTargetSecurityGroupsCommand({ MountTargetId }));
    expect(SecurityGroups).toEqual([expect.stringMatching(/^sg-/)]);
    await efs.send(new sdk.ModifyMountTargetSecurityGroupsCommand({ MountTargetId, SecurityGroups }));
    const shown = await efs.send(new sdk.DescribeMountTargetsCommand({ FileSystemId }));
    expect(shown.MountTargets?.map((one) => one.MountTargetId)).toEqual([MountTargetId]);
    await efs.send(new sdk.DeleteMountTargetCommand({ MountTargetId }));
    await expect(efs.send(new sdk.DescribeMountTargetsCommand({ MountTargetId }))).rejects.toEqual(
      refused('MountTargetNotFound', /does not exist/),
    );
    await efs.send(new sdk.DeleteFileSystemCommand({ FileSystemId }));
  });

  test('it is in a subnet, with groups of its VPC, and has no address', async () => {
    const FileSystemId = await make();
    await expect(target(FileSystemId, { SubnetId: 'subnet-0123456789abcdef0' })).rejects.toEqual(
      refused('SubnetNotFound', /does not exist/),
    );
    await expect(target(FileSystemId, { SecurityGroups: ['sg-0123456789abcdef0'] })).rejects.toEqual(
      refused('SecurityGroupNotFound', /does not exist/),
    );
    await expect(target(FileSystemId, { IpAddress: '10.0.0.9' })).rejects.toEqual(
      refused('BadRequest', /Nothing listens at mount targets/),
    );
    await expect(target('fs-0123456789abcdef0')).rejects.toEqual(refused('FileSystemNotFound', /does not exist/));
  });
});

describe('access points', () => {
  test('one is made, shown with what it was made with, and deleted', async () => {
    const { efs } = opened;
    const FileSystemId = await make();
    const given = {
      PosixUser: { Uid: 1000, Gid: 1000, SecondaryGids: [2000] },
      RootDirectory: { Path: '/data/web', CreationInfo: { OwnerUid: 1000, OwnerGid: 1000, Permissions: '0755' } },
    };
    const made = await point(FileSystemId, { ClientToken: 'mine', ...given, Tags: [{ Key: 'Name', Value: 'web' }] });
    expect(made).toMatchObject({ ...given, Name: 'web', FileSystemId, LifeCycleState: 'available' });
    const { AccessPointId = '', AccessPointArn = '' } = made;
    expect(AccessPointArn).toMatch(/:access-point\/fsap-[0-9a-f]{17}$/);
    await expect(point(FileSystemId, { ClientToken: 'mine' })).rejects.toMatchObject({
      name: 'AccessPointAlreadyExists',
      AccessPointId,
    });
    const byArn = await efs.send(new sdk.DescribeAccessPointsCommand({ AccessPointId: AccessPointArn }));
    expect(byArn.AccessPoints).toMatchObject([given]);
    const whole = await point(FileSystemId);
    expect(whole.RootDirectory).toEqual({ Path: '/' });
    const both = await efs.send(new sdk.DescribeAccessPointsCommand({ FileSystemId }));
    expect(both.AccessPoints).toHaveLength(2);
    await efs.send(new sdk.DeleteAccessPointCommand({ AccessPointId }));
    await expect(efs.send(new sdk.DescribeAccessPointsCommand({ AccessPointId }))).rejects.toEqual(
      refused('AccessPointNotFound', /does not exist/),
    );
  });

  test('there are no more of an account than each request can look at', async () => {
    await using full = await openEfs();
    const made = await full.efs.send(new sdk.CreateFileSystemCommand({ CreationToken: 'full' }));
    const { FileSystemId = '' } = made;
    const rest = { fileSystemId: 'fs-0123456789abcdef0', path: '/', tags: {} };
    for (let from = 0; from < 10_000; from += 100)
      await full.fileSystems.transact('000000000000', async (tx) => {
        for (let number = from; number < from + 100; number++)
          tx.put(efsKeys.accessPoint(`fsap-${number}`), { id: `fsap-${number}`, clientToken: `${number}`, ...rest });
      });
    const one = new sdk.CreateAccessPointCommand({ FileSystemId, ClientToken: 'one more' });
    await expect(full.efs.send(one)).rejects.toEqual(
      refused('AccessPointLimitExceeded', /An account has at most 10000/),
    );
    await full.efs.send(new sdk.DeleteAccessPointCommand({ AccessPointId: 'fsap-0' }));
    expect((await full.efs.send(one)).FileSystemId).toBe(FileSystemId);
  });

  test.each(['/..', '/a/../b', '/a//b', 'a', '/a/b/c/d/e', '/.hidden', '/a/', '/a;b', '/a\0b'])(
    'a path that is none is refused: %j',
    async (Path) => {
      const FileSystemId = await make();
      await expect(point(FileSystemId, { RootDirectory: { Path } })).rejects.toEqual(
        refused('BadRequest', /is no path of an access point/),
      );
    },
  );
});

test('tags are those of a file system or an access point, by id or ARN', async () => {
  const { efs } = opened;
  const FileSystemId = await make({ Tags: [{ Key: 'a', Value: '1' }] });
  const { AccessPointArn = '' } = await point(FileSystemId);
  for (const ResourceId of [FileSystemId, AccessPointArn]) {
    await efs.send(new sdk.TagResourceCommand({ ResourceId, Tags: [{ Key: 'b', Value: '2' }] }));
    await efs.send(new sdk.UntagResourceCommand({ ResourceId, TagKeys: ['a'] }));
    expect((await efs.send(new sdk.ListTagsForResourceCommand({ ResourceId }))).Tags).toEqual([
      { Key: 'b', Value: '2' },
    ]);
  }
});

describe('policies', () => {
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::000000000000:role/web' },
        Action: 'elasticfilesystem:ClientMount',
        Resource: '*',
      },
    ],
  });

  test('one is kept with its principals by their ids, shown as it was put, and goes with its file system', async () => {
    const { efs, api, fileSystems } = opened;
    const FileSystemId = await make();
    await expect(efs.send(new sdk.DescribeFileSystemPolicyCommand({ FileSystemId }))).rejects.toEqual(
      refused('PolicyNotFound', /no policy/),
    );
    await efs.send(new sdk.PutFileSystemPolicyCommand({ FileSystemId, Policy: policy }));
    expect((await fileSystems.fileSystem('000000000000', FileSystemId)).policy).toContain('AROAWEB');
    expect((await efs.send(new sdk.DescribeFileSystemPolicyCommand({ FileSystemId }))).Policy).toBe(policy);
    // Whoever is asked about the file system is asked with its policy.
    expect(api.asked.at(-1)).toMatchObject({
      action: 'elasticfilesystem:DescribeFileSystemPolicy',
      resources: [{ policy: expect.stringContaining('AROAWEB') as unknown }],
    });
    await efs.send(new sdk.DeleteFileSystemPolicyCommand({ FileSystemId }));
    await expect(efs.send(new sdk.DescribeFileSystemPolicyCommand({ FileSystemId }))).rejects.toEqual(
      refused('PolicyNotFound', /no policy/),
    );
  });

  test('one that is none is refused', async () => {
    const FileSystemId = await make();
    await expect(
      opened.efs.send(new sdk.PutFileSystemPolicyCommand({ FileSystemId, Policy: '{"Statement": 1}' })),
    ).rejects.toEqual(refused('InvalidPolicyException', /./));
  });
});

test('who may not is denied before anything is looked up, and told in the words of the protocol', async () => {
  const { api, efs } = opened;
  api.denied.add('elasticfilesystem:DeleteFileSystem');
  await expect(efs.send(new sdk.DeleteFileSystemCommand({ FileSystemId: 'fs-0123456789abcdef0' }))).rejects.toEqual(
    refused('AccessDeniedException', /not authorized to perform: elasticfilesystem:DeleteFileSystem/),
  );
  api.denied.clear();
});
