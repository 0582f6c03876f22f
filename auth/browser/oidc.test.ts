import { randomBytes } from 'node:crypto';
import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from '@aws-sdk/client-iam';
import { Registry } from '@prometheus-io/client';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createGateway, type Gateway, type Listening } from '../gateway/index.ts';
import { unwatched } from '../gateway/testing/index.ts';
import { ACCOUNT, type Installation, openInstallation, REGION } from '../identity/testing/installation.ts';
import { TokenService } from '../tokens/index.ts';
import { openBrowser } from './index.ts';
import { sessionNameOf } from './oidc.ts';
import type { OidcSettings } from './oidc-client.ts';
import { IdentityProvider, issuer } from './testing/identity-provider.ts';

const secret = 'a secret & more: +%';
const role = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const settings: OidcSettings = {
  issuer,
  clientId: 'slipway',
  clientSecret: secret,
  scopes: ['openid', 'email', 'groups'],
  name: 'id.example',
  roles: [role('operators'), role('developers')],
};

let provider: IdentityProvider;
let installation: Installation;
/** One where the client has a secret, and one where it proves itself by PKCE alone. */
let doors: { readonly gateway: Gateway; readonly listening: Listening }[];
const clock = { ...systemClock, offset: 0, now: () => Date.now() + clock.offset };

async function openDoor(port: number, change: Partial<OidcSettings> | undefined): Promise<(typeof doors)[number]> {
  const { identity, records } = installation;
  const oidc = change && {
    settings: { ...settings, ...change },
    fetch: provider.fetch,
    account: ACCOUNT,
    region: REGION,
  };
  // What is known of the provider does not get old, however slow the machine is.
  const still = { ...clock, monotonic: () => 0 };
  const browser = openBrowser({ records: memoryRecords(clock), clock: still, random: randomBytes, identity, oidc });
  const gateway = createGateway({
    ...unwatched(REGION, { failures: { burst: 1000, perSecond: 1000 } }),
    services: identity.services,
    web: [...browser.web],
    browser: browser.calls,
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens: new TokenService({ records, clock, sealer: identity.sealer, issuer: 'slipway:test', region: REGION }),
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    metrics: new Registry(),
    region: REGION,
    account: ACCOUNT,
  });
  return { gateway, listening: await gateway.listen({ host: '127.0.0.1', port }) };
}

beforeAll(async () => {
  const ports = [await freePort(), await freePort()];
  const client = { grant_types: ['authorization_code'], response_types: ['code'] };
  const leadsBack = (port: number | undefined) => [`http://127.0.0.1:${port}/console/`];
  provider = await IdentityProvider.open(
    [
      { ...client, client_id: 'slipway', client_secret: secret, redirect_uris: leadsBack(ports[0]) },
      { ...client, client_id: 'page', token_endpoint_auth_method: 'none', redirect_uris: leadsBack(ports[1]) },
    ],
    {
      alice: { email: 'alice@example.com', email_verified: true, groups: ['operators', 'all'] },
      bob: { email: 'alice@example.com', email_verified: false, groups: ['developers'] },
      carol: { groups: [] },
    },
  );
  installation = await openInstallation({ fetch: provider.fetch });
  const iam = installation.iam();
  const made = await iam.send(
    new CreateOpenIDConnectProviderCommand({ Url: issuer, ClientIDList: ['slipway', 'page', 'other'] }),
  );
  for (const RoleName of ['operators', 'developers'])
    await iam.send(
      new CreateRoleCommand({
        RoleName,
        MaxSessionDuration: RoleName === 'operators' ? 7200 : 3600,
        AssumeRolePolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: 'sts:AssumeRoleWithWebIdentity',
              Principal: { Federated: made.OpenIDConnectProviderArn },
              Condition: { 'ForAnyValue:StringEquals': { 'id.example:groups': RoleName } },
            },
          ],
        }),
      }),
    );
  doors = [
    await openDoor(ports[0] as number, {}),
    await openDoor(ports[1] as number, { clientId: 'page', clientSecret: undefined }),
    await openDoor(0, undefined),
  ];
});

afterAll(async () => {
  for (const { gateway } of doors) await gateway.close(0);
  await installation[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

beforeEach(() => {
  clock.offset = 0;
  provider.instead.clear();
  provider.isAway = false;
});

interface Said {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
  readonly cookie: string;
}

async function send(door: number, method: string, path: string, body?: object, more: object = {}): Promise<Said> {
  const { url } = (doors[door] as (typeof doors)[number]).listening;
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { origin: url, 'content-type': 'application/json', ...more },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    body: (await answer.json()) as Said['body'],
    cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? '',
  };
}

/** What a page signs in with after somebody has been at the provider. */
interface Returned {
  readonly state: string;
  readonly code: string;
  readonly begun: string;
}
async function visited(person: string, door = 0): Promise<Returned> {
  const { status, body } = await send(door, 'POST', '/console/oidc', {});
  expect([status, Object.keys(body)]).toEqual([200, ['url', 'begun']]);
  const back = await provider.visit(body['url'] ?? '', person);
  expect(`${back.origin}${back.pathname}`).toBe(`${doors[door]?.listening.url}/console/`);
  const [state = '', code = ''] = ['state', 'code'].map((name) => back.searchParams.get(name) ?? '');
  return { state, code, begun: body['begun'] ?? '' };
}
const signIn = (oidc: object, door = 0, more: object = {}): Promise<Said> =>
  send(door, 'POST', '/console/session', { oidc }, more);

test('people of an organization are sessions of the role that trusts them, and act as that', async () => {
  expect((await send(0, 'GET', '/console/oidc')).body).toEqual({ name: 'id.example' });
  for (const [person, arn, hours] of [
    ['alice', 'operators/alice@example.com', 2],
    // An address that nobody has verified could be somebody else's.
    ['bob', 'developers/bob', 1],
  ] as const) {
    const before = Date.now();
    const said = await signIn(await visited(person));
    expect([said.status, said.body]).toEqual([200, expect.objectContaining({ account: ACCOUNT })]);
    expect(Number(said.body['expires'])).toBeGreaterThanOrEqual(before + hours * 3_600_000);
    expect(Number(said.body['expires'])).toBeLessThanOrEqual(Date.now() + hours * 3_600_000);
    const who = await send(
      0,
      'POST',
      '/console/api',
      {},
      {
        cookie: said.cookie,
        'x-slipway-session': said.body['proof'],
        'x-amz-target': '2011-06-15/GetCallerIdentity',
      },
    );
    expect(who.body['Arn']).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/${arn}`);
  }
});

test('a client without a secret proves itself by PKCE; the address asks for it, and says nothing of the proof', async () => {
  const { body } = await send(1, 'POST', '/console/oidc', {});
  const asked = new URL(body['url'] ?? '').searchParams;
  expect(Object.fromEntries(asked)).toMatchObject({
    response_type: 'code',
    client_id: 'page',
    code_challenge_method: 'S256',
    scope: 'openid email groups',
  });
  for (const name of ['state', 'nonce', 'code_challenge']) expect(asked.get(name)).toMatch(/^[\w-]{43}$/);
  expect(body['url']).not.toContain(body['begun']);
  expect((await signIn(await visited('alice', 1), 1)).status).toBe(200);
});

test('whom no role trusts is nobody here, and is told so', async () => {
  expect(await signIn(await visited('carol'))).toMatchObject({
    status: 401,
    body: { message: expect.stringContaining('No role of this installation trusts') },
    cookie: '',
  });
});

test('a code works once, in the tab and for the sign-in that it is of, and not late', async () => {
  const [one, other] = [await visited('alice'), await visited('alice')];
  for (const forged of [
    { ...one, state: other.state },
    // As many characters, and more bytes.
    { ...one, state: 'ä'.repeat(one.state.length) },
    { ...one, state: other.state, begun: other.begun },
    { ...one, begun: `${one.begun.slice(0, -8)}AAAAAAA=` },
    { ...one, begun: 'AAAA' },
    { ...one, code: 'x' },
    // What begins at another address of ours ends there.
    { ...(await visited('alice', 1)) },
  ])
    expect([forged, (await signIn(forged)).status]).toEqual([forged, 401]);
  clock.offset = 900_001;
  expect((await signIn(other)).body['message']).toContain('too long ago');
  clock.offset = 0;
  const fresh = await visited('alice');
  expect((await signIn(fresh)).status).toBe(200);
  expect((await signIn(fresh)).status).toBe(401);
});

test('no page of others begins or ends a sign-in, and odd bodies are none', async () => {
  const mine = await visited('alice');
  for (const forged of [
    { origin: 'http://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'content-type': 'text/plain' },
  ]) {
    expect([forged, (await signIn(mine, 0, forged)).status]).toEqual([forged, 403]);
    expect([forged, (await send(0, 'POST', '/console/oidc', {}, forged)).status]).toEqual([forged, 403]);
  }
  for (const odd of [{ ...mine, more: 1 }, { state: '', code: '', begun: '' }, { ...mine, code: 'x'.repeat(5000) }, {}])
    expect((await signIn(odd)).status).toBe(400);
  expect((await signIn(mine)).status).toBe(200);
});

test('a token of another sign-in or client, and one that nobody has signed, is refused', async () => {
  const tokenPath = '/token';
  const token = (claims: object, alg = 'none'): string =>
    `${Buffer.from(JSON.stringify({ alg, kid: 'one' })).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.AAAA`;
  const nonceOf = (url: string): string => new URL(url).searchParams.get('nonce') ?? '';
  const { body } = await send(0, 'POST', '/console/oidc', {});
  const oidc = { state: new URL(body['url'] ?? '').searchParams.get('state'), code: 'any', begun: body['begun'] };
  const good = {
    iss: issuer,
    sub: 'alice',
    aud: 'slipway',
    nonce: nonceOf(body['url'] ?? ''),
    exp: 4e9,
    groups: ['operators'],
  };
  for (const [claims, alg, message] of [
    [{ ...good, nonce: 'other' }, 'RS256', 'answers another sign-in'],
    [{ ...good, nonce: undefined }, 'RS256', 'answers another sign-in'],
    [{ ...good, iss: 'https://other.example' }, 'RS256', 'answers another sign-in'],
    [{ ...good, sub: 7 }, 'RS256', 'answers another sign-in'],
    [{ ...good, aud: 'other' }, 'RS256', 'answers another sign-in'],
    [{ ...good, aud: ['slipway', 'other'] }, 'RS256', 'answers another sign-in'],
    [{ ...good, azp: 'other' }, 'RS256', 'answers another sign-in'],
    [good, 'RS256', 'is not accepted'],
    [good, 'none', 'is not accepted'],
    [good, 'HS256', 'is not accepted'],
  ] as const) {
    provider.instead.set(tokenPath, () => Response.json({ id_token: token(claims, alg) }));
    expect(await signIn(oidc)).toMatchObject({ status: 401, body: { message: expect.stringContaining(message) } });
  }
  for (const answer of [
    () => new Response('not json'),
    () => Response.json({ access_token: 'x' }),
    () => Response.json({ id_token: 'no token' }),
    () => new Response(null, { status: 302, headers: { location: 'http://127.0.0.1/' } }),
  ]) {
    provider.instead.set(tokenPath, answer);
    expect((await signIn(oidc)).status).toBe(401);
  }
});

test('a provider that does not answer, or too much, or as another, is said so; without one nobody signs in by it', async () => {
  const returned = await visited('alice');
  provider.isAway = true;
  expect((await signIn(returned)).status).toBe(503);
  provider.isAway = false;
  provider.instead.set('/token', () => new Response('x'.repeat(300_000)));
  expect((await signIn(returned)).status).toBe(503);
  provider.instead.clear();
  // The code was not used up.
  expect((await signIn(returned)).status).toBe(200);
  const discovery = '/.well-known/openid-configuration';
  for (const configuration of [
    { issuer: 'https://other.example', authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
    { issuer, authorization_endpoint: 'javascript:alert(1)', token_endpoint: `${issuer}/token` },
    { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: 'http://169.254.169.254/' },
  ]) {
    provider.instead.set(discovery, () => Response.json(configuration));
    const door = await openDoor(0, {});
    doors.push(door);
    const asked = provider.asked.length;
    for (let i = 0; i < 3; i++) expect((await send(doors.length - 1, 'POST', '/console/oidc', {})).status).toBe(503);
    // Strangers who ask again and again do not have it asked as often.
    expect(provider.asked.length - asked).toBe(1);
    await door.gateway.close(0);
    doors.pop();
  }
  expect((await send(2, 'GET', '/console/oidc')).body).toEqual({});
  expect((await send(2, 'POST', '/console/oidc', {})).status).toBe(404);
  expect((await signIn(returned, 2)).status).toBe(401);
});

test('strangers do not have a slow provider flooded', async () => {
  const { body } = await send(0, 'POST', '/console/oidc', {});
  const oidc = { state: new URL(body['url'] ?? '').searchParams.get('state'), code: 'any', begun: body['begun'] };
  const answers: ReadableStreamDefaultController[] = [];
  const start = (answer: ReadableStreamDefaultController): void => {
    answers.push(answer);
  };
  provider.instead.set('/token', () => new Response(new ReadableStream({ start })));
  const all = Array.from({ length: 33 }, () => signIn(oidc));
  // The provider says nothing to the others.
  expect((await Promise.race(all)).status).toBe(429);
  await expect.poll(() => answers.length).toBe(32);
  for (const answer of answers) answer.close();
  const statuses = (await Promise.all(all)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 401)).toHaveLength(32);
  provider.instead.clear();
  expect((await signIn(await visited('alice'))).status).toBe(200);
});

test('a session is called after what the provider vouches for, in characters that names of sessions have', () => {
  const token = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
  expect(sessionNameOf(token({ sub: 'auth0|ä/1', email: 'a@b.c', email_verified: 'true' }))).toBe('auth0---1');
  expect(sessionNameOf(token({ sub: 'x', email: 'a+b@b.c', email_verified: true }))).toBe('a+b@b.c');
  expect(sessionNameOf(token({ sub: 'x' }))).toBe('x-');
  expect(sessionNameOf(token({ sub: 'y'.repeat(255) }))).toHaveLength(64);
});
