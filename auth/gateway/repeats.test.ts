import { Agent, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';
import { GatewayError, type WebService } from '../contract/index.ts';

/** A service whose one route counts how often it was asked. */
let asked = 0;
let repeated = 0;
let version = 0;
let stamp = 1;
const counting: WebService = {
  name: 'registry',
  prefix: '/v2/',
  authentication: 'docker',
  samples: [{ method: 'GET', path: '/v2/a/manifests/latest' }],
  route: (method, path) => ({
    name: `${method} manifest`,
    access: () => [
      {
        action: 'ecr:BatchGetImage',
        resources: [{ arn: `arn:aws:ecr:us-east-1:000000000000:repository${path}` }],
      },
    ],
    respond: (_request, answer) => {
      asked++;
      if (path.includes('gone')) throw new GatewayError('not-found', 'there is no such image');
      const also = path.includes('always') ? undefined : { also: () => void repeated++ };
      answer(200, ['Content-Type', 'text/plain', 'Content-Length', '2'], Buffer.from(`v${version}`), also);
    },
  }),
  renderError(ctx, error) {
    ctx.status = (error instanceof GatewayError && { throttled: 429, denied: 403 }[error.kind as string]) || 404;
    if (error instanceof GatewayError && error.kind === 'unauthenticated') ctx.status = 401;
    ctx.body = 'no';
  },
};

let door: FrontDoor;
let login: string;
/** Moved by the tests alone: however long they take, no second passes, and no credentials end. */
let passed = 0;
const begun = Date.now();
const clock: Clock = { ...systemClock, now: () => begun + passed, monotonic: () => passed };
const open = async (change: Parameters<typeof openFrontDoor>[0] = {}): Promise<void> => {
  door = await openFrontDoor({ web: [counting], stamp: () => stamp, clock, ...change });
  door.clock.now = () => begun + passed;
  const { token } = await door.tokens.issueAuthorization(callers.admin.principal);
  login = `Basic ${token}`;
};
beforeEach(async () => {
  asked = 0;
  repeated = 0;
  version = 0;
  stamp = 1;
  passed = 0;
  await open();
});
afterEach(async () => door[Symbol.asyncDispose]());

interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Each on a connection of its own, with exactly these headers. */
const get = (
  path = '/v2/a/manifests/v1',
  headers: Record<string, string> = {},
  method = 'GET',
  agent: Agent | false = false,
): Promise<Got> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(
      door.url + path,
      { method, agent, headers: { authorization: login, ...headers } },
      (answer) => {
        let body = '';
        answer.setEncoding('latin1');
        answer.on('data', (chunk: string) => (body += chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }));
      },
    );
    sent.on('error', reject).end();
  });

test('the same request again is answered without its route, with an id, an audit line and whatever else belongs to it', async () => {
  const first = await get();
  const second = await get();
  expect([asked, repeated]).toEqual([1, 1]);
  expect(second).toMatchObject({ status: 200, body: 'v0', headers: { 'content-type': 'text/plain' } });
  expect(second.headers['x-amzn-requestid']).not.toBe(first.headers['x-amzn-requestid']);
  const [one, two] = door.audit;
  expect(two).toMatchObject({ requestId: second.headers['x-amzn-requestid'], status: 200 });
  const bare = (line: object | undefined): object => ({ ...line, time: '', requestId: '', milliseconds: 0 });
  expect(bare(two)).toEqual(bare(one));
  expect(two?.decisions).toHaveLength(1);
  expect(two?.principal.arn).toBe(callers.admin.principal.arn);
});

test('HEAD and GET are not the same request', async () => {
  await get();
  expect((await get(undefined, {}, 'HEAD')).body).toBe('');
  expect((await get()).body).toBe('v0');
  expect((await get(undefined, {}, 'HEAD')).headers['content-length']).toBe('2');
  expect(asked).toBe(2);
});

test('a commit ends what was remembered', async () => {
  await get();
  version = 1;
  stamp = 2;
  expect((await get()).body).toBe('v1');
  expect((await get()).body).toBe('v1');
  expect(asked).toBe(2);
});

test('an answer that was worked out while something was committed is not remembered beyond that', async () => {
  let during = (): void => undefined;
  await door[Symbol.asyncDispose]();
  const slow: WebService = {
    ...counting,
    route: (method) => ({
      name: `${method} manifest`,
      access: 'authenticated',
      respond: async (_request, answer) => {
        const seen = version;
        await Promise.resolve(during());
        answer(200, ['Content-Length', '2'], Buffer.from(`v${seen}`), {});
      },
    }),
  };
  await open({ web: [slow] });
  during = () => {
    version = 1;
    stamp = 2;
  };
  expect((await get()).body).toBe('v0');
  during = () => undefined;
  expect((await get()).body).toBe('v1');
});

test('after a second it is found out anew, whatever the store says', async () => {
  await get();
  passed = 999;
  await get();
  expect(asked).toBe(1);
  passed = 1001;
  await get();
  expect(asked).toBe(2);
});

test('any other header, target or caller is another request', async () => {
  await get();
  await get(undefined, { 'user-agent': 'other/1.0' });
  await get(undefined, { 'x-forwarded-for': '192.0.2.1' });
  await get('/v2/a/manifests/v1?x=1');
  await get('/v2/a/manifests/v2');
  expect(asked).toBe(5);
  await get(undefined, { authorization: 'Basic QVdTOndyb25n' });
  const { token } = await door.tokens.issueAuthorization(callers.reader.principal);
  await get(undefined, { authorization: `Basic ${token}` });
  expect(asked).toBe(6);
});

test('on one connection, too, each request is answered for what it asks, and each has its own audit line', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path?: string, headers?: Record<string, string>, method?: string): Promise<string> => {
    const { status, body } = await get(path, headers, method, agent);
    return `${status} ${body}`;
  };
  for (let turn = 1; turn <= 3; turn++) {
    for (let count = 0; count < 4; count++) expect(await ask()).toBe(`200 v${version}`);
    expect(asked).toBe(5 * turn - 4);
    // Everything but one thing is as it was in the request before.
    await ask(undefined, { accept: '*/*' });
    await ask();
    await ask(undefined, { accept: '*' });
    await ask('/v2/a/manifests/v2');
    await ask(undefined, {}, 'HEAD');
    expect(asked).toBe(5 * turn);
    expect(await ask(undefined, { authorization: 'Basic QVdTOndyb25n' })).toMatch(/^401 /);
    version = stamp = turn + 1;
  }
  agent.destroy();
  await expect.poll(() => door.audit.length, { timeout: 30_000 }).toBe(3 * 10);
  expect(new Set(door.audit.map(({ requestId }) => requestId)).size).toBe(3 * 10);
  const manifest = (method: string): unknown[] => [`${method} manifest`, 200, callers.admin.principal.arn];
  const outcomes = door.audit.map(({ operation, status, principal }) => [operation, status, principal.arn]);
  const expected = [...Array.from({ length: 8 }, () => manifest('GET')), manifest('HEAD'), ['', 401, '*']];
  expect(outcomes).toEqual([...expected, ...expected, ...expected]);
});

test('whoever may no longer act is refused with the commit that says so', async () => {
  expect((await get()).status).toBe(200);
  door.knobs.revoked.add(callers.admin.principal.id);
  stamp = 2;
  expect((await get()).status).toBe(401);
  expect((await get()).status).toBe(401);
});

test('credentials that end are not outlived', async () => {
  const principal = { ...callers.admin.principal, expiresAt: begun + 1900 };
  const { token, expiresAt } = await door.tokens.issueAuthorization(principal);
  const own = { authorization: `Basic ${token}` };
  passed = expiresAt - 300 - begun;
  expect((await get(undefined, own)).status).toBe(200);
  passed += 400;
  expect((await get(undefined, own)).status).toBe(403);
});

test('repeated requests count against the rates', async () => {
  await door[Symbol.asyncDispose]();
  await open({ limited: { perPrincipal: { perSecond: 0.01, burst: 3 } } });
  const statuses = [];
  for (let count = 0; count < 5; count++) statuses.push((await get()).status);
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  expect(asked).toBe(1);
});

test('refusals, and answers that do not say so, are not repeated', async () => {
  for (let count = 0; count < 3; count++) expect((await get('/v2/a/manifests/gone')).status).toBe(404);
  for (let count = 0; count < 3; count++) expect((await get('/v2/a/manifests/always')).status).toBe(200);
  expect([asked, repeated]).toEqual([6, 0]);
});

test('without a stamp nothing is remembered', async () => {
  await door[Symbol.asyncDispose]();
  await open({ stamp: undefined });
  await get();
  await get();
  expect(asked).toBe(2);
});
