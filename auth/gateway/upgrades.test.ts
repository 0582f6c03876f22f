import aws4 from 'aws4';
import type { Duplex } from 'node:stream';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Call, UpgradeService } from '../contract/index.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

describe('WebSocket upgrades', () => {
  let door: FrontDoor;
  const calls: Call[] = [];
  /** What the service was asked to decide about, and what it was given to do after each other. */
  const queries: URLSearchParams[] = [];
  const open = new Set<Duplex>();
  const deciding = Promise.withResolvers<void>();
  const channel: UpgradeService = {
    path: '/ws',
    service: 'ecs',
    access: (query) => {
      queries.push(query);
      const action = query.get('sendCredentials') === 'true' ? 'ecs:Poll' : 'ecs:DescribeNothing';
      return [{ action, resources: [{ arn: '*' }] }];
    },
    accept(_request, socket, _head, call, query) {
      queries.push(query);
      calls.push(call);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
      open.add(socket.on('end', () => socket.end()).on('close', () => open.delete(socket)));
    },
    close: async () => {
      for (const socket of open) socket.end('bye');
    },
  };
  const audited: UpgradeService = {
    ...channel,
    path: '/audited',
    audit: {
      opened: (query) => `opens ${query.get('what')}`,
      closed: (query, { principal }) => `${principal.arn} had ${query.get('what')}`,
      longest: 600,
    },
  };
  const own: UpgradeService = { ...channel, path: '/own', protocol: 'files' };
  /** Decides once its opener is gone. */
  const slow: UpgradeService = {
    ...channel,
    path: '/slow',
    access: async (_query, { signal }) => {
      deciding.resolve();
      await once(signal, 'abort');
      return [{ action: 'ecs:Poll', resources: [{ arn: '*' }] }];
    },
  };
  beforeAll(async () => {
    door = await openFrontDoor({
      upgrades: [channel, audited, own, slow],
      limits: { stallMs: 400, channelCheckMs: 100 },
    });
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => {
    calls.length = 0;
    queries.length = 0;
    door.audit.length = 0;
  });

  /** What an agent sends: a signed GET, then frames. `DockerVersion%3A+20.10` is how Go writes a colon and a space. */
  async function upgrade(
    path: string,
    options: {
      caller?: { accessKeyId: string; secretAccessKey: string };
      sign?: boolean;
      service?: string;
      say?: string;
      protocol?: string;
      /** When it goes away, without a goodbye. */
      leave?: Promise<void>;
    } = {},
  ): Promise<string> {
    const host = new URL(door.url).host;
    // Go signs the space as %20 although it sends a plus.
    const signed = aws4.sign(
      {
        method: 'GET',
        path: path.replaceAll('+', '%20'),
        service: options.service ?? 'ecs',
        region: 'us-east-1',
        headers: { Host: host },
        body: '',
      },
      options.caller ?? callers.admin,
    );
    const headers = options.sign === false ? { Host: host } : (signed.headers as Record<string, string>);
    const lines = Object.entries({ ...headers, Connection: 'Upgrade', Upgrade: options.protocol ?? 'websocket' }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const socket = connect(door.listening.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('echo ')) socket.end();
    });
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    options.leave?.then(
      () => socket.resetAndDestroy(),
      () => undefined,
    );
    if (options.say !== undefined) setTimeout(() => socket.write(options.say as string), 1200);
    await once(socket, 'close');
    return answer;
  }

  test('a signed agent gets its channel, which no HTTP limit touches', async () => {
    const answer = await upgrade('/ws?dockerVersion=DockerVersion%3A+20.10.24&sendCredentials=true', { say: 'hello' });
    expect(answer).toMatch(/^HTTP\/1.1 101 [^]*echo hello$/);
    expect(calls[0]).toMatchObject({ principal: callers.admin.principal, endpoint: door.url });
    expect(door.audit[0]).toMatchObject({ service: 'ecs', operation: 'WS /ws', status: 101, via: 'sigv4' });
  });

  test('a connection is upgraded to what something here speaks, and to nothing else', async () => {
    const path = '/own?sendCredentials=true';
    expect(await upgrade(path, { say: 'hello', protocol: 'Files' })).toMatch(/^HTTP\/1.1 101 /);
    expect(calls).toHaveLength(1);
    // Served as if it had not asked.
    const socket = connect(door.listening.port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    await once(socket, 'close');
    expect([/^HTTP\/1.1 [45]/.test(answer), calls.length]).toEqual([true, 1]);
  });

  test('who goes away before it is decided is let in nowhere, and looked after no more', async () => {
    await upgrade('/slow', { leave: deciding.promise });
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit).toMatchObject([{ operation: 'WS /slow', status: 499, via: 'sigv4' }]);
    expect(calls).toEqual([]);
  });

  test('what is done is what was decided about', async () => {
    await upgrade('/ws?sendCredentials=true&cluster=a%23b?c', { say: 'hello' });
    expect(queries[0]?.get('cluster')).toBe('a#b?c');
    expect(queries[1]).toBe(queries[0]);
  });

  test('a channel says in the audit log what it is for, and when it ends what became of it', async () => {
    await upgrade('/audited?sendCredentials=true&what=files', { say: 'hello' });
    await vi.waitFor(() => expect(door.audit).toHaveLength(2), { timeout: 60_000 });
    expect(door.audit).toMatchObject([
      { operation: 'WS /audited', status: 101, detail: 'opens files' },
      { operation: 'WS /audited end', via: 'sigv4', detail: `${callers.admin.principal.arn} had files` },
    ]);
    await upgrade(`/audited?sendCredentials=true&what=${'x'.repeat(700)}`, { say: 'hello' });
    await vi.waitFor(() => expect(door.audit).toHaveLength(4), { timeout: 60_000 });
    expect(door.audit.splice(2).map(({ detail }) => detail?.length)).toEqual([600, 600]);
    await upgrade('/audited?sendCredentials=true&what=files', { caller: callers.reader });
    await vi.waitFor(() => expect(door.audit).toHaveLength(3), { timeout: 60_000 });
    expect(door.audit.slice(2)).toMatchObject([{ operation: 'WS /audited', status: 403, detail: 'opens files' }]);
  });

  test('J11: a channel is cut off when its opener may no longer act, and one whose opener may is not', async () => {
    const ended = upgrade('/ws?sendCredentials=true');
    await vi.waitFor(() => expect(calls).toHaveLength(1), { timeout: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(door.audit.map(({ operation }) => operation)).toEqual(['WS /ws']);
    door.knobs.revoked.add('AIDAADMIN');
    expect(await ended).toMatch(/^HTTP\/1.1 101 /);
    door.knobs.revoked.clear();
    expect(door.audit.at(-1)).toMatchObject({
      service: 'ecs',
      operation: 'WS /ws open',
      principal: { arn: callers.admin.principal.arn },
      status: 403,
      error: 'AccessDeniedException',
      detail: 'the credentials that opened the connection are no longer good',
    });
  });

  test('J11: a channel is cut off when the right to it is gone, and stays while nobody can tell', async () => {
    const ended = upgrade('/ws?sendCredentials=true');
    await vi.waitFor(() => expect(calls).toHaveLength(1), { timeout: 60_000 });
    door.knobs.authorizerFails = true;
    await new Promise((resolve) => setTimeout(resolve, 400));
    door.knobs.authorizerFails = false;
    expect(door.audit).toHaveLength(1);
    door.knobs.refused = 'ecs:Poll';
    await ended;
    door.knobs.refused = undefined;
    expect(door.audit.at(-1)).toMatchObject({
      operation: 'WS /ws open',
      decisions: [{ action: 'ecs:Poll', allowed: false }],
    });
  });

  test.each([
    ['S1: without a signature', '/ws', { sign: false }, 401, 'MissingAuthenticationTokenException'],
    [
      'S3: with an unknown key',
      '/ws',
      { caller: { accessKeyId: 'AKIAX', secretAccessKey: 'x' } },
      401,
      'UnrecognizedClientException',
    ],
    [
      'S4: with a wrong secret',
      '/ws',
      { caller: { accessKeyId: 'AKIAADMIN', secretAccessKey: 'x' } },
      401,
      'InvalidSignatureException',
    ],
    ['S7: signed for another service', '/ws', { service: 'ecr' }, 401, 'InvalidSignatureException'],
    ['without the right', '/ws?sendCredentials=true', { caller: callers.reader }, 403, 'AccessDeniedException'],
    ['on another path', '/other', {}, 404, 'UnknownOperationException'],
  ])('an upgrade %s is refused in words the agent reads', async (_name, path, options, status, code) => {
    const answer = await upgrade(path, options);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Record<string, string>;
    expect([body['__type'], body[code]]).toEqual([code, body['message']]);
    expect(calls).toEqual([]);
  });

  test('a gateway that stops has its services end their connections, however long requests may take', async () => {
    const other = await openFrontDoor({ upgrades: [channel] });
    const host = new URL(other.url).host;
    const { headers } = aws4.sign(
      {
        method: 'GET',
        path: '/ws?sendCredentials=true',
        service: 'ecs',
        region: 'us-east-1',
        headers: { Host: host },
        body: '',
      },
      callers.admin,
    );
    const lines = Object.entries({ ...headers, Connection: 'Upgrade', Upgrade: 'websocket' }).map((line) =>
      line.join(': '),
    );
    const socket = connect(other.listening.port, '127.0.0.1');
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.write(`GET /ws?sendCredentials=true HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    await vi.waitFor(() => expect(said).toContain('101 Switching'), { timeout: 60_000 });
    // Nobody waits for this long: the test ends only if the connection is ended.
    await other.gateway.close(3_600_000);
    await vi.waitFor(() => expect(said).toMatch(/bye$/), { timeout: 60_000 });
    await other[Symbol.asyncDispose]();
  });
});
