import {
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  GetRoleCommand,
  ListRolesCommand,
  ListUsersCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation, OTHER_ACCOUNT, REGION } from './testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const written = (): Promise<number> => installation.records.version(`iam-uses/${ACCOUNT}`);

test('GetAccessKeyLastUsed tells when a key last signed well, for what and where; a failed signature is no use', async () => {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'used' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'used' }));
  const AccessKeyId = AccessKey?.AccessKeyId ?? '';
  const key = { accessKeyId: AccessKeyId, secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  const lastUsed = () => iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId }));
  expect(await lastUsed()).toMatchObject({
    UserName: 'used',
    AccessKeyLastUsed: { ServiceName: 'N/A', Region: 'N/A' },
  });
  await expect(
    installation.sts({ ...key, secretAccessKey: 'wrong' }).send(new GetCallerIdentityCommand({})),
  ).rejects.toThrow(/signature/);
  expect((await lastUsed()).AccessKeyLastUsed?.LastUsedDate).toBeUndefined();

  const before = Date.now() - 1000;
  await installation.sts(key).send(new GetCallerIdentityCommand({}));
  const { AccessKeyLastUsed: used } = await lastUsed();
  expect(used).toMatchObject({ ServiceName: 'sts', Region: REGION });
  expect(used?.LastUsedDate?.getTime()).toBeGreaterThanOrEqual(before);
  // A call that is refused was made all the same.
  await expect(installation.iam(key).send(new ListUsersCommand({}))).rejects.toMatchObject({ name: 'AccessDenied' });
  expect((await lastUsed()).AccessKeyLastUsed?.ServiceName).toBe('iam');

  await expect(
    iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: installation.otherAdmin.accessKeyId })),
  ).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  await iam.send(new DeleteAccessKeyCommand({ UserName: 'used', AccessKeyId }));
  await expect(lastUsed()).rejects.toMatchObject({ name: 'NoSuchEntityException' });
});

test("GetRole tells when a session of the role last called; lists and the role's other calls say nothing of it", async () => {
  const iam = installation.iam();
  const role = { RoleName: 'worker' };
  await iam.send(
    new CreateRoleCommand({
      ...role,
      AssumeRolePolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole' },
      }),
    }),
  );
  await iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn: 'arn:aws:iam::aws:policy/IAMReadOnlyAccess' }));
  const lastUsed = async () => (await iam.send(new GetRoleCommand(role))).Role?.RoleLastUsed;
  const { Credentials } = await installation
    .sts()
    .send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${ACCOUNT}:role/worker`, RoleSessionName: 'once' }));
  expect(await lastUsed()).toEqual({});
  await installation
    .sts({
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    })
    .send(new GetCallerIdentityCommand({}));
  expect(await lastUsed()).toEqual({ LastUsedDate: expect.any(Date), Region: REGION });
  const listed = (await iam.send(new ListRolesCommand({}))).Roles?.find(({ RoleName }) => RoleName === 'worker');
  expect(listed?.RoleLastUsed).toBeUndefined();
});

test('requests write nothing: uses are written together, later, and what is gone is forgotten', async () => {
  const { identity, admin, otherAdmin } = installation;
  const before = await written();
  const iam = installation.iam();
  for (let call = 0; call < 20; call++) await iam.send(new ListUsersCommand({}));
  await installation.iam(otherAdmin).send(new ListUsersCommand({}));
  expect(await written()).toBe(before);

  const other = installation.otherServer();
  await identity.close();
  const rows = await installation.records.list<{ service: string }>(`iam-uses/${ACCOUNT}`, { limit: 100 });
  expect(rows.records.find(({ key }) => key === `use/${admin.accessKeyId}`)?.value).toMatchObject({ service: 'iam' });
  expect(rows.records.some(({ key }) => key === `use/${otherAdmin.accessKeyId}`)).toBe(false);
  expect((await installation.records.list(`iam-uses/${OTHER_ACCOUNT}`, { limit: 9 })).records).toHaveLength(1);

  const standing = rows.records.length;
  await installation.records.commit(`iam-uses/${ACCOUNT}`, {
    put: [{ key: 'use/AKIAGONEGONEGONEGONE', value: { at: Date.now(), service: 'sts', region: REGION } }],
  });
  await other.sweepSessions(ACCOUNT);
  const kept = await installation.records.list(`iam-uses/${ACCOUNT}`, { limit: 100 });
  expect(kept.records.map(({ key }) => key)).not.toContain('use/AKIAGONEGONEGONEGONE');
  expect(kept.records.length).toBeLessThanOrEqual(standing);
  installation.clock.offset = 401 * 86_400_000;
  await other.sweepSessions(ACCOUNT);
  expect((await installation.records.list(`iam-uses/${ACCOUNT}`, { limit: 100 })).records).toEqual([]);
});
