import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { certificateFiles } from './certificates.ts';
import { type FrontDoor, openFrontDoor, quiet } from './testing/front-door.ts';

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

test('L5: a connection at work is not idle: when all are, a further one is closed', async () => {
  const work = Promise.withResolvers<void>();
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
  await new Promise((resolve) => setTimeout(resolve, 50));
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
  await using door = await openFrontDoor({ limits: { connections: 20, headersMs: 1000 } }, { tls });
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
