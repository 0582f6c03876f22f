import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DetachUserPolicyCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  TagUserCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { systemClock } from '@slipway/storage/clock';
import { type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessRequest, Call, Principal } from '../contract/index.ts';
import { WrongEncryptionKey } from './default-identities.ts';
import { accountOfAccessKey, newAccessKeyId } from './ids.ts';
import { type Identity, openIdentity } from './open-identity.ts';
import { passRole } from './pass-role.ts';
import { createSeal, SealBroken } from './seal.ts';
import { ACCOUNT, callOf, type Installation, type Key, openInstallation, REGION } from './testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const statement = (Action: unknown, Resource: unknown = '*', more: object = {}) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
});
const policy = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const repository = (name: string): string => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}`;
const on = (action: string, arn: string, more: Partial<AccessRequest> = {}): AccessRequest => ({
  action,
  resources: [{ arn }],
  ...more,
});

async function user(name: string, document?: string): Promise<Key & { arn: string; id: string }> {
  const iam = installation.iam();
  const { User } = await iam.send(new CreateUserCommand({ UserName: name }));
  if (document !== undefined)
    await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: 'own', PolicyDocument: document }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return {
    arn: User?.Arn ?? '',
    id: User?.UserId ?? '',
    accessKeyId: AccessKey?.AccessKeyId ?? '',
    secretAccessKey: AccessKey?.SecretAccessKey ?? '',
  };
}

async function principalOf(key: Key, identity: Identity = installation.identity): Promise<Principal> {
  const found = await identity.credentials.find(key.accessKeyId, key.sessionToken);
  if ('refused' in found) throw new Error(`refused: ${found.refused}`);
  return found.principal;
}

const may = async (key: Key, access: AccessRequest, call: Partial<Call> = {}) =>
  installation.identity.authorizer.authorize(await principalOf(key), access, callOf(ACCOUNT, call));

describe('first start', () => {
  test('the administrator is made once; its key is handed out until somebody has kept it', async () => {
    expect(installation.admin.accessKeyId).toMatch(/^AKIA/);
    expect(await installation.otherServer().bootstrap(ACCOUNT)).toEqual(installation.admin);
    await installation.identity.confirmAdministrator(ACCOUNT);
    expect(await installation.otherServer().bootstrap(ACCOUNT)).toBeUndefined();
    await installation.identity.confirmAdministrator(ACCOUNT);
    expect(await installation.identity.administratorKey(ACCOUNT)).toEqual(installation.admin);
    expect(await installation.identity.administratorKey('111122224444')).toBeUndefined();
    expect(await may(installation.admin, on('ecr:DeleteRepository', repository('x')))).toMatchObject({
      allowed: true,
      statement: { policy: 'arn:aws:iam::aws:policy/AdministratorAccess', statement: '0' },
    });
  });

  test('two servers that start at once make one administrator', async () => {
    const made = await Promise.all([
      installation.otherServer().bootstrap('777788889999'),
      installation.otherServer().bootstrap('777788889999'),
    ]);
    expect(made[0]?.accessKeyId).toMatch(/^AKIA/);
    expect(made[1]).toEqual(made[0]);
  });

  test('A2 an encryption key of another length, or another key than the secrets were sealed with, stops the start', async () => {
    const parts = { records: installation.records, clock: systemClock, random: randomBytes, region: REGION };
    expect(() => openIdentity({ ...parts, encryptionKey: randomBytes(16) })).toThrow(
      'the identity encryption key has 16 bytes, it needs 32',
    );
    const other = openIdentity({ ...parts, encryptionKey: randomBytes(32) });
    await expect(other.bootstrap(ACCOUNT)).rejects.toThrow(WrongEncryptionKey);
    await other.close();
  });
});

describe('secrets at rest', () => {
  test('no secret and no session token stands in the store', async () => {
    const key = await user('at-rest');
    const session = await installation.identity.issueSession({
      roleArn: `arn:aws:iam::${ACCOUNT}:role/slipwayContainerInstanceRole`,
      sessionName: 'i-1',
      service: 'ec2.amazonaws.com',
    });
    const stored: string[] = [];
    for (const partition of (await installation.records.partitions({})).names) {
      for (const record of (await installation.records.list(partition, { limit: 10_000 })).records)
        stored.push(JSON.stringify(record.value));
    }
    const all = stored.join('\n');
    expect(all).toContain(key.accessKeyId);
    for (const secret of [
      key.secretAccessKey,
      installation.admin.secretAccessKey,
      session.secretAccessKey,
      session.sessionToken,
    ]) {
      expect(all).not.toContain(secret);
    }
  });

  test('a sealed secret opens for its own key id, unchanged, with the same key only', () => {
    const seal = createSeal(randomBytes(32), randomBytes);
    const sealed = seal.seal('secret', 'AKIA1');
    expect(seal.open(sealed, 'AKIA1')).toBe('secret');
    expect(seal.seal('secret', 'AKIA1')).not.toBe(sealed);
    expect(() => seal.open(sealed, 'AKIA2')).toThrow(SealBroken);
    expect(() => createSeal(randomBytes(32), randomBytes).open(sealed, 'AKIA1')).toThrow(SealBroken);
    const bytes = Buffer.from(sealed, 'base64');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => seal.open(changed.toString('base64'), 'AKIA1'), `byte ${at}`).toThrow(SealBroken);
    }
    expect(() => seal.open('', 'AKIA1')).toThrow(SealBroken);
  });

  test('access key ids carry their account', () => {
    for (const account of ['000000000000', '000000000001', '111122223333', '999999999999']) {
      for (let round = 0; round < 50; round++) {
        const id = newAccessKeyId('ASIA', account, randomBytes);
        expect(id).toMatch(/^ASIA[A-Z2-7]{16}$/);
        expect(accountOfAccessKey(id)).toBe(account);
      }
    }
    expect(accountOfAccessKey('AKIA')).toBeUndefined();
    expect(accountOfAccessKey('AKIAlowercase1234567')).toBeUndefined();
  });
});

describe('changes made by another server', () => {
  test('S18 a key that was made inactive, a detached policy and a revoked session are refused within five seconds', async () => {
    // By the other server's own clock, on which no time passes: it is told of changes. A9 is about the store that tells nothing.
    const { records, encryptionKey } = installation;
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const other = openIdentity({ records, clock, random: randomBytes, encryptionKey, region: REGION });
    const key = await user('watched');
    const iam = installation.iam();
    const PolicyArn = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';
    await iam.send(new AttachUserPolicyCommand({ UserName: 'watched', PolicyArn }));
    const principal = await principalOf(key, other);
    const access = on('ecr:BatchGetImage', repository('x'));
    const allowed = async () => (await other.authorizer.authorize(principal, access, callOf())).allowed;
    await expect.poll(allowed).toBe(true);
    await iam.send(new DetachUserPolicyCommand({ UserName: 'watched', PolicyArn }));
    await expect.poll(allowed).toBe(false);
    expect(await other.standing.standing(principal)).toBe(true);
    await iam.send(
      new UpdateAccessKeyCommand({ UserName: 'watched', AccessKeyId: key.accessKeyId, Status: 'Inactive' }),
    );
    await expect.poll(() => other.credentials.find(key.accessKeyId, undefined)).toHaveProperty('refused');
    expect(await other.standing.standing(principal)).toBe(false);

    const session = await installation.identity.issueSession({
      roleArn: `arn:aws:iam::${ACCOUNT}:role/slipwayContainerInstanceRole`,
      sessionName: 'i-2',
      service: 'ec2.amazonaws.com',
    });
    const find = () => other.credentials.find(session.accessKeyId, session.sessionToken);
    expect(await find()).toMatchObject({ principal: { arn: session.principal.arn } });
    await installation.identity.revokeSession(session.accessKeyId);
    // Nobody is told of sessions: they are asked for again.
    now = 5000;
    expect(await find()).toHaveProperty('refused');
    expect(await other.standing.standing(session.principal)).toBe(false);
    await other.close();
  });

  test('a key made by one server works on another at once', async () => {
    const other = installation.otherServer();
    await other.credentials.find(installation.admin.accessKeyId, undefined);
    const key = await user('fresh');
    expect(await other.credentials.find(key.accessKeyId, undefined)).toMatchObject({ secret: key.secretAccessKey });
  });

  test('A9 when the store cannot be asked, nothing older than five seconds is believed', async () => {
    let down = false;
    let now = 0;
    const failing = (name: string) => () =>
      Promise.reject(new StoreUnavailable(`${name}: the store is gone`, 'not-committed'));
    const records = new Proxy(installation.records, {
      get: (target, name: keyof RecordStore) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return down && (name === 'version' || name === 'list' || name === 'get') ? failing(name) : value.bind(target);
      },
    });
    const clock = { ...systemClock, monotonic: () => now };
    const parts = { records, clock, random: randomBytes, encryptionKey: installation.encryptionKey, region: REGION };
    const identity = openIdentity(parts);
    const principal = await principalOf(installation.admin, identity);
    const ask = () => identity.authorizer.authorize(principal, on('ecr:GetAuthorizationToken', '*'), callOf());
    expect(await ask()).toMatchObject({ allowed: true });
    down = true;
    now = 4000;
    expect(await ask()).toMatchObject({ allowed: true });
    now = 5000;
    await expect(ask()).rejects.toThrow(StoreUnavailable);
    await expect(identity.credentials.find(installation.admin.accessKeyId, undefined)).rejects.toThrow(
      StoreUnavailable,
    );
    down = false;
    expect(await ask()).toMatchObject({ allowed: true });
    await identity.close();
  });
});

describe('what decisions are made of', () => {
  test('that an action is refused whatever it is done to is known before', async () => {
    const foresee = async (key: Key, action: string) =>
      (await installation.identity.authorizer.foresee(await principalOf(key), action))?.reason;
    const key = await user('foreseen', policy(statement('ecr:*', 'arn:aws:ecr:us-east-1:000000000000:repository/a')));
    expect(await foresee(key, 'ecs:RegisterTaskDefinition')).toBe(
      'no identity-based policy allows the ecs:RegisterTaskDefinition action',
    );
    expect(await foresee(key, 'ecr:PutImage')).toBeUndefined();
    expect(await foresee(installation.admin, 'ecs:RegisterTaskDefinition')).toBeUndefined();
  });

  test('the caller, the request and the resource are condition keys', async () => {
    const key = await user(
      'keys',
      policy(
        statement('ecr:PutImage', '*', {
          Condition: { StringEquals: { 'aws:ResourceTag/Team': '${aws:PrincipalTag/team}' } },
        }),
        statement('ecr:BatchGetImage', '*', {
          Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' }, Bool: { 'aws:SecureTransport': 'true' } },
        }),
        statement('ecr:ListImages', '*', {
          Condition: { DateLessThan: { 'aws:CurrentTime': '2026-07-01T00:00:00Z' } },
        }),
        statement('ecr:CreateRepository', '*', {
          Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] }, Null: { 'aws:TagKeys': 'false' } },
        }),
        statement('ecr:DeleteRepository', 'arn:aws:ecr:*:*:repository/${aws:username}/*', {
          Condition: {
            ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:user/*` },
            StringEquals: { 'aws:RequestedRegion': REGION },
          },
        }),
      ),
    );
    await installation.iam().send(new TagUserCommand({ UserName: 'keys', Tags: [{ Key: 'Team', Value: 'a' }] }));
    const allowed = async (access: AccessRequest, call: Partial<Call> = {}) => (await may(key, access, call)).allowed;
    const push = (team: string) => ({ action: 'ecr:PutImage', resources: [{ arn: repository('x'), tags: { team } }] });
    expect(await allowed(push('a'))).toBe(true);
    expect(await allowed(push('b'))).toBe(false);
    expect(await allowed(on('ecr:PutImage', repository('x')))).toBe(false);
    const tls = { endpoint: 'https://registry.example' };
    const pull = on('ecr:BatchGetImage', repository('x'));
    expect(await allowed(pull, tls)).toBe(true);
    expect(await allowed(pull)).toBe(false);
    expect(await allowed(pull, { ...tls, sourceIp: '198.51.100.1' })).toBe(false);
    const list = on('ecr:ListImages', repository('x'));
    expect(await allowed(list)).toBe(true);
    expect(await allowed(list, { time: new Date('2026-08-01T00:00:00Z') })).toBe(false);
    const create = (...keys: string[]) =>
      on('ecr:CreateRepository', repository('x'), { context: { 'aws:TagKeys': keys } });
    expect(await allowed(create('team'))).toBe(true);
    expect(await allowed(create('team', 'other'))).toBe(false);
    expect(await allowed(create())).toBe(false);
    expect(await allowed(on('ecr:DeleteRepository', repository('keys/x')))).toBe(true);
    expect(await allowed(on('ecr:DeleteRepository', repository('other/x')))).toBe(false);
    expect(await allowed(on('ecr:DeleteRepository', repository('keys/x')), { region: 'eu-west-1' })).toBe(false);
  });

  test('an operation cannot replace what is known of the caller', async () => {
    const key = await user('honest', policy(statement('ecr:*', 'arn:aws:ecr:*:*:repository/${aws:username}')));
    const context = { 'aws:username': 'other', 'aws:SourceIp': '10.0.0.1' };
    expect(await may(key, on('ecr:PutImage', repository('other'), { context }))).toMatchObject({ allowed: false });
    expect(await may(key, on('ecr:PutImage', repository('honest'), { context }))).toMatchObject({ allowed: true });
  });

  test('all resources of a request must be allowed; the refused one is named', async () => {
    const key = await user('some', policy(statement('ecr:*', repository('team-a/*'))));
    const resources = ['team-a/x', 'team-b/y', 'team-c/z'].map((name) => ({ arn: repository(name) }));
    expect(await may(key, { action: 'ecr:BatchGetImage', resources })).toMatchObject({
      allowed: false,
      resource: repository('team-b/y'),
    });
  });

  test('a repository policy alone lets a named user of the account in, and only that one', async () => {
    const [named, other] = [await user('named'), await user('unnamed')];
    const text = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: named.arn }, Action: 'ecr:BatchGetImage' }],
    });
    const bound = await installation.identity.bindPrincipals(text);
    expect(bound).toContain(named.id);
    expect(await installation.identity.showPrincipals(bound)).toBe(text);
    const access = { action: 'ecr:BatchGetImage', resources: [{ arn: repository('x'), policy: bound }] };
    expect(await may(named, access)).toMatchObject({
      allowed: true,
      statement: { policy: `resource:${repository('x')}`, statement: '0' },
    });
    expect(await may(other, access)).toMatchObject({ allowed: false, explicit: false });
  });

  test('J7 a token restriction limits whoever holds the token, and sessions without their record are refused', async () => {
    const restrictions = [policy(statement('ecr:BatchGetImage', repository('a')))];
    const admin = { ...(await principalOf(installation.admin)), restrictions };
    const ask = (principal: Principal, name: string) =>
      installation.identity.authorizer.authorize(principal, on('ecr:BatchGetImage', repository(name)), callOf());
    expect(await ask(admin, 'a')).toMatchObject({ allowed: true });
    expect(await ask(admin, 'b')).toMatchObject({ allowed: false });
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/slipwayContainerInstanceRole/x`;
    expect(await ask({ type: 'assumed-role', account: ACCOUNT, arn, id: 'AROAX:x' }, 'a')).toMatchObject({
      allowed: false,
      reason: 'the session has ended or was revoked',
    });
  });

  test('decisions that were remembered follow the values they depend on', async () => {
    const key = await user(
      'remembered',
      policy(statement('ecr:*', '*', { Condition: { StringEquals: { 'ecr:ResourceTag/env': ['a\nb', 'c'] } } })),
    );
    const ask = async (env: string) =>
      (await may(key, { action: 'ecr:PutImage', resources: [{ arn: repository('x'), tags: { env } }] })).allowed;
    expect(await Promise.all(['c', 'a', 'a\nb', 'b', 'c'].map(ask))).toEqual([true, false, true, false, true]);
  });

  test('decisions that were remembered follow the policy of their resource', async () => {
    const key = await user('with-resource', policy(statement('ecr:*')));
    const ask = async (Effect: string) => {
      const own = policy({ Effect, Principal: '*', Action: 'ecr:PutImage', Resource: '*' });
      return (await may(key, { action: 'ecr:PutImage', resources: [{ arn: repository('x'), policy: own }] })).allowed;
    };
    const asked = ['Allow', 'Deny', 'Allow', 'Deny'];
    expect(await Promise.all(asked.map(ask))).toEqual([true, false, true, false]);
  });
});

describe('sessions for services', () => {
  test('P16 a role is taken on by a service that its trust policy lets in, and carries the role and no more', async () => {
    const iam = installation.iam();
    const trust = policy({
      Effect: 'Allow',
      Principal: { Service: 'ecs-tasks.amazonaws.com' },
      Action: 'sts:AssumeRole',
      Condition: { ArnLike: { 'aws:SourceArn': `arn:aws:ecs:${REGION}:${ACCOUNT}:*` } },
    });
    const { Role } = await iam.send(
      new CreateRoleCommand({ RoleName: 'task-role', Path: '/svc/', AssumeRolePolicyDocument: trust }),
    );
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: 'task-role',
        PolicyName: 'own',
        PolicyDocument: policy(statement('ecr:BatchGetImage')),
      }),
    );
    const request = {
      roleArn: Role?.Arn ?? '',
      sessionName: '0123456789abcdef0123456789abcdef',
      service: 'ecs-tasks.amazonaws.com',
      sourceArn: `arn:aws:ecs:${REGION}:${ACCOUNT}:task/default/1`,
    };
    const session = await installation.identity.issueSession(request);
    expect(session.principal.arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/task-role/${request.sessionName}`);
    expect(await may(session, on('ecr:BatchGetImage', repository('x')))).toMatchObject({ allowed: true });
    expect(await may(session, on('ecr:PutImage', repository('x')))).toMatchObject({ allowed: false });
    const refused = { name: 'AwsError', code: 'AccessDenied' };
    await expect(
      installation.identity.issueSession({ ...request, service: 'ec2.amazonaws.com' }),
    ).rejects.toMatchObject(refused);
    await expect(
      installation.identity.issueSession({ ...request, sourceArn: 'arn:aws:ecs:eu-west-1:1:task/x' }),
    ).rejects.toMatchObject(refused);
    await expect(
      installation.identity.issueSession({ ...request, roleArn: `${request.roleArn}x` }),
    ).rejects.toMatchObject({ code: 'NoSuchEntityException' });
    await expect(installation.identity.issueSession({ ...request, sessionName: 'a b' })).rejects.toMatchObject({
      code: 'ValidationError',
    });
  });

  test('P16 iam:PassRole asks for the role and the service it goes to', async () => {
    const arn = `arn:aws:iam::${ACCOUNT}:role/task-role`;
    const key = await user(
      'passer',
      policy(
        statement('iam:PassRole', arn, {
          Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
        }),
      ),
    );
    expect(await may(key, passRole(arn, 'ecs-tasks.amazonaws.com'))).toMatchObject({ allowed: true });
    expect(await may(key, passRole(arn, 'ec2.amazonaws.com'))).toMatchObject({ allowed: false });
    expect(await may(key, passRole(`${arn}2`, 'ecs-tasks.amazonaws.com'))).toMatchObject({ allowed: false });
  });

  test('expired sessions are swept an hour after their end', async () => {
    const roleArn = `arn:aws:iam::${ACCOUNT}:role/slipwayContainerInstanceRole`;
    const request = { roleArn, sessionName: 'swept', service: 'ec2.amazonaws.com', durationSeconds: 900 };
    const session = await installation.identity.issueSession(request);
    installation.clock.offset = 3_000_000;
    await installation.identity.sweepSessions(ACCOUNT);
    expect(await installation.otherServer().credentials.find(session.accessKeyId, session.sessionToken)).toEqual({
      refused: 'expired',
    });
    installation.clock.offset = 8_000_000;
    expect(await installation.identity.sweepSessions(ACCOUNT)).toBeGreaterThan(0);
    expect(await installation.otherServer().credentials.find(session.accessKeyId, session.sessionToken)).toEqual({
      refused: 'unknown',
    });
    installation.clock.offset = 0;
  });
});

test('an explanation says who, what, on what, which policies were looked at, and why', async () => {
  const key = await user(
    'curious',
    policy({ ...statement('ecr:BatchGetImage', repository('team-a/*')), Sid: 'PullTeamA' }),
  );
  const [told] = await installation.identity.explain(key.arn, on('ecr:PutImage', repository('team-a/x')), callOf());
  expect(told).toEqual({
    principal: key.arn,
    action: 'ecr:PutImage',
    resource: repository('team-a/x'),
    allowed: false,
    outcome: 'implicitDeny',
    reason: 'no identity-based policy allows the ecr:PutImage action',
    layer: 'identity',
    considered: [{ layer: 'identity', policy: 'inline:own' }],
    statements: [
      {
        layer: 'identity',
        policy: 'inline:own',
        statement: 'PullTeamA',
        index: 0,
        effect: 'Allow',
        matched: false,
        because: 'it is not about the action ecr:PutImage',
        missed: 'action',
      },
    ],
    missingKeys: [],
  });
  const [allowed] = await installation.identity.explain(
    await principalOf(key),
    on('ecr:BatchGetImage', repository('team-a/x')),
    callOf(),
  );
  expect(allowed).toMatchObject({ allowed: true, decidedBy: { policy: 'inline:own', statement: 'PullTeamA' } });
  const [ghost] = await installation.identity.explain(
    `arn:aws:iam::${ACCOUNT}:user/ghost`,
    on('ecr:PutImage', '*'),
    callOf(),
  );
  expect(ghost).toMatchObject({ allowed: false, reason: `the user arn:aws:iam::${ACCOUNT}:user/ghost does not exist` });
  const [odd] = await installation.identity.explain('somebody', on('ecr:PutImage', '*'), callOf());
  expect(odd).toMatchObject({ allowed: false });
});
