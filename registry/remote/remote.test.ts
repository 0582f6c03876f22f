import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOutbound } from '@slipway/auth/outbound';
import { afterAll, describe, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { mayLogInAt } from './authorization.ts';
import { createRemote } from './index.ts';

const outbound = createOutbound({ allow: ['127.0.0.0/8'] });
afterAll(() => outbound.close());

interface Peer extends AsyncDisposable {
  readonly url: string;
  /** The `authorization` of each request, in order; undefined where there was none. */
  readonly seen: (string | undefined)[];
}

/** A server that notes what credentials it is sent. */
async function startPeer(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Peer> {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    request.resume().on('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const remoteAt = (url: string) =>
  createRemote({ url, fetch: outbound.stream, credentials: async () => ({ username: 'me', password: 'secret' }) });
const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
const token = (_: IncomingMessage, response: ServerResponse): void =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}');

test('F1: a registry that wants its login sent to another address does not get it sent', async () => {
  await using thief = await startPeer(token);
  await using registry = await startPeer((_, response) =>
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${thief.url}/token",service="x"` }).end(),
  );
  await expect(remoteAt(registry.url).digestOf('app', 'v1')).rejects.toMatchObject({ code: 'denied' });
  expect(thief.seen).toEqual([]);
});

test('F1: at its own address it gets it, and the token is used from then on', async () => {
  const bytes = Buffer.from('{}');
  await using registry = await startPeer((request, response) => {
    if (request.url?.startsWith('/token') === true) return token(request, response);
    if (request.headers.authorization === 'Bearer t') {
      response.writeHead(200, { 'docker-content-digest': sha256(bytes), 'content-length': '2' }).end();
      return;
    }
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
  });
  const remote = remoteAt(registry.url);
  expect(await remote.digestOf('app', 'v1')).toBe(sha256(bytes));
  expect(await remote.digestOf('app', 'v1')).toBe(sha256(bytes));
  expect(registry.seen).toEqual([undefined, basic, 'Bearer t', 'Bearer t']);
});

test('R3: a redirect to another address is followed without the login', async () => {
  const bytes = Buffer.from('blob');
  await using store = await startPeer((_, response) => response.writeHead(200).end(bytes));
  await using registry = await startPeer((request, response) => {
    if (request.headers.authorization !== basic)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else response.writeHead(307, { location: `${store.url}/bytes` }).end();
  });
  const pulled: Buffer[] = [];
  for await (const chunk of (await remoteAt(registry.url).blob('app', sha256(bytes))).bytes)
    pulled.push(Buffer.from(chunk));
  expect(Buffer.concat(pulled)).toEqual(bytes);
  expect([registry.seen.at(-1), store.seen]).toEqual([basic, [undefined]]);
});

test('R3: an upload that goes on at another address goes there without the login, and is not told it when it asks', async () => {
  await using elsewhere = await startPeer((_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  );
  await using registry = await startPeer((request, response) => {
    if (request.headers.authorization !== basic)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else response.writeHead(202, { location: `${elsewhere.url}/upload/1` }).end();
  });
  const bytes = async function* () {
    yield Buffer.from('blob');
  };
  await expect(remoteAt(registry.url).putBlob('app', sha256('blob'), 4, bytes)).rejects.toMatchObject({
    code: 'denied',
  });
  expect(elsewhere.seen).toEqual([undefined]);
});

test.each([
  ['null', 'denied'],
  ['[]', 'denied'],
  ['"t"', 'denied'],
  ['{"token":7}', 'denied'],
  ['{"token":"a\\nb"}', 'denied'],
  ['<html>', 'denied'],
  [`{"token":"${'x'.repeat(5 * 2 ** 20)}"}`, 'corrupt'],
])('a token endpoint that answers %.20s is an error of the registry', async (body, code) => {
  await using registry = await startPeer((request, response) => {
    if (request.url?.startsWith('/token') === true) response.end(body);
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
  });
  await expect(remoteAt(registry.url).digestOf('app', 'v1')).rejects.toMatchObject({ name: 'RemoteError', code });
});

test.each([
  ['a manifest', 201],
  ['a manifest', 200],
  ['a blob', 200],
  ['an upload without a place', 202],
  ['an upload at no address', 202],
])('%s answered with %i is stored only where the specification says so', async (what, status) => {
  const bytes = Buffer.from('{}');
  await using registry = await startPeer((request, response) => {
    if (request.method === 'PUT') response.writeHead(status).end();
    else if (what.endsWith('place')) response.writeHead(202).end();
    else response.writeHead(202, { location: what.endsWith('address') ? 'http://[' : '/v2/app/blobs/uploads/1' }).end();
  });
  const remote = remoteAt(registry.url);
  const sent = what.includes('manifest')
    ? remote.putManifest('app', 'v1', 'application/vnd.oci.image.manifest.v1+json', bytes)
    : remote.putBlob('app', sha256(bytes), 2, async function* () {
        yield bytes;
      });
  const outcome = await sent.then(
    () => 'stored',
    (error: { code?: string }) => error.code,
  );
  expect(outcome).toBe(status === 201 ? 'stored' : 'corrupt');
});

describe('F1: where a login may be sent', () => {
  test.each([
    ['https://registry-1.docker.io', 'https://auth.docker.io/token', true],
    ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth', true],
    ['https://ghcr.io', 'https://ghcr.io/token', true],
    ['https://registry.team.example.com:5000', 'https://registry.team.example.com:5000/token', true],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5000/token', true],
    ['https://ghcr.io', 'https://evil.io/token', false],
    ['https://registry-1.docker.io', 'http://auth.docker.io/token', false],
    ['https://registry-1.docker.io', 'https://auth.docker.io.evil.com/token', false],
    ['https://registry-1.docker.io', 'https://evildocker.io/token', false],
    ['https://registry-1.docker.io', 'https://auth.docker.io:444/token', false],
    ['https://registry-1.docker.io', 'https://user@registry-1.docker.io/token', false],
    ['https://shop.co.uk', 'https://evil.co.uk/token', false],
    ['https://10.0.0.5', 'https://10.0.0.6/token', false],
    ['https://10.0.0.5', 'https://0.0.5/token', false],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', false],
    ['http://localhost:5000', 'https://localhost/token', false],
    ['http://registry.example.com', 'https://auth.example.com/token', false],
  ])('%s at %s: %s', (registry, realm, allowed) => {
    expect(mayLogInAt(new URL(registry), new URL(realm))).toBe(allowed);
  });
});
