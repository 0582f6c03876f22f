import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { certificateFiles } from './certificates.ts';
import { callers, type FrontDoor, openFrontDoor, quiet } from './testing/front-door.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function open(door: FrontDoor): Promise<Socket> {
  const socket = connect(door.listening.port, '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString('latin1').slice(9, 12);
}

test('L5: whoever holds many idle connections shuts nobody out; the longest idle one goes', async () => {
  await using door = await openFrontDoor({ limits: { connections: 20 } });
  const idle: Socket[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = await open(door);
    expect(await ask(socket)).toBe('200');
    idle.push(socket);
  }
  // The first is used again, so the second has been idle for longest.
  const [first, second] = idle as [Socket, Socket];
  expect(await ask(first)).toBe('200');
  const closed = once(second, 'close');
  expect(await ask(await open(door))).toBe('200');
  await closed;
  expect(first.destroyed).toBe(false);
  expect(await ask(first)).toBe('200');
  for (let i = 0; i < 200; i++) await open(door);
  expect(await ask(await open(door))).toBe('200');
});

test('L5: one address has its own share; its longest idle connection goes first, and those of a trusted proxy do not count', async () => {
  const limits = { connections: 20, connectionsPerAddress: 3 };
  await using door = await openFrontDoor({ limits });
  const [first, second, third] = [await open(door), await open(door), await open(door)];
  for (const socket of [first, second, third, first]) expect(await ask(socket)).toBe('200');
  const other = connect({ port: door.listening.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  sockets.push(other);
  await once(other, 'connect');
  expect(await ask(other)).toBe('200');
  const closed = once(second, 'close');
  expect(await ask(await open(door))).toBe('200');
  await closed;
  for (const socket of [first, third, other]) expect(socket.destroyed).toBe(false);
  await using proxied = await openFrontDoor({ limits, trustedProxies: ['127.0.0.1'] });
  const many = await Promise.all(Array.from({ length: 10 }, () => open(proxied)));
  for (const socket of many) expect(await ask(socket)).toBe('200');
});

test('L4: bodies that are held in memory have one limit together, of which an address may have half', async () => {
  const heldBytes = 400_000;
  await using door = await openFrontDoor({ limits: { heldBytes } });
  // Nobody knows whether a signature is right before the whole body is there.
  const signature = `AWS4-HMAC-SHA256 Credential=${callers.admin.accessKeyId}/${new Date().toISOString().slice(0, 10).replaceAll('-', '')}/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=${'0'.repeat(64)}`;
  const hold = async (localAddress: string, bytes: number): Promise<Socket & { answer: string }> => {
    const socket = Object.assign(connect({ port: door.listening.port, host: '127.0.0.1', localAddress }), {
      answer: '',
    });
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => (socket.answer += chunk.toString('latin1')));
    sockets.push(socket);
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const target = 'AmazonEC2ContainerRegistry_V20150921.UploadLayerPart';
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: ${date}\r\nX-Amz-Target: ${target}\r\nAuthorization: ${signature}\r\n` +
        `Content-Length: 2000000\r\n\r\n${'x'.repeat(bytes)}`,
    );
    return socket;
  };
  const refused = /^HTTP\/1.1 503 [^]*retry-after: 1[^]*ServiceUnavailable/i;
  const [one, two] = [await hold('127.0.0.1', 190_000), await hold('127.0.0.1', 190_000)];
  await expect.poll(() => two.answer + one.answer).toMatch(refused);
  await hold('127.0.0.2', 190_000);
  const last = await hold('127.0.0.3', 190_000);
  await expect.poll(() => last.answer).toMatch(refused);
  // What is small is served all the same.
  const form =
    'Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/a&RoleSessionName=b1';
  const small = (): Promise<Response> =>
    fetch(`${door.url}/`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: `${form}&WebIdentityToken=token`,
    });
  expect((await small()).status).toBe(200);
  for (const socket of sockets.splice(0)) socket.destroy();
  const again = async (): Promise<string> => {
    const socket = await hold('127.0.0.1', 190_000);
    socket.write('x'.repeat(9000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    return socket.answer;
  };
  await expect.poll(again).toBe('');
});

test('L5: a connection at work is not idle: when all are, a further one is closed', async () => {
  const work = Promise.withResolvers<void>();
  let atWork = 0;
  await using door = await openFrontDoor({
    limits: { connections: 2 },
    web: [
      {
        name: 'work',
        prefix: '/work/',
        authentication: 'none',
        route: () => ({
          name: 'work',
          access: 'anonymous',
          handle: async (ctx) => {
            atWork += 1;
            await work.promise;
            ctx.body = 'done';
          },
        }),
        renderError: () => undefined,
      },
    ],
  });
  const busy = [await open(door), await open(door)];
  const answers = busy.map((socket) => once(socket, 'data'));
  for (const socket of busy) socket.write('GET /work/ HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => atWork).toBe(2);
  const further = await open(door);
  if (!further.destroyed) await once(further, 'close');
  work.resolve();
  for (const answer of answers) expect(String((await answer)[0])).toContain('200 OK');
});

test('L6: handshakes that are never finished end, and others get through meanwhile', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-handshakes-'));
  const [certFile, keyFile] = [join(folder, 'a.crt'), join(folder, 'a.key')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', certFile], { stdio: 'ignore' });
  const tls = await certificateFiles({ certFile, keyFile }, quiet);
  await using door = await openFrontDoor({ limits: { connections: 20, headersMs: 3000 } }, { tls });
  const flood: Socket[] = [];
  for (let i = 0; i < 30; i++) flood.push(await open(door));
  const ended = flood.map((socket) => once(socket, 'close'));
  for (const socket of flood.slice(0, 15)) socket.write('\x16\x03\x01');
  const status = await new Promise((resolve, reject) => {
    const { port } = door.listening;
    get({ host: 'localhost', family: 4, port, path: '/healthz', ca: readFileSync(certFile) }, (response) =>
      resolve(response.resume().statusCode),
    ).on('error', reject);
  });
  expect(status).toBe(200);
  await Promise.all(ended);
  tls.close();
  rmSync(folder, { recursive: true });
});
