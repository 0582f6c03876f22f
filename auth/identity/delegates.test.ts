import {
  AttachRolePolicyCommand,
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { systemClock } from '@slipway/storage/clock';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessRequest, Principal } from '../contract/index.ts';
import { TokenService } from '../tokens/index.ts';
import { ACCOUNT, callOf, type Installation, type Key, openInstallation } from './testing/installation.ts';

const full = 'arn:aws:iam::aws:policy/AmazonECS_FullAccess';
const update: AccessRequest = {
  action: 'ecs:UpdateService',
  resources: [{ arn: `arn:aws:ecs:us-east-1:${ACCOUNT}:service/default/web` }],
};

describe('F9: what acts in the name of whoever made it', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await openInstallation();
  });
  afterAll(() => installation[Symbol.asyncDispose]());

  /** What a record keeps of its maker. */
  async function makerOf(key: Key): Promise<Principal> {
    const found = await installation.identity.credentials.find(key.accessKeyId, key.sessionToken);
    if ('refused' in found) throw new Error(found.refused);
    const { type, account, arn, id } = found.principal;
    return { type, account, arn, id, delegated: true };
  }
  const may = (maker: Principal) => installation.identity.authorizer.authorize(maker, update, callOf());

  async function user(name: string): Promise<Key> {
    const iam = installation.iam();
    await iam.send(new CreateUserCommand({ UserName: name }));
    await iam.send(new AttachUserPolicyCommand({ UserName: name, PolicyArn: full }));
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
    return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  }

  test('a user’s outlives the key, and ends with the right to do it', async () => {
    const iam = installation.iam();
    const key = await user('maker');
    const maker = await makerOf(key);
    await iam.send(new DeleteAccessKeyCommand({ UserName: 'maker', AccessKeyId: key.accessKeyId }));
    expect(await may(maker)).toMatchObject({ allowed: true });
    await iam.send(new DetachUserPolicyCommand({ UserName: 'maker', PolicyArn: full }));
    await expect
      .poll(() => may(maker), { timeout: 60_000 })
      .toMatchObject({ allowed: false, reason: 'no identity-based policy allows the ecs:UpdateService action' });
  });

  test('a user’s is not inherited by another user of the name', async () => {
    const iam = installation.iam();
    const key = await user('leaver');
    const maker = await makerOf(key);
    await iam.send(new DeleteAccessKeyCommand({ UserName: 'leaver', AccessKeyId: key.accessKeyId }));
    await iam.send(new DetachUserPolicyCommand({ UserName: 'leaver', PolicyArn: full }));
    await iam.send(new DeleteUserCommand({ UserName: 'leaver' }));
    await user('leaver');
    await expect
      .poll(() => may(maker), { timeout: 60_000 })
      .toMatchObject({ allowed: false, reason: 'the user does not exist any more' });
  });

  test('a session’s outlives the session, and ends with the role’s right to do it', async () => {
    const iam = installation.iam();
    const trust = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/admin` }, Action: 'sts:AssumeRole' },
      ],
    };
    await iam.send(new CreateRoleCommand({ RoleName: 'ci', AssumeRolePolicyDocument: JSON.stringify(trust) }));
    await iam.send(new AttachRolePolicyCommand({ RoleName: 'ci', PolicyArn: full }));
    const { Credentials: made } = await installation
      .sts()
      .send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${ACCOUNT}:role/ci`, RoleSessionName: 'build-1' }));
    const key = {
      accessKeyId: made?.AccessKeyId ?? '',
      secretAccessKey: made?.SecretAccessKey ?? '',
      sessionToken: made?.SessionToken ?? '',
    };
    const maker = await makerOf(key);
    await installation.identity.revokeSession(key.accessKeyId);
    expect(await may(maker)).toMatchObject({ allowed: true });
    // Without the mark, a session without its credentials is nobody.
    const { delegated: _, ...session } = maker;
    expect(await may(session)).toMatchObject({ allowed: false, reason: 'the session has ended or was revoked' });
    await iam.send(new DetachRolePolicyCommand({ RoleName: 'ci', PolicyArn: full }));
    await expect.poll(() => may(maker), { timeout: 60_000 }).toMatchObject({ allowed: false });
  });

  test('a token never carries the mark', async () => {
    const maker = await makerOf(installation.admin);
    const { records, identity } = installation;
    const tokens = new TokenService({
      records,
      clock: systemClock,
      sealer: identity.sealer,
      issuer: 'slipway:test',
      region: 'us-east-1',
    });
    const { password } = await tokens.issueAuthorization(maker);
    expect((await tokens.verify('authorization', password)).principal).not.toHaveProperty('delegated');
  });
});
