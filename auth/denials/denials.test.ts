import { randomBytes, randomUUID } from 'node:crypto';
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  type IAMClient,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { Registry } from '@prometheus-io/client';
import { systemClock } from '@slipway/storage/clock';
import { type RecordStore, scanPages } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import aws4 from 'aws4';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IAMClient as Client } from '@aws-sdk/client-iam';
import { openBrowser } from '../browser/index.ts';
import type { Denial } from '../contract/index.ts';
import { createGateway, type Gateway, type Listening } from '../gateway/index.ts';
import { unwatched } from '../gateway/testing/index.ts';
import {
  ACCOUNT,
  callOf,
  type Installation,
  type Key,
  openInstallation,
  OTHER_ACCOUNT,
  REGION,
} from '../identity/testing/installation.ts';
import { TokenService } from '../tokens/index.ts';
import { Denials, keptFor } from './denials.ts';
import { type OpenDenials, openDenials } from './index.ts';
import type { DenialRecord } from './records.ts';

let installation: Installation;
let gateway: Gateway;
let listening: Listening;
let denials: OpenDenials;
let records: RecordStore;
let iam: IAMClient;
const clock = systemClock;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

beforeAll(async () => {
  installation = await openInstallation();
  const { identity } = installation;
  records = memoryRecords(clock);
  denials = openDenials({ records, clock, identity, log });
  const browser = openBrowser({ records, clock, random: randomBytes, identity, oidc: undefined });
  gateway = createGateway({
    ...unwatched(REGION, { failures: { burst: 1000, perSecond: 1000 } }),
    services: identity.services,
    web: [...browser.web, denials.web],
    browser: browser.calls,
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens: new TokenService({ records, clock, sealer: identity.sealer, issuer: 'slipway:test', region: REGION }),
    clock,
    log,
    denials: denials.sink,
    metrics: new Registry(),
    region: REGION,
    account: ACCOUNT,
  });
  listening = await gateway.listen({ host: '127.0.0.1', port: 0 });
  iam = installation.iam();
});

afterAll(async () => {
  await gateway.close(0);
  await denials.close();
  await installation[Symbol.asyncDispose]();
});

const policy = (...statements: readonly object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });

async function user(UserName: string, ...statements: readonly object[]): Promise<Key> {
  await iam.send(new CreateUserCommand({ UserName }));
  if (statements.length > 0)
    await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'own', PolicyDocument: policy(...statements) }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}

/** The id of the answer to listing users, which these may not. */
async function refusedListing(credentials: Key): Promise<string> {
  const client = new Client({ endpoint: listening.url, region: REGION, credentials, maxAttempts: 1 });
  const id = await idOfRefusal(client.send(new ListUsersCommand({})));
  client.destroy();
  return id;
}

async function idOfRefusal(answer: Promise<unknown>): Promise<string> {
  const thrown = await answer.then(
    () => undefined,
    (error: { readonly name: string; readonly $metadata: { readonly requestId?: string } }) => error,
  );
  expect(thrown?.name).toBe('AccessDenied');
  return thrown?.$metadata.requestId ?? '';
}

async function ask(credentials: Key, id: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const { host } = new URL(listening.url);
  const path = `/slipway/denials/${id}`;
  const { headers } = aws4.sign({ host, path, service: 'iam', region: REGION }, credentials);
  const answer = await fetch(`${listening.url}${path}`, { headers: headers as Record<string, string> });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const admin = (): Key => installation.admin;

test('a refusal is explained by its id, as it was then: who, what, and what each statement said', async () => {
  const key = await user(
    'dev',
    { Sid: 'Reads', Effect: 'Allow', Action: 'iam:List*', Resource: '*' },
    { Sid: 'NoUsers', Effect: 'Deny', Action: 'iam:ListUsers', Resource: '*' },
    { Sid: 'Other', Effect: 'Allow', Action: 'ecs:*', Resource: '*' },
  );
  const id = await refusedListing(key);
  await expect.poll(async () => (await ask(admin(), id)).status).toBe(200);
  await iam.send(
    new PutUserPolicyCommand({
      UserName: 'dev',
      PolicyName: 'own',
      PolicyDocument: policy({ Effect: 'Allow', Action: '*', Resource: '*' }),
    }),
  );
  const { body } = await ask(admin(), id);
  expect(body).toMatchObject({
    requestId: id,
    service: 'iam',
    operation: 'ListUsers',
    principal: `arn:aws:iam::${ACCOUNT}:user/dev`,
    sourceIp: '127.0.0.1',
    action: 'iam:ListUsers',
    reason: 'an explicit deny in an identity-based policy',
    explanations: [
      {
        outcome: 'explicitDeny',
        decidedBy: { policy: 'inline:own', statement: 'NoUsers' },
        statements: [
          { statement: 'Reads', effect: 'Allow', matched: true },
          { statement: 'NoUsers', effect: 'Deny', matched: true },
        ],
      },
    ],
    statementsLeftOut: 1,
  });
  expect(JSON.stringify(body)).not.toContain(key.accessKeyId);
});

test('only who may look into the policies of whoever was refused is told, and others not even whether it was', async () => {
  const refused = await user('refused');
  const id = await refusedListing(refused);
  await expect.poll(async () => (await ask(admin(), id)).status).toBe(200);
  const may = (name: string): object => ({
    Effect: 'Allow',
    Action: 'iam:SimulatePrincipalPolicy',
    Resource: `arn:aws:iam::${ACCOUNT}:user/${name}`,
  });
  const [helper, stranger] = [await user('helper', may('refused')), await user('stranger', may('stranger'))];
  expect((await ask(helper, id)).status).toBe(200);
  for (const key of [refused, stranger])
    for (const one of [id, randomUUID()])
      expect(await ask(key, one)).toMatchObject({ status: 403, body: { code: 'denied' } });
  // Of another account there is nothing, whoever asks.
  expect((await ask(installation.otherAdmin, id)).status).toBe(404);
  expect((await ask(admin(), randomUUID())).status).toBe(404);
  for (const odd of ['x', `${id}/`, id.toUpperCase(), '..%2f..', id.slice(1)])
    expect([odd, (await ask(admin(), odd)).status]).toEqual([odd, 404]);
  expect((await fetch(`${listening.url}/slipway/denials/${id}`)).status).toBe(401);
  // Being refused here is a refusal as well.
  expect((await ask(admin(), id)).body['operation']).toBe('ListUsers');
});

test('of a session, the right to its role counts; its session policy is among what was looked at', async () => {
  const trust = policy({
    Effect: 'Allow',
    Action: 'sts:AssumeRole',
    Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
  });
  await iam.send(new CreateRoleCommand({ RoleName: 'job', Path: '/ops/', AssumeRolePolicyDocument: trust }));
  const allow = policy({ Effect: 'Allow', Action: 'iam:*', Resource: '*' });
  await iam.send(new PutRolePolicyCommand({ RoleName: 'job', PolicyName: 'all', PolicyDocument: allow }));
  const { Credentials } = await installation.sts().send(
    new AssumeRoleCommand({
      RoleArn: `arn:aws:iam::${ACCOUNT}:role/ops/job`,
      RoleSessionName: 'one',
      Policy: policy({ Effect: 'Allow', Action: 'ecs:*', Resource: '*' }),
    }),
  );
  const id = await refusedListing({
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  });
  const right = (name: string): object => ({
    Effect: 'Allow',
    Action: 'iam:SimulatePrincipalPolicy',
    Resource: `arn:aws:iam::${ACCOUNT}:role/${name}`,
  });
  const helper = await user('helper-of-roles', right('ops/job'));
  await expect.poll(async () => (await ask(helper, id)).status).toBe(200);
  expect((await ask(helper, id)).body).toMatchObject({
    principal: `arn:aws:sts::${ACCOUNT}:assumed-role/job/one`,
    explanations: [{ layer: 'session', considered: expect.arrayContaining([{ layer: 'session', policy: 'session' }]) }],
  });
  // Sessions do not say the path of their role; it counts all the same.
  expect((await ask(await user('helper-of-others', right('job')), id)).status).toBe(403);
});

test('what policies of resources ask for is not told, and of resources of other accounts nothing is explained', async () => {
  const credentials = await user('taker', { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' });
  const trust = policy({
    Effect: 'Allow',
    Action: 'sts:AssumeRole',
    Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
    Condition: { StringEquals: { 'sts:ExternalId': 'agreed-upon' } },
  });
  const sts = new STSClient({ endpoint: listening.url, region: REGION, credentials, maxAttempts: 1 });
  const refusedRole = async (RoleArn: string): Promise<Record<string, unknown>> => {
    const id = await idOfRefusal(sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'one' })));
    await expect.poll(async () => (await ask(admin(), id)).status).toBe(200);
    const { body } = await ask(admin(), id);
    expect(JSON.stringify(body)).not.toContain('agreed-upon');
    return body;
  };
  for (const owner of [admin(), installation.otherAdmin])
    await installation.iam(owner).send(new CreateRoleCommand({ RoleName: 'guarded', AssumeRolePolicyDocument: trust }));
  const missed = { layer: 'trust', missed: 'condition', because: 'its condition does not hold' };
  expect(await refusedRole(`arn:aws:iam::${ACCOUNT}:role/guarded`)).toMatchObject({
    explanations: [
      { statements: expect.arrayContaining([expect.objectContaining(missed)]), missingKeys: ['sts:ExternalId'] },
    ],
  });
  // Whether there is such a role is not told either.
  for (const name of ['guarded', 'missing']) {
    const RoleArn = `arn:aws:iam::${OTHER_ACCOUNT}:role/${name}`;
    expect(await refusedRole(RoleArn)).toMatchObject({
      resources: [RoleArn],
      reason: 'no role trust policy allows the sts:AssumeRole action',
      explanations: [],
      statementsLeftOut: 0,
    });
  }
  sts.destroy();
});

/** Refusals that the store has. */
async function held(): Promise<number> {
  let count = 0;
  for await (const page of scanPages(records, 'denials', { limit: 100 })) count += page.records.length;
  return count;
}

test('what was allowed, only asked, or sent by nobody leaves nothing', async () => {
  await denials.close();
  const before = await held();
  const key = await user('asks');
  await iam.send(
    new AttachUserPolicyCommand({ UserName: 'asks', PolicyArn: 'arn:aws:iam::aws:policy/IAMReadOnlyAccess' }),
  );
  await installation.iam(key).send(new ListUsersCommand({}));
  const post = (headers: Record<string, string>, path: string, body: string): Promise<Response> =>
    fetch(`${listening.url}${path}`, {
      method: 'POST',
      headers: { origin: listening.url, 'content-type': 'application/json', ...headers },
      body,
    });
  const signedIn = await post(
    {},
    '/console/session',
    JSON.stringify({ accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey }),
  );
  const { proof } = (await signedIn.json()) as { proof: string };
  const asked = await post(
    {
      cookie: signedIn.headers.get('set-cookie')?.split(';')[0] ?? '',
      'x-slipway-session': proof,
      'x-amz-target': '2010-05-08/CreateUser',
      'x-slipway-only-ask': '1',
    },
    '/console/api',
    '{"UserName":"more"}',
  );
  expect((await asked.json()) as object).toMatchObject({ __type: 'AccessDeniedException' });
  expect((await ask({ ...key, secretAccessKey: 'wrong' }, randomUUID())).status).toBeGreaterThanOrEqual(400);
  await denials.close();
  expect(await held()).toBe(before);
});

/** A refusal without a gateway. */
const denialOf = (who: string, change: Partial<Denial> = {}): Denial => ({
  service: 'ecs',
  operation: 'ListClusters',
  via: 'sigv4',
  access: { action: 'ecs:ListClusters', resources: [{ arn: '*' }] },
  decision: { allowed: false, reason: 'no policy allows it' },
  call: callOf(ACCOUNT, {
    requestId: randomUUID(),
    time: new Date(clock.now()),
    principal: { type: 'user', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/${who}`, id: who },
  }),
  ...change,
});

test('after an hour it is gone, also from the store', async () => {
  let ahead = 0;
  const late = { ...systemClock, now: () => Date.now() + ahead };
  const store = memoryRecords(late);
  const open = openDenials({
    records: store,
    clock: late,
    identity: { explain: async () => [], resource: async (arn) => ({ arn }) },
    log,
  });
  const denial = denialOf('AIDALATE');
  open.sink.write(denial);
  await open.close();
  const kept = new Denials({ records: store, clock: late, identity: { explain: async () => [] }, log });
  const found = () => kept.find(ACCOUNT, denial.call.requestId);
  expect(await found()).toBeDefined();
  expect(await open.jobs[0]?.run(new AbortController().signal)).toBeUndefined();
  ahead = keptFor;
  expect(await found()).toBeUndefined();
  expect(await open.jobs[0]?.run(new AbortController().signal)).toEqual({ removed: 1 });
  ahead = 0;
  expect(await found()).toBeUndefined();
});

test('nobody has much kept by being refused often, and others are still heard', async () => {
  const still = { ...systemClock, now: () => 0, monotonic: () => 0 };
  const kept = new Denials({ records: memoryRecords(still), clock: still, identity: { explain: async () => [] }, log });
  const noisy = Array.from({ length: 1000 }, () => denialOf('AROANOISY:session'));
  // All sessions of a role are one.
  for (const [i, one] of noisy.entries())
    kept.write({ ...one, call: { ...one.call, principal: { ...one.call.principal, id: `AROANOISY:${i}` } } });
  const quiet = denialOf('AIDAQUIET');
  kept.write(quiet);
  await kept.settled();
  const found = await Promise.all(noisy.map(({ call }) => kept.find(ACCOUNT, call.requestId)));
  expect(found.filter((one) => one !== undefined)).toHaveLength(20);
  expect(await kept.find(ACCOUNT, quiet.call.requestId)).toMatchObject({ action: 'ecs:ListClusters' });
  expect(await kept.find(OTHER_ACCOUNT, quiet.call.requestId)).toBeUndefined();
});

test('a store that does not answer holds a hundred at most, and takes what comes after it is back', async () => {
  const store = memoryRecords(clock);
  const gone = Promise.withResolvers<never>();
  let away = true;
  let tries = 0;
  const commit: RecordStore['commit'] = (...given) => {
    tries++;
    return away ? gone.promise : store.commit(...given);
  };
  const kept = new Denials({
    records: { ...store, get: store.get.bind(store), commit },
    clock,
    identity: { explain: async () => [] },
    log,
  });
  const some = Array.from({ length: 150 }, (_, i) => denialOf(`AIDA${i}`));
  for (const one of some) kept.write(one);
  await expect.poll(() => tries).toBe(1);
  away = false;
  gone.reject(new Error('the store is gone'));
  await kept.settled();
  const found = await Promise.all(some.map(({ call }) => kept.find(ACCOUNT, call.requestId)));
  // A hundred waited; the first, which the store was asked to take when it went, is lost.
  expect(found.filter((one) => one !== undefined)).toHaveLength(100);
  const last = denialOf('AIDALAST');
  kept.write(last);
  await kept.settled();
  expect(await kept.find(ACCOUNT, last.call.requestId)).toBeDefined();
});

test('a record is small, however much a request and its policies are', async () => {
  const store = memoryRecords(clock);
  const long = 'x'.repeat(100_000);
  const statement = { layer: 'identity', policy: 'p', effect: 'Allow', matched: false, missed: 'condition' } as const;
  const kept = new Denials({
    records: store,
    clock,
    identity: {
      explain: async (_who, { resources, action }) =>
        resources.map(({ arn }) => ({
          principal: 'p',
          action,
          resource: arn,
          allowed: false,
          outcome: 'implicitDeny' as const,
          reason: long,
          considered: Array.from({ length: 1000 }, () => ({ layer: 'identity', policy: 'p' })),
          statements: Array.from({ length: 1000 }, (_, index) => ({
            ...statement,
            statement: 's',
            index,
            because: long,
          })),
          missingKeys: [long],
        })),
    },
    log,
  });
  const denial = denialOf('AIDAMUCH', {
    access: { action: 'ecs:StopTask', resources: Array.from({ length: 500 }, (_, i) => ({ arn: `${i}${long}` })) },
    decision: { allowed: false, reason: long, resource: `499${long}` },
  });
  kept.write(denial);
  await kept.settled();
  const record = (await kept.find(ACCOUNT, denial.call.requestId)) as DenialRecord;
  expect(record.resources.map((one) => one.slice(0, 3))).toEqual(['499', '0xx', '1xx', '2xx', '3xx']);
  expect([record.resourcesLeftOut, record.statementsLeftOut]).toEqual([495, 4900]);
  expect(JSON.stringify(record).length).toBeLessThan(300_000);
});
