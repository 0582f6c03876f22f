import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test, vi } from 'vitest';
import { certificateFiles } from './certificates.ts';
import { callers, type FrontDoor, openFrontDoor, quiet } from './testing/front-door.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function open(door: FrontDoor): Socket & { answer: string } {
  const socket = Object.assign(connect(door.listening.port, '127.0.0.1'), { answer: '' });
  socket.setEncoding('latin1').on('data', (chunk: string) => (socket.answer += chunk));
  socket.on('error', () => undefined);
  return socket;
}

/** However it ends: what was still under way may be answered with a reset. */
const untilClosed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));

const authorization = async (door: FrontDoor): Promise<string> =>
  `Authorization: Basic ${(await door.tokens.issueAuthorization(callers.admin.principal)).token}\r\n`;

describe('the port', () => {
  test('a port that is taken is said so, with what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(openFrontDoor({}, { port })).rejects.toMatchObject({
      name: 'ListenError',
      kind: 'in-use',
      message: `port ${port} on 127.0.0.1 is taken by another program: stop it or choose another port`,
    });
    other.close();
  });

  test('an address of another machine is said so', async () => {
    await expect(openFrontDoor({}, { host: '192.0.2.1', allowPlainHttp: true })).rejects.toMatchObject({
      kind: 'bad-address',
    });
  });

  test('plain HTTP beyond this machine must be asked for', async () => {
    await expect(openFrontDoor({}, { host: '0.0.0.0' })).rejects.toMatchObject({ kind: 'insecure' });
    await using door = await openFrontDoor({}, { host: '0.0.0.0', allowPlainHttp: true });
    expect((await fetch(`http://127.0.0.1:${door.listening.port}/healthz`)).status).toBe(200);
  });

  test('TLS speaks 1.2 and up, takes a renewed certificate, and refuses a bad one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-tls-'));
    const certificate = (name: string): { certFile: string; keyFile: string } => {
      const files = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '1',
          '-subj',
          `/CN=${name}`,
          '-keyout',
          files.keyFile,
          '-out',
          files.certFile,
        ],
        { stdio: 'ignore' },
      );
      return files;
    };
    const subject = (
      door: FrontDoor,
      maxVersion?: 'TLSv1.1' | 'TLSv1.2',
      ciphers = 'DEFAULT@SECLEVEL=0',
    ): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls(
          {
            port: door.listening.port,
            host: '127.0.0.1',
            rejectUnauthorized: false,
            ...(maxVersion === undefined ? {} : { maxVersion, minVersion: maxVersion, ciphers }),
          },
          () => {
            resolve(String(socket.getPeerCertificate().subject.CN));
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const files = certificate('one');
      const mixed = { ...files, keyFile: certificate('two').keyFile };
      await expect(certificateFiles(mixed, quiet)).rejects.toMatchObject({ kind: 'certificate' });
      const tls = await certificateFiles(files, quiet);
      await using door = await openFrontDoor({}, { tls });
      expect(door.url).toMatch(/^https:/);
      expect(await subject(door)).toBe('one');
      expect(await subject(door, 'TLSv1.2')).toBe('one');
      await expect(subject(door, 'TLSv1.1')).rejects.toMatchObject({ code: expect.stringContaining('VERSION') });
      const noCbc = async (): Promise<void> => {
        for (const suite of ['ECDHE-ECDSA-AES256-SHA', 'ECDHE-ECDSA-AES128-SHA256'])
          await expect(subject(door, 'TLSv1.2', `${suite}:@SECLEVEL=0`)).rejects.toThrow('handshake failure');
        expect(await subject(door, 'TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256')).not.toBe('');
      };
      await noCbc();
      const next = certificate('next');
      await rename(next.keyFile, files.keyFile);
      await rename(next.certFile, files.certFile);
      await vi.waitFor(
        async () => {
          vi.advanceTimersByTime(10_000);
          expect(await subject(door)).toBe('next');
        },
        { timeout: 60_000 },
      );
      await noCbc();
      tls.close();
    } finally {
      vi.useRealTimers();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('slow and hostile clients', () => {
  const limits = { headersMs: 400, stallMs: 600, bytesPerSecond: 1000 };

  test('L1: a head that comes a byte at a time is cut, and others are served meanwhile', async () => {
    await using door = await openFrontDoor({ limits });
    const socket = open(door);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nA: ');
    const drip = setInterval(() => socket.write('a'), 50);
    const closed = untilClosed(socket);
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
    await closed;
    clearInterval(drip);
    expect(socket.answer).toMatch(/^HTTP\/1.1 408 /);
  });

  test('L2: a body below the least rate is cut', async () => {
    await using door = await openFrontDoor({ limits });
    const socket = open(door);
    socket.write(
      `PUT /v2/a/manifests/b HTTP/1.1\r\nHost: x\r\n${await authorization(door)}Content-Length: 100000\r\n\r\n`,
    );
    const drip = setInterval(() => socket.write('x'), 50);
    await untilClosed(socket);
    clearInterval(drip);
    expect(door.knobs.handled).toBe(0);
  });

  // On a busy machine the sender itself may come to stand for longer than the limit; a server that cuts slow senders cuts them each time.
  test('L3: a slow upload that makes progress outlives every limit', { retry: 3 }, async () => {
    await using door = await openFrontDoor({ limits });
    const socket = open(door);
    socket.write(
      `PUT /v2/a/manifests/b HTTP/1.1\r\nHost: x\r\n${await authorization(door)}Content-Length: 20000\r\nConnection: close\r\n\r\n`,
    );
    const closed = untilClosed(socket);
    for (let i = 0; i < 20; i++) {
      await sleep(100);
      socket.write('x'.repeat(1000));
    }
    await closed;
    expect(socket.answer).toMatch(/^HTTP\/1.1 201 [^]*\r\n20000$/);
  });

  test('L4: a client that never reads its answer is cut', async () => {
    const big = Buffer.alloc(64 * 1024 * 1024);
    await using door = await openFrontDoor({
      limits,
      web: [
        {
          name: 'big',
          prefix: '/big/',
          authentication: 'none',
          route: () => ({ name: 'big', access: 'anonymous', handle: async (ctx) => void (ctx.body = big) }),
          renderError: () => undefined,
        },
      ],
    });
    const socket = connect(door.listening.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /big/ HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    socket.destroy();
  });

  test('a handler that takes long is not taken for a slow client', async () => {
    await using door = await openFrontDoor({
      limits,
      web: [
        {
          name: 'slow',
          prefix: '/slow/',
          authentication: 'none',
          route: () => ({
            name: 'slow',
            access: 'anonymous',
            handle: async (ctx) => {
              await sleep(1500);
              ctx.body = 'done';
            },
          }),
          renderError: () => undefined,
        },
      ],
    });
    expect(await (await fetch(`${door.url}/slow/`, { method: 'POST', body: 'x' })).text()).toBe('done');
  });

  test.each([
    ['H5: TRACE', 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 404/],
    ['H5: an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 400/],
    ['H5: CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', /^(?:HTTP\/1.1 4|$)/],
    ['H5: an unknown expectation', 'GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n', /^HTTP\/1.1 417/],
    [
      'H5: an upgrade to something else',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      /^HTTP\/1.1 200/,
    ],
    [
      'H3: both lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    [
      'H3: two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      /^HTTP\/1.1 400/,
    ],
    [
      'H3: an encoding that hides',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    ['H3: two Host headers', 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 400/],
    [
      'H3: chunks in HTTP/1.0',
      'POST /token HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    ['H3: a target with a fragment', 'GET /healthz?a=b#c HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 400/],
    [
      'H3: an upgrade with a fragment',
      'GET /ws?a=b#c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400/],
    ['a head of 20 KiB', `GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
  ])('%s', async (_name, text, expected) => {
    await using door = await openFrontDoor();
    const socket = open(door);
    socket.end(text);
    await untilClosed(socket);
    expect(socket.answer).toMatch(expected);
  });

  const websocket = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  test.each([
    ['one byte that is there', `GET / HTTP/1.1\r\n${websocket}Content-Length: 1\r\n\r\nx`],
    ['one byte that never comes', `GET /ws HTTP/1.1\r\n${websocket}Content-Length: 1\r\n\r\n`],
    ['chunks', `GET /v2/ HTTP/1.1\r\n${websocket}Transfer-Encoding: chunked\r\n\r\n`],
    ['a body in a POST', `POST / HTTP/1.1\r\n${websocket}Content-Length: 3\r\n\r\na=b`],
  ])('H5: an upgrade with %s is refused, and ends nothing but its connection', async (_name, text) => {
    await using door = await openFrontDoor();
    const socket = open(door);
    socket.write(text);
    await untilClosed(socket);
    expect(socket.answer).toMatch(/^HTTP\/1.1 400 /);
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
    expect(door.logged).toEqual([]);
  });

  test('H5: an upgrade behind a request that is not answered yet is refused', async () => {
    await using door = await openFrontDoor();
    const socket = open(door);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /ws HTTP/1.1\r\n${websocket}\r\n`);
    await untilClosed(socket);
    expect(socket.answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });

  test('an upgrade to a protocol that is not offered is served as if it had not been asked for', async () => {
    await using door = await openFrontDoor();
    const socket = open(door);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n');
    await untilClosed(socket);
    expect(socket.answer).toMatch(/^HTTP\/1.1 200 /);
  });

  test('an error of the server itself ends one connection, is logged, and others are served', async () => {
    let broken = true;
    const accept = (): void => undefined;
    await using door = await openFrontDoor({
      upgrades: [
        {
          path: '/ws',
          service: 'ecs',
          access: () => [{ action: 'ecs:Poll', resources: [{ arn: '*' }] }],
          accept,
          close: async () => undefined,
        },
      ],
      audit: {
        write: () => {
          if (broken) throw new Error('the audit sink is broken');
        },
      },
    });
    await expect(fetch(`${door.url}/v2/`)).resolves.toMatchObject({ status: 401 });
    await expect
      .poll(() => door.logged.map(({ message }) => message))
      .toEqual(['a connection was ended by an error of the server']);
    const socket = open(door);
    socket.write(`GET /ws HTTP/1.1\r\n${websocket}\r\n`);
    await untilClosed(socket);
    broken = false;
    expect((await fetch(`${door.url}/v2/`)).status).toBe(401);
    expect(door.logged.map(({ fields }) => fields)).toMatchObject([
      { err: { message: 'the audit sink is broken' } },
      { err: { message: 'the audit sink is broken' } },
    ]);
  });

  test('L8: one caller over its rate is told when to come back, and others are not held up', async () => {
    await using door = await openFrontDoor({ limited: { perPrincipal: { perSecond: 0.1, burst: 5 } } });
    const get = async (who: 'admin' | 'reader'): Promise<Response> =>
      fetch(`${door.url}/v2/`, {
        headers: { authorization: `Basic ${(await door.tokens.issueAuthorization(callers[who].principal)).token}` },
      });
    for (let i = 0; i < 5; i++) expect((await get('admin')).status).toBe(200);
    const over = await get('admin');
    expect([over.status, over.headers.get('retry-after')]).toEqual([429, '10']);
    expect((await get('reader')).status).toBe(200);
  });

  test('L9: idle connections are kept longer than load balancers keep theirs', async () => {
    await using door = await openFrontDoor();
    const answer = await fetch(`${door.url}/healthz`);
    expect(answer.headers.get('keep-alive')).toBe('timeout=75');
  });
});

describe('stopping', () => {
  test('requests under way finish, new connections are refused, health says so', async () => {
    const door = await openFrontDoor();
    const socket = open(door);
    socket.write(
      `PUT /v2/a/manifests/b HTTP/1.1\r\nHost: x\r\n${await authorization(door)}Content-Length: 4\r\n\r\nab`,
    );
    await expect.poll(() => door.knobs.begun).toBe(1);
    const closed = door.gateway.close(60_000);
    await sleep(50);
    await expect(fetch(`${door.url}/healthz`)).rejects.toThrow('fetch failed');
    const ended = once(socket, 'close');
    socket.write('cd');
    await Promise.all([closed, ended]);
    expect(socket.answer).toMatch(/^HTTP\/1.1 201 [^]*\r\n4$/);
    await door[Symbol.asyncDispose]();
  });

  test('what does not finish is cut at the deadline', async () => {
    const door = await openFrontDoor();
    const socket = open(door);
    socket.write(
      `PUT /v2/a/manifests/b HTTP/1.1\r\nHost: x\r\n${await authorization(door)}Content-Length: 4\r\n\r\nab`,
    );
    await expect.poll(() => door.knobs.begun).toBe(1);
    // Ends although the client never goes on: the connection is cut.
    const cut = once(socket, 'close');
    await door.gateway.close(300);
    await cut;
    expect(socket.destroyed).toBe(true);
    await door[Symbol.asyncDispose]();
  });
});
