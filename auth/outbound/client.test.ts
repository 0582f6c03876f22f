import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { createOutbound, OutboundError, type Outbound, type OutboundOptions, type OutboundRequest } from './index.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function serve(
  handler: RequestListener,
): Promise<{ url: string; port: number; server: Server; seen: { url: string; headers: Record<string, unknown> }[] }> {
  const seen: { url: string; headers: Record<string, unknown> }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    handler(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: () => (server.closeAllConnections(), server.close()) });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, port, server, seen };
}

function client(options: OutboundOptions = {}): Outbound {
  const outbound = createOutbound(options);
  open.push(outbound);
  return outbound;
}

const local: OutboundOptions = { allow: ['127.0.0.1'] };
const refusal = (outbound: Outbound, url: string, call: OutboundRequest = {}): Promise<OutboundError> =>
  outbound.fetch(url, call).then(
    () => Promise.reject(new Error('was not refused')),
    (error: OutboundError) => error,
  );

describe('F2: addresses that are not the public internet', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0177.0.0.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://localhost/',
    'http://a.localhost./',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.31.0.1/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://169.254.170.2/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::]/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a00:1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[2002:a00:1::]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[ff02::1]/',
  ])('%s is refused when it is stored and when it is called', async (url) => {
    const outbound = client();
    expect(() => outbound.check(url)).toThrow('private');
    expect((await refusal(outbound, url)).kind).toBe('bad-url');
  });

  test('a public address passes the check', () => {
    expect(client().check('https://93.184.215.14/hook?x=1').href).toBe('https://93.184.215.14/hook?x=1');
    expect(client().check('http://[2606:4700::1111]:8080/').port).toBe('8080');
  });

  test('an opened range is open, and the metadata addresses stay closed', () => {
    const outbound = client({ allow: ['192.168.1.0/24', '169.254.0.0/16', 'fc00::/7'] });
    expect(outbound.check('http://192.168.1.20/').hostname).toBe('192.168.1.20');
    for (const url of ['http://192.168.2.1/', 'http://169.254.169.254/', 'http://[fd00:ec2::254]/'])
      expect(() => outbound.check(url)).toThrow('private');
  });

  test('an opened range that is none is said so', () => {
    expect(() => createOutbound({ allow: ['192.168.1.0/33'] })).toThrow('not an address or CIDR range');
    expect(() => createOutbound({ allow: ['home'] })).toThrow('not an address or CIDR range');
  });
});

test.each([
  'file:///etc/passwd',
  'gopher://x/',
  'unix:/var/run/docker.sock',
  'ftp://x/',
  'http://user:secret@example.com/',
  'http://example.com:6379/',
  'http://example.com:2375/',
  'http://example.com/\r\nX: y',
  'http://exa\tmple.com/',
  'http:\\\\example.com',
  'x',
  '',
  `http://example.com/${'a'.repeat(3000)}`,
])('F7: %j is no URL to call', (url) => {
  expect(() => client().check(url)).toThrow(OutboundError);
});

describe('F5: names', () => {
  test('a name that resolves to a private address is refused, also among public ones', async () => {
    const { port, seen } = await serve((_request, response) => response.end('inside'));
    for (const answers of [['127.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['::ffff:127.0.0.1'], []]) {
      const error = await refusal(client({ resolve: async () => answers }), `http://name.example:${port}/`);
      expect([error.kind, error.message]).toEqual(['unreachable', 'The address could not be reached.']);
    }
    expect(seen).toEqual([]);
  });

  test('a name is asked once for a connection, so that it cannot change in between', async () => {
    const { port } = await serve((_request, response) => response.end('ok'));
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    let asked = 0;
    const outbound = client({ ...local, resolve: async () => answers[asked++] as string[] });
    expect(await (await outbound.fetch(`http://name.example:${port}/`)).text()).toBe('ok');
    expect(asked).toBe(1);
  });
});

describe('F3: redirects', () => {
  test('are off by default, and each hop is checked when they are on', async () => {
    const { url, seen } = await serve((request, response) => {
      const to = new URL(request.url ?? '/', 'http://x').searchParams.get('to');
      if (to === null) response.end('end');
      else response.writeHead(302, { location: to }).end();
    });
    const outbound = client(local);
    expect((await refusal(outbound, `${url}/?to=/`)).kind).toBe('redirect');
    expect(await (await outbound.fetch(`${url}/?to=/`, { redirects: 1 })).text()).toBe('end');
    expect(
      (await refusal(outbound, `${url}/?to=${encodeURIComponent('http://169.254.169.254/')}`, { redirects: 5 })).kind,
    ).toBe('bad-url');
    expect(
      (await refusal(outbound, `${url}/?to=${encodeURIComponent('file:///etc/passwd')}`, { redirects: 5 })).kind,
    ).toBe('bad-url');
    seen.length = 0;
    const loop = await serve((_request, response) => response.writeHead(302, { location: '/' }).end());
    expect((await refusal(outbound, loop.url, { redirects: 100 })).kind).toBe('redirect');
    expect(loop.seen).toHaveLength(11);
  });

  test('F1: credentials do not follow to another origin', async () => {
    const other = await serve((_request, response) => response.end('other'));
    const { url } = await serve((_request, response) => response.writeHead(307, { location: other.url }).end());
    const headers = { Authorization: 'Bearer secret', Cookie: 'a=b', 'X-Kept': 'yes' };
    await client(local).fetch(url, { method: 'POST', body: 'x', headers, redirects: 1 });
    expect(other.seen[0]?.headers).toMatchObject({ 'x-kept': 'yes' });
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('cookie');
  });
});

describe('F8: receivers that misbehave', () => {
  test('an endless, a huge, a silent and a compressed answer', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/endless') {
        const timer = setInterval(() => response.write('x'.repeat(1000)), 1);
        response.on('close', () => clearInterval(timer));
      } else if (request.url === '/gzip')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000)));
      else if (request.url === '/slow') response.write('x');
    });
    const outbound = client(local);
    expect((await refusal(outbound, `${url}/endless`)).kind).toBe('too-large');
    expect((await refusal(outbound, `${url}/silent`, { timeoutMs: 200 })).kind).toBe('timeout');
    expect((await refusal(outbound, `${url}/slow`, { timeoutMs: 200 })).kind).toBe('timeout');
    expect((await (await outbound.fetch(`${url}/gzip`)).arrayBuffer()).byteLength).toBeLessThan(64 * 1024);
  });

  test('F10: closed, silent and private look alike', async () => {
    const messages = await Promise.all([
      // A port that the kernel gives nobody by itself.
      refusal(client(local), 'http://127.0.0.1:1/'),
      refusal(client({ resolve: async () => ['10.0.0.1'] }), 'http://name.example/'),
      refusal(client({ resolve: async () => Promise.reject(new Error('ENOTFOUND')) }), 'http://name.example/'),
    ]);
    expect(new Set(messages.map(({ message }) => message))).toEqual(new Set(['The address could not be reached.']));
  });

  test('the caller may give up', async () => {
    const { url } = await serve(() => undefined);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    await expect(client(local).fetch(url, { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
