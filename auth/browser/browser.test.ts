import { request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import * as sts from '@aws-sdk/client-sts';
import {
  CreateAccessKeyCommand,
  CreateLoginProfileCommand,
  CreateUserCommand,
  DeleteLoginProfileCommand,
  PutUserPolicyCommand,
  UpdateAccessKeyCommand,
  UpdateLoginProfileCommand,
} from '@aws-sdk/client-iam';
import { Registry } from '@prometheus-io/client';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import aws4 from 'aws4';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AuditFacts, onlyAsked } from '../audit/index.ts';
import { renderPlainError, type WebService } from '../contract/index.ts';
import { type Browser, openBrowser } from './index.ts';
import { createGateway, type Gateway, type Listening } from '../gateway/index.ts';
import { unwatched } from '../gateway/testing/index.ts';
import { ACCOUNT, type Installation, openInstallation, REGION } from '../identity/testing/installation.ts';
import { TokenService } from '../tokens/index.ts';
import { codeFor, idleFor, lastsFor, Sessions } from './sessions.ts';

/** What a browser has after signing in. */
interface Signed {
  readonly cookie: string;
  readonly proof: string;
}
interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

let installation: Installation;
let browser: Browser;
let gateway: Gateway;
let listening: Listening;
const audited: AuditFacts[] = [];
const clock = { ...systemClock, offset: 0, now: () => Date.now() + clock.offset };

const touched: string[] = [];
/** Routes of the server's own that take signatures, as those of webhooks. */
const ownRoutes: WebService = {
  name: 'things',
  prefix: '/slipway/things/',
  authentication: { sigv4: 'ecs' },
  route: (method, path) =>
    path === '/slipway/things/one'
      ? {
          name: `${method} thing`,
          access: () => [{ action: 'ecs:UpdateService', resources: [{ arn: '*' }] }],
          handle: async (ctx, { principal, isBrowser }) => {
            touched.push(`${method} ${principal.arn} ${isBrowser}`);
            ctx.body = { touched: touched.length };
          },
        }
      : undefined,
  renderError: renderPlainError,
};

beforeAll(async () => {
  installation = await openInstallation();
  const { identity, records } = installation;
  browser = openBrowser({ records: memoryRecords(clock), clock, random: randomBytes, identity, oidc: undefined });
  gateway = createGateway({
    ...unwatched(REGION, { failures: { burst: 1000, perSecond: 1000 } }),
    services: identity.services,
    web: [...browser.web, ownRoutes],
    browser: browser.calls,
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens: new TokenService({ records, clock, sealer: identity.sealer, issuer: 'slipway:test', region: REGION }),
    clock: systemClock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    audit: { write: (_moment, { facts }) => void audited.push(facts) },
    metrics: new Registry(),
    region: REGION,
    account: ACCOUNT,
  });
  listening = await gateway.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await gateway.close(0);
  await installation[Symbol.asyncDispose]();
});

beforeEach(() => {
  clock.offset = 0;
});

const origin = (): string => listening.url;

/** One request with exactly these headers, which fetch would not let a test choose. */
function send(
  method: string,
  path: string,
  headers: Record<string, string | undefined> = {},
  body?: string,
): Promise<Said> {
  const given = Object.entries({ origin: origin(), 'content-type': 'application/json', ...headers });
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port: listening.port,
        path,
        method,
        headers: Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          let parsed: Record<string, unknown> = { text };
          try {
            parsed = JSON.parse(text) as Record<string, unknown>;
          } catch {
            // Not everything that is answered is JSON.
          }
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parsed });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const adminKey = () => {
  const { accessKeyId, secretAccessKey } = installation.admin;
  return { accessKeyId, secretAccessKey };
};

const cookieOf = ({ headers }: Said): string => String(headers['set-cookie']?.[0]).split(';')[0] ?? '';

async function signIn(given: object = adminKey()): Promise<Signed> {
  const said = await send('POST', '/console/session', {}, JSON.stringify(given));
  expect([said.status, said.body]).toEqual([200, expect.objectContaining({ proof: expect.any(String) })]);
  return { cookie: cookieOf(said), proof: String(said.body['proof']) };
}

const sessionOf = ({ cookie, proof }: Signed): Record<string, string> => ({ cookie, 'x-slipway-session': proof });
const whoAmI = '2011-06-15/GetCallerIdentity';
const call = (signed: Signed, target = whoAmI, more: Record<string, string | undefined> = {}, input: object = {}) =>
  send('POST', '/console/api', { ...sessionOf(signed), 'x-amz-target': target, ...more }, JSON.stringify(input));

test('an access key becomes a session whose calls are the key owner’s, in JSON, and audited as such', async () => {
  const signed = await signIn();
  const said = await call(signed);
  expect(said.status).toBe(200);
  expect(said.body).toMatchObject({
    Account: ACCOUNT,
    Arn: `arn:aws:iam::${ACCOUNT}:user/admin`,
  } satisfies Partial<sts.GetCallerIdentityCommandOutput>);
  const line = { via: 'browser', service: 'sts', operation: 'GetCallerIdentity' };
  await expect.poll(() => audited).toContainEqual(expect.objectContaining(line));
  expect((await send('GET', '/console/session', sessionOf(signed))).body).toMatchObject({
    account: ACCOUNT,
    region: REGION,
  });
  expect(JSON.stringify(audited)).not.toContain(signed.proof);
});

test('the cookie is for the console’s own paths, no script and no other site', async () => {
  const said = await send('POST', '/console/session', {}, JSON.stringify(adminKey()));
  const cookie = String(said.headers['set-cookie']?.[0]);
  expect(cookie).toMatch(new RegExp(`^slipway-console-${listening.port}=[\\w-]{43}; `));
  for (const attribute of ['Path=/console', 'HttpOnly', 'SameSite=Strict', `Max-Age=${lastsFor / 1000}`])
    expect(cookie.split('; ')).toContain(attribute);
  expect(said.headers['cache-control']).toBe('no-store');
});

test('a session reaches the server’s own routes as its owner, and may only ask whether it would', async () => {
  touched.length = 0;
  const signed = await signIn();
  const path = '/console/api/slipway/things/one';
  const asked = await send('POST', path, { ...sessionOf(signed), 'x-slipway-only-ask': '1' });
  expect([asked.status, asked.body, touched]).toEqual([200, { allowed: true }, []]);
  for (const method of ['GET', 'POST', 'DELETE'])
    expect([method, (await send(method, path, sessionOf(signed))).status]).toEqual([method, 200]);
  const admin = `arn:aws:iam::${ACCOUNT}:user/admin`;
  expect(touched).toEqual(['GET', 'POST', 'DELETE'].map((method) => `${method} ${admin} true`));
  const line = { via: 'browser', service: 'things', operation: 'POST thing', status: 200 };
  await expect.poll(() => audited).toContainEqual(expect.objectContaining(line));

  // Nobody without a session, no page of others, no name of others, and no path but such a route's.
  for (const [forged, status] of [
    [{ 'x-slipway-session': 'x'.repeat(43) }, 401],
    [{ cookie: undefined }, 401],
    [{ origin: 'http://evil.example' }, 403],
    [{ 'content-type': 'text/plain' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ host: `rebound.example:${listening.port}`, origin: `http://rebound.example:${listening.port}` }, 421],
  ] as const)
    expect([forged, (await send('POST', path, { ...sessionOf(signed), ...forged })).status]).toEqual([forged, status]);
  expect((await send('POST', '/slipway/things/one', sessionOf(signed))).status).toBe(401);
  for (const other of ['/console/api/slipway/things/two', '/console/api/slipway/none', '/console/api/console/code'])
    expect([other, (await send('POST', other, sessionOf(signed))).status]).toEqual([other, 404]);
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'stranger' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'stranger' }));
  const stranger = await signIn({
    accessKeyId: AccessKey?.AccessKeyId,
    secretAccessKey: AccessKey?.SecretAccessKey,
  });
  for (const header of [{}, { 'x-slipway-only-ask': '1' }])
    expect((await send('POST', path, { ...sessionOf(stranger), ...header })).body).toMatchObject({
      code: 'denied',
      message: expect.stringContaining('not authorized to perform: ecs:UpdateService'),
    });
  expect(touched).toHaveLength(3);
});

describe('without a right to it', () => {
  test('wrong secrets, unknown keys and odd bodies sign nobody in', async () => {
    const { accessKeyId } = adminKey();
    for (const [given, status] of [
      [{ accessKeyId, secretAccessKey: 'wrong' }, 401],
      [{ accessKeyId: 'AKIA0000000000000000', secretAccessKey: 'wrong' }, 401],
      [{ ...adminKey(), sessionToken: 'x' }, 401],
      [{ code: 'a'.repeat(43) }, 401],
      [{ account: ACCOUNT, user: 'nobody', password: 'x' }, 401],
      [{ ...adminKey(), more: 'x' }, 400],
      [[], 400],
    ] as const) {
      const said = await send('POST', '/console/session', {}, JSON.stringify(given));
      expect([given, said.status, said.headers['set-cookie']]).toEqual([given, status, undefined]);
    }
    expect((await send('POST', '/console/session', {}, '{')).status).toBe(400);
    expect((await send('POST', '/console/session', {}, 'x'.repeat(20_000))).status).toBe(413);
  });

  test('CSRF: what no page of this origin has sent is refused, whatever cookie it carries', async () => {
    const signed = await signIn();
    for (const forged of [
      { origin: 'http://evil.example' },
      { origin: undefined },
      { origin: 'null' },
      { origin: `${origin()}.evil.example` },
      { origin: `http://127.0.0.1:${listening.port + 1}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
    ]) {
      expect([forged, (await call(signed, whoAmI, forged)).body['__type']]).toEqual([forged, 'AccessDeniedException']);
      const signingIn = await send('POST', '/console/session', forged, JSON.stringify(adminKey()));
      expect([forged, signingIn.status, signingIn.headers['set-cookie']]).toEqual([forged, 403, undefined]);
    }
    expect((await call(signed)).status).toBe(200);
  });

  test('DNS rebinding: under a name that is not ours nothing is answered', async () => {
    const signed = await signIn();
    const host = `rebound.example:${listening.port}`;
    for (const path of ['/console/api', '/console/session'])
      expect((await send('POST', path, { ...sessionOf(signed), host, origin: `http://${host}` }, '{}')).status).toBe(
        421,
      );
  });

  test('cookie theft and fixation: neither half is worth anything without the other', async () => {
    const [victim, attacker] = [await signIn(), await signIn()];
    for (const mixed of [
      { cookie: victim.cookie, proof: '' },
      { cookie: '', proof: victim.proof },
      { cookie: attacker.cookie, proof: victim.proof },
      { cookie: `${attacker.cookie}; ${victim.cookie}`, proof: victim.proof },
    ])
      expect((await call(mixed)).body['__type']).toBe('MissingAuthenticationTokenException');
    // Signing in again gives a new session and ends the one that the browser came with.
    const again = await send('POST', '/console/session', { cookie: victim.cookie }, JSON.stringify(adminKey()));
    expect(cookieOf(again)).not.toBe(victim.cookie);
    expect((await call(victim)).body['__type']).toBe('MissingAuthenticationTokenException');
    expect((await call(attacker)).status).toBe(200);
  });

  test('policies decide as for a signed call, and asking whether they would allow does nothing', async () => {
    const iam = installation.iam();
    await iam.send(new CreateUserCommand({ UserName: 'reader' }));
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'reader' }));
    const key = { accessKeyId: AccessKey?.AccessKeyId, secretAccessKey: AccessKey?.SecretAccessKey };
    const [reader, admin] = [await signIn(key), await signIn()];
    const create = '2010-05-08/CreateUser';
    const refused = await call(reader, create, {}, { UserName: 'more' });
    expect(refused.body).toMatchObject({ __type: 'AccessDeniedException' });
    expect(refused.body['message']).toContain('because no identity-based policy allows the iam:CreateUser action');
    const asks = { 'x-slipway-only-ask': '1' };
    expect((await call(reader, create, asks, { UserName: 'more' })).body).toMatchObject({
      __type: 'AccessDeniedException',
    });
    expect((await call(admin, create, asks, { UserName: 'more' })).body).toEqual({ allowed: true });
    // Whoever reads the audit file can tell a question from an attempt, also where the answer was no.
    const linesOf = (detail: string | undefined) =>
      audited.filter((line) => line.operation === 'CreateUser' && line.via === 'browser' && line.detail === detail);
    await expect.poll(() => linesOf(onlyAsked).map(({ error }) => error)).toEqual(['AccessDeniedException', undefined]);
    await expect.poll(() => linesOf(undefined).map(({ error }) => error)).toEqual(['AccessDeniedException']);
    expect((await call(admin, '2010-05-08/GetUser', {}, { UserName: 'more' })).body).toMatchObject({
      __type: 'NoSuchEntityException',
    });
    expect((await call(admin, '2010-05-08/NoSuchThing')).body).toMatchObject({ __type: 'UnknownOperationException' });
    expect((await call(admin, create, { 'content-encoding': 'gzip' })).body).toMatchObject({
      __type: 'SerializationException',
    });
    // A key that is switched off ends what was begun with it.
    await iam.send(
      new UpdateAccessKeyCommand({ UserName: 'reader', AccessKeyId: AccessKey?.AccessKeyId, Status: 'Inactive' }),
    );
    await expect.poll(async () => (await call(reader)).body['__type']).toBe('MissingAuthenticationTokenException');
  });
});

describe('sessions end', () => {
  test('by signing out, by idling, and at the latest after twelve hours of use', async () => {
    const out = await signIn();
    const said = await send('DELETE', '/console/session', sessionOf(out));
    expect(String(said.headers['set-cookie']?.[0])).toContain('Max-Age=0');
    const idle = await signIn();
    const used = await signIn();
    expect((await call(out)).body['__type']).toBe('MissingAuthenticationTokenException');
    for (clock.offset = 0; clock.offset < lastsFor; clock.offset += idleFor / 2)
      expect([clock.offset, (await call(used)).status]).toEqual([clock.offset, 200]);
    for (const over of [idle, used])
      expect((await call(over)).body['__type']).toBe('MissingAuthenticationTokenException');
    // What is over is swept: nothing is left to sweep a second time.
    const [job] = browser.jobs;
    expect(await job?.run(AbortSignal.timeout(60_000))).toEqual({ removed: expect.any(Number) });
    expect(await job?.run(AbortSignal.timeout(60_000))).toBeUndefined();
  });

  test('of one principal, the twenty newest', async () => {
    const first = await signIn();
    for (let i = 0; i < 20; i++) await signIn();
    expect((await call(first)).body['__type']).toBe('MissingAuthenticationTokenException');
  });
});

describe('a code', () => {
  const issue = async (): Promise<string> => {
    const path = '/console/code';
    const { host } = new URL(listening.url);
    const signed = aws4.sign({ method: 'POST', host, path, service: 'ecs', region: REGION }, adminKey());
    const said = await send('POST', path, signed.headers as Record<string, string>);
    expect(said.status).toBe(200);
    return String(said.body['code']);
  };

  test('signs in once, as whoever asked for it', async () => {
    const code = await issue();
    expect((await call(await signIn({ code }))).body).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:user/admin` });
    expect((await send('POST', '/console/session', {}, JSON.stringify({ code }))).status).toBe(401);
  });

  test('is too old after a minute, and worth nothing once there is a newer one', async () => {
    const [older, newer] = [await issue(), await issue()];
    expect((await send('POST', '/console/session', {}, JSON.stringify({ code: older }))).status).toBe(401);
    clock.offset = codeFor;
    expect((await send('POST', '/console/session', {}, JSON.stringify({ code: newer }))).status).toBe(401);
  });

  test('is nobody’s who does not sign', async () => {
    const signed = await signIn();
    expect((await send('POST', '/console/code', sessionOf(signed))).status).toBe(401);
  });
});

test('a user signs in with a password', async () => {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'pat' }));
  await iam.send(new CreateLoginProfileCommand({ UserName: 'pat', Password: 'Correct-horse-7' }));
  const signed = await signIn({ account: ACCOUNT, user: 'pat', password: 'Correct-horse-7' });
  expect((await call(signed)).body).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:user/pat` });
});

describe('a session that was begun with a password', () => {
  const password = 'Correct-horse-7';
  const signInAs = async (user: string, secret = password) => signIn({ account: ACCOUNT, user, password: secret });
  const made = async (UserName: string): Promise<Signed> => {
    const iam = installation.iam();
    await iam.send(new CreateUserCommand({ UserName }));
    await iam.send(new CreateLoginProfileCommand({ UserName, Password: password }));
    return signInAs(UserName);
  };
  const statusOf = async (signed: Signed): Promise<number> =>
    (await send('GET', '/console/session', sessionOf(signed))).status;

  test('ends with it, whether it is changed or taken away', async () => {
    const iam = installation.iam();
    const changed = await made('changed');
    await iam.send(new UpdateLoginProfileCommand({ UserName: 'changed', PasswordResetRequired: false }));
    expect(await statusOf(changed)).toBe(200);
    await iam.send(new UpdateLoginProfileCommand({ UserName: 'changed', Password: 'Another-horse-8' }));
    await expect.poll(() => statusOf(changed), { timeout: 60_000 }).toBe(401);
    expect(await statusOf(await signInAs('changed', 'Another-horse-8'))).toBe(200);
    const gone = await made('gone');
    await iam.send(new DeleteLoginProfileCommand({ UserName: 'gone' }));
    await expect.poll(() => statusOf(gone), { timeout: 60_000 }).toBe(401);
    // Another one of the same text is another password.
    await iam.send(new CreateLoginProfileCommand({ UserName: 'gone', Password: password }));
    expect(await statusOf(await signInAs('gone'))).toBe(200);
    expect(await statusOf(gone)).toBe(401);
  });

  test('says that there was no MFA, and when it began, so that a policy can end those of before a date', async () => {
    const iam = installation.iam();
    const signed = await made('dated');
    const underCondition = async (Condition: object): Promise<string> => {
      const Statement = [{ Effect: 'Allow', Action: 'iam:GetUser', Resource: '*', Condition }];
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
      await iam.send(new PutUserPolicyCommand({ UserName: 'dated', PolicyName: 'p', PolicyDocument }));
      const { status, body } = await call(signed, '2010-05-08/GetUser');
      return status === 200 ? 'allowed' : String(body['__type']);
    };
    await expect
      .poll(() => underCondition({ Bool: { 'aws:MultiFactorAuthPresent': 'false' } }), { timeout: 60_000 })
      .toBe('allowed');
    const date = (hours: number): string => new Date(clock.now() + hours * 3_600_000).toISOString();
    await expect
      .poll(() => underCondition({ DateGreaterThan: { 'aws:TokenIssueTime': date(1) } }), { timeout: 60_000 })
      .toMatch(/AccessDenied/);
    await expect
      .poll(() => underCondition({ DateGreaterThan: { 'aws:TokenIssueTime': date(-1) } }), { timeout: 60_000 })
      .toBe('allowed');
    await expect
      .poll(() => underCondition({ Null: { 'aws:MultiFactorAuthPresent': 'true' } }), { timeout: 60_000 })
      .toMatch(/AccessDenied/);
  });
});

test('a session and a code keep what restricts whoever they are of, and nothing beside who that is', async () => {
  const sessions = new Sessions({ records: memoryRecords(clock), clock, random: randomBytes });
  const kept = {
    type: 'user' as const,
    account: ACCOUNT,
    arn: `arn:aws:iam::${ACCOUNT}:user/ada`,
    id: 'AIDAADA',
    console: { since: 1, passwordSet: 0 },
    restrictions: ['{"Version":"2012-10-17","Statement":[]}'],
  };
  const given = { ...kept, secret: 'not kept' };
  const { token, proof } = await sessions.open(given);
  expect((await sessions.find(token, proof))?.principal).toEqual(kept);
  const { code } = await sessions.issueCode(given);
  expect(await sessions.takeCode(code)).toEqual(kept);
});
