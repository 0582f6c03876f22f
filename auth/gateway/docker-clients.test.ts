import * as fc from 'fast-check';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Principal } from '../contract/index.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('docker clients', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor({ limited: { failures: { perSecond: 1000, burst: 1000 } } });
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => {
    door.audit.length = 0;
    door.logged.length = 0;
    door.knobs.handled = 0;
    door.knobs.authorizerFails = false;
    door.knobs.revoked.clear();
    door.clock.offset = 0;
  });

  const password = async (principal: Principal = callers.admin.principal): Promise<string> =>
    (await door.tokens.issueAuthorization(principal)).password;
  async function get(
    path: string,
    authorization?: string,
    init: RequestInit = {},
  ): Promise<{ status: number; challenge: string | null; code: string; text: string }> {
    const answer = await fetch(`${door.url}${path}`, {
      ...init,
      headers: { ...(authorization === undefined ? {} : { authorization }), ...(init.headers as object) },
    });
    const text = await answer.text();
    const code = text.startsWith('{"errors"')
      ? (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code
      : '';
    return { status: answer.status, challenge: answer.headers.get('www-authenticate'), code: code ?? '', text };
  }
  async function token(
    scope: string,
    authorization?: string,
  ): Promise<{ token: string; access_token: string; expires_in: number; issued_at: string }> {
    const answer = await fetch(
      `${door.url}/token?${new URLSearchParams({ service: 'x', scope }).toString()}`,
      authorization === undefined ? {} : { headers: { authorization } },
    );
    expect(answer.status).toBe(200);
    return (await answer.json()) as Awaited<ReturnType<typeof token>>;
  }

  test('A1: a client without credentials is asked for them on the address of its own connection', async () => {
    const asked = await get('/v2/');
    expect(asked).toMatchObject({
      status: 401,
      code: 'UNAUTHORIZED',
      challenge: `Basic realm="${door.url}/",service="ecr.amazonaws.com"`,
    });
    const hostile = await raw(
      door,
      'GET /v2/ HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n',
    );
    expect(hostile).toContain(`Basic realm="${door.url}/"`);
    expect(hostile).not.toContain('evil');
  });

  test('A1: the configured address is what a proxy-side client is told', async () => {
    await using other = await openFrontDoor({
      publicUrl: 'https://registry.example.com',
      dockerChallenge: 'bearer',
      hosts: ['registry.local'],
    });
    const head = (host: string): string =>
      `GET /v2/a/manifests/b HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await raw(other, head('evil.example'))).toMatch(/^HTTP\/1.1 421 (?![^]*evil)/);
    expect(await raw(other, head('192.0.2.1:80'))).toContain(
      'Bearer realm="https://registry.example.com/token",service="registry.example.com",scope="repository:a:pull"',
    );
    expect(await raw(other, head(`registry.local:${other.listening.port}`))).toContain(
      `Bearer realm="http://registry.local:${other.listening.port}/token"`,
    );
    expect(await raw(other, head(`localhost:${other.listening.port}`))).toContain(
      `Bearer realm="http://localhost:${other.listening.port}/token"`,
    );
  });

  test('a client at an address nobody told us of is asked for Basic, since it could not follow to our /token', async () => {
    await using other = await openFrontDoor({ dockerChallenge: 'bearer', hosts: ['registry.local'] });
    const { port } = other.listening;
    const asked = async (...lines: string[]): Promise<string | undefined> =>
      /www-authenticate: (\S+)/i.exec(
        await raw(other, ['GET /v2/ HTTP/1.1', ...lines, 'Connection: close', '', ''].join('\r\n')),
      )?.[1];
    expect(await asked(`Host: 127.0.0.1:${port}`)).toBe('Bearer');
    expect(await asked(`Host: registry.local:${port}`)).toBe('Bearer');
    expect(await asked(`Host: 127.0.0.1:${port + 1}`)).toBe('Basic');
    expect(await asked('Host: registry.example.com')).toBe('Basic');
    expect(await asked(`Host: registry.local:${port}`, 'X-Forwarded-Proto: https')).toBe('Basic');
  });

  test('Basic AWS:<authorization token> works on every route', async () => {
    const authorization = basic('AWS', await password());
    expect((await get('/v2/', authorization)).status).toBe(200);
    expect((await get('/v2/a/manifests/latest', authorization)).text).toBe('{"schemaVersion":2}');
    expect((await get('/v2/a/manifests/latest', authorization, { method: 'PUT', body: '{}' })).status).toBe(201);
    await vi.waitFor(() => expect(door.audit).toHaveLength(3), { timeout: 60_000 });
    expect(door.audit[1]).toMatchObject({
      via: 'basic',
      service: 'registry',
      operation: 'GET manifest',
      decisions: [{ action: 'ecr:BatchGetImage', allowed: true }],
    });
  });

  test.each([
    ['an access key and its secret', () => basic('AKIAADMIN', 'the-admin-secret')],
    ['an access key as the password of AWS', () => basic('AWS', 'the-admin-secret')],
    ['A3: a wrong password', () => basic('AWS', 'wrong')],
    ['no password', () => basic('AWS', '')],
    ['another user name', async () => basic('admin', await password())],
    ['no colon', () => `Basic ${Buffer.from('AWS').toString('base64')}`],
    ['not base64', () => 'Basic %%%'],
    ['another scheme', async () => `Token ${await password()}`],
    ['an empty header', () => ''],
    ['J6: an authorization token as Bearer', async () => `Bearer ${await password()}`],
    [
      'J6: a Bearer token as password',
      async () => basic('AWS', (await door.tokens.issueAccess(callers.admin.principal, [])).token),
    ],
    [
      'J6: a service token as Bearer',
      async () => `Bearer ${(await door.tokens.issueService(callers.admin.principal)).token}`,
    ],
    ['J13: a token of 13 KiB', () => `Bearer ${'a'.repeat(13 * 1024)}`],
  ])('%s is refused with the same words', async (_name, header) => {
    const { status, code, challenge, text } = await get('/v2/', await header());
    expect({ status, code, challenge: challenge?.slice(0, 12) }).toEqual({
      status: 401,
      code: 'UNAUTHORIZED',
      challenge: 'Basic realm=',
    });
    expect(text).toContain('the credentials are not valid; log in with user AWS');
  });

  test('A8: two Authorization headers are refused', async () => {
    const authorization = basic('AWS', await password());
    const answer = await raw(
      door,
      `GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  });

  test('A7: 200 parallel logins each get their own identity', async () => {
    const principals = Array.from({ length: 200 }, (_, i) => ({
      ...callers.reader.principal,
      id: i % 2 === 0 ? 'AIDAREADER' : 'AIDANOBODY',
      arn: `arn:aws:iam::000000000000:user/u${i}`,
    }));
    const passwords = await Promise.all(principals.map((principal) => password(principal)));
    const answers = await Promise.all(passwords.map((each) => get('/v2/a/manifests/latest', basic('AWS', each))));
    expect(answers.map(({ status }) => status)).toEqual(principals.map((_, i) => (i % 2 === 0 ? 200 : 403)));
    await vi.waitFor(() => expect(door.audit).toHaveLength(200), { timeout: 60_000 });
    expect(new Set(door.audit.map(({ principal }) => principal.arn)).size).toBe(200);
  });

  test('a denial is 403 DENIED with the reason, and the handler does not run', async () => {
    const { status, code, text } = await get(
      '/v2/a/manifests/latest',
      basic('AWS', await password(callers.reader.principal)),
      { method: 'PUT', body: '{}' },
    );
    expect([status, code]).toEqual([403, 'DENIED']);
    expect(text).toContain(
      'user/reader is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/a because',
    );
    expect(door.knobs.handled).toBe(0);
  });

  test('J10: a token stops working when its principal may no longer act', async () => {
    const authorization = basic('AWS', await password());
    expect((await get('/v2/', authorization)).status).toBe(200);
    door.knobs.revoked.add('AIDAADMIN');
    expect((await get('/v2/', authorization)).status).toBe(401);
    expect((await get('/token?scope=repository:a:pull', authorization)).status).toBe(401);
  });

  test('J4: an authorization token ends after 12 hours, and with the session that it was issued to', async () => {
    const long = basic('AWS', await password());
    const ends = Date.now() + 600_000;
    const short = basic('AWS', await password({ ...callers.session.principal, expiresAt: ends }));
    expect((await get('/v2/', short)).status).toBe(200);
    door.clock.offset = 11 * 60_000;
    expect([(await get('/v2/', short)).status, (await get('/v2/', long)).status]).toEqual([403, 200]);
    door.clock.offset = 12 * 3_600_000 + 10_000;
    expect((await get('/v2/', long)).status).toBe(403);
  });

  test('an expired login is told so in the words of ECR, and is no wrong password', async () => {
    await using other = await openFrontDoor({ limited: { failures: { perSecond: 0.001, burst: 1 } } });
    const { password: login } = await other.tokens.issueAuthorization(callers.reader.principal);
    const [head, , signature] = login.split('.') as [string, string, string];
    const form = { grant_type: 'password', username: 'AWS', password: login, service: 'x' };
    other.clock.offset = 13 * 3_600_000;
    const said = {
      errors: [{ code: 'DENIED', message: 'Your authorization token has expired. Reauthenticate and try again.' }],
    };
    for (const path of ['/v2/', '/v2/a/manifests/latest', '/token?scope=repository:a:pull']) {
      const answer = await fetch(`${other.url}${path}`, { headers: { authorization: basic('AWS', login) } });
      expect([path, answer.status, await answer.json()]).toEqual([path, 403, said]);
    }
    const posted = await fetch(`${other.url}/token`, { method: 'POST', body: new URLSearchParams(form) });
    expect([posted.status, await posted.json()]).toEqual([403, said]);
    // Somebody else's claims that have ended are as good as none.
    const ended = Buffer.from(JSON.stringify({ exp: 1, iat: 0, jti: 'a', sub: 'b' })).toString('base64url');
    const forged = basic('AWS', `${head}.${ended}.${signature}`);
    expect((await fetch(`${other.url}/v2/`, { headers: { authorization: forged } })).status).toBe(401);
  });

  test('/token gives a Bearer token that the routes take', async () => {
    const asked = Math.floor(Date.now() / 1000) * 1000;
    const {
      token: bearer,
      access_token,
      expires_in,
      issued_at,
    } = await token('repository:a:pull,push', basic('AWS', await password()));
    expect(bearer).toBe(access_token);
    expect(expires_in).toBeGreaterThanOrEqual(60);
    expect(Date.parse(issued_at)).toBeGreaterThanOrEqual(asked);
    expect(Date.parse(issued_at)).toBeLessThanOrEqual(Date.now());
    expect((await get('/v2/', `Bearer ${bearer}`)).status).toBe(200);
    expect((await get('/v2/a/manifests/latest', `Bearer ${bearer}`, { method: 'PUT', body: '{}' })).status).toBe(201);
  });

  test('J7: a token of one repository or verb is asked to widen for another', async () => {
    const { token: bearer } = await token('repository:a:pull', basic('AWS', await password()));
    expect((await get('/v2/a/manifests/latest', `Bearer ${bearer}`)).status).toBe(200);
    const other = await get('/v2/b/manifests/latest', `Bearer ${bearer}`);
    expect([other.status, other.challenge]).toEqual([
      401,
      `Bearer realm="${door.url}/token",service="${door.url.slice(7)}",scope="repository:b:pull",error="insufficient_scope"`,
    ]);
    const push = await get('/v2/a/manifests/latest', `Bearer ${bearer}`, { method: 'PUT', body: '{}' });
    expect([
      push.status,
      push.challenge?.includes('scope="repository:a:pull,push",error="insufficient_scope"'),
    ]).toEqual([401, true]);
  });

  test('J8: more than the caller may do is cut to what it may, without an error', async () => {
    const reader = basic('AWS', await password(callers.reader.principal));
    const { token: bearer } = await token('repository:a:pull,push,delete registry:catalog:*', reader);
    const { scopes } = await door.tokens.verify('access', bearer);
    expect(scopes).toEqual([
      { type: 'repository', name: 'a', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ]);
    const denied = await get('/v2/a/manifests/latest', `Bearer ${bearer}`, { method: 'PUT', body: '{}' });
    expect(denied.status).toBe(401);
    const { token: nothing } = await token('repository:a:pull', basic('AWS', await password(callers.nobody.principal)));
    expect((await door.tokens.verify('access', nothing)).scopes).toEqual([]);
    expect((await get('/v2/a/manifests/latest', `Bearer ${nothing}`)).status).toBe(401);
  });

  test('J9: Basic and Bearer with the same scopes may do the same', async () => {
    for (const principal of [callers.admin.principal, callers.reader.principal, callers.nobody.principal]) {
      const login = basic('AWS', await password(principal));
      const { token: bearer } = await token('repository:a:pull,push', login);
      for (const method of ['GET', 'PUT']) {
        const init = method === 'PUT' ? { method, body: '{}' } : { method };
        const [byBasic, byBearer] = await Promise.all([
          get('/v2/a/manifests/x', login, init),
          get('/v2/a/manifests/x', `Bearer ${bearer}`, init),
        ]);
        expect([principal.id, method, byBearer.status < 300]).toEqual([principal.id, method, byBasic.status < 300]);
      }
    }
  });

  test('an anonymous caller reads what a policy opens, and is asked to log in for the rest', async () => {
    expect((await get('/v2/public/manifests/latest')).status).toBe(200);
    expect((await get('/v2/a/manifests/latest')).status).toBe(401);
    const { token: bearer } = await token('repository:public:pull,push repository:a:pull');
    expect((await get('/v2/public/manifests/latest', `Bearer ${bearer}`)).status).toBe(200);
    expect((await get('/v2/a/manifests/latest', `Bearer ${bearer}`)).status).toBe(401);
    expect((await get('/v2/', `Bearer ${bearer}`)).status).toBe(401);
  });

  test('POST /token takes the password grant, and sends clients of other grants to GET', async () => {
    const post = async (form: Record<string, string>): Promise<Response> =>
      fetch(`${door.url}/token`, { method: 'POST', body: new URLSearchParams(form) });
    const good = await post({
      grant_type: 'password',
      username: 'AWS',
      password: await password(),
      service: 'x',
      client_id: 'containerd-client',
      scope: 'repository:a:pull repository:b:push',
    });
    expect([good.status, ((await good.json()) as { scope: string }).scope]).toEqual([
      200,
      'repository:a:pull repository:b:push',
    ]);
    expect((await post({ grant_type: 'refresh_token', refresh_token: 'x' })).status).toBe(404);
    expect((await post({})).status).toBe(404);
    expect((await post({ grant_type: 'password', username: 'AWS', password: 'wrong' })).status).toBe(401);
    expect((await post({ grant_type: 'password', username: 'AKIAADMIN', password: 'the-admin-secret' })).status).toBe(
      401,
    );
    expect((await post({ grant_type: 'password', username: 'AWS', password: 'x'.repeat(70_000) })).status).toBe(413);
    const many = await fetch(`${door.url}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a&'.repeat(30_000),
    });
    expect([many.status, await many.text()]).toEqual([400, expect.stringContaining('more than 200 parameters')]);
  });

  test('J12: a token in the query is no credential, and appears nowhere', async () => {
    const secret = await password();
    expect((await get(`/v2/?token=${secret}&access_token=${secret}`)).status).toBe(401);
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(JSON.stringify([door.audit, door.logged])).not.toContain(secret.slice(-20));
  });

  test('strangers ask for a few scopes at most, for pulls alone, and their line is short', async () => {
    const asked = (count: number, verbs: string): string =>
      new URLSearchParams({
        scope: Array.from({ length: count }, (_, i) => `repository:r${i}:${verbs}`).join(' '),
      }).toString();
    expect((await get(`/token?${asked(11, 'pull')}`)).status).toBe(400);
    door.audit.length = 0;
    expect((await get(`/token?${asked(10, 'pull,push,delete')}`)).status).toBe(200);
    expect((await get(`/token?${asked(100, '*')}`, basic('AWS', await password()))).status).toBe(200);
    const lines = door.audit.filter(({ service }) => service === 'token');
    expect(new Set(lines[0]?.decisions.map(({ action }) => action))).toEqual(new Set(['ecr:BatchGetImage']));
    expect(lines[1]?.decisions).toHaveLength(20);
    expect(lines[1]?.decisionsLeftOut).toBeGreaterThan(500);
    for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(8000);
  });

  test('J15: scopes outside the grammar are refused, whatever they hold', async () => {
    const login = basic('AWS', await password());
    const many = Array.from({ length: 101 }, (_, i) => `repository:r${i}:pull`).join(' ');
    for (const scope of [
      'repository:a/b:*x',
      'repository:*:pull',
      'repository::pull',
      'repository:UP:pull',
      'a',
      'registry:other:*',
      'repository:a:PULL',
      'repository:a\r\nb:pull',
      many,
    ]) {
      const { status } = await get(`/token?${new URLSearchParams({ scope }).toString()}`, login);
      expect([scope.slice(0, 40), status]).toEqual([scope.slice(0, 40), 400]);
    }
    expect((await get('/token?scope=plugin:x:pull', login)).status).toBe(200);
  });

  test('A9: an authorizer that fails answers 503 and runs nothing', async () => {
    const login = basic('AWS', await password());
    door.knobs.authorizerFails = true;
    expect(await get('/v2/a/manifests/latest', login)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect((await get('/token?scope=repository:a:pull', login)).status).toBe(503);
    expect(door.knobs.handled).toBe(0);
  });

  test('an error of ours is 500 without its inside', async () => {
    const { status, text } = await get('/v2/broken/manifests/latest', basic('AWS', await password()));
    expect([status, text.includes('hunter2')]).toEqual([500, false]);
    expect(door.logged).toHaveLength(1);
  });

  test('H1, H6: no path, header or token makes a 5xx, a crash or a reflected header', async () => {
    const login = basic('AWS', await password());
    const noise = fc.string({ unit: 'binary-ascii', maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(
        noise,
        noise,
        fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'BREW'),
        async (path, value, method) => {
          const target = encodeURI(path).replaceAll('#', '%23');
          const answer = await raw(
            door,
            `${method} /v2/${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${value.length % 3 === 0 ? login : value}\r\nAccept: ${value}\r\n\r\n`,
          );
          expect(answer === '' || /^HTTP\/1\.1 [1-4]\d\d /.test(answer)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
    expect((await get('/v2/', login)).status).toBe(200);
  });
});

/** Sends bytes as they are and collects the answer. */
function raw(door: FrontDoor, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(door.listening.port, '127.0.0.1', () => socket.end(text, 'latin1'));
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}
