import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as secureRequest } from 'node:https';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { certificateFiles } from './certificates.ts';
import { flood, floodSize as many } from './testing/flood.ts';
import { callers, type FrontDoor, openFrontDoor, quiet } from './testing/front-door.ts';

/** Slow and silent clients in numbers, from a process of their own, and how others are served meanwhile. */
/** Requests of others on new connections, one after the other: every one of them is answered, however many hang on theirs. */
async function othersAreServed(door: FrontDoor, times = 50, ca?: Buffer): Promise<void> {
  for (let i = 0; i < times; i++) {
    const status = await new Promise((resolve, reject) => {
      const target = { host: '127.0.0.1', port: door.listening.port, path: '/healthz', agent: false as const };
      const sent = ca === undefined ? request(target) : secureRequest({ ...target, ca, servername: 'localhost' });
      sent
        .on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  }
}

describe(`${many} connections`, () => {
  test('L1: that send a byte of their heads now and then are cut in time, and others are served meanwhile', async () => {
    await using door = await openFrontDoor({ limits: { headersMs: 3000, connectionsPerAddress: 2 * many } });
    await using slow = await flood({
      port: door.listening.port,
      count: many,
      say: 'GET /healthz HTTP/1.1\r\nHost: x\r\nA: ',
      drip: 'a',
      every: 400,
    });
    await expect.poll(async () => (await slow.status()).open, { timeout: 60_000 }).toBe(many);
    await othersAreServed(door);
    await expect.poll(async () => (await slow.status()).closed, { timeout: 60_000 }).toBe(many);
    expect((await slow.status()).answers).toEqual({ 408: many });
  });

  test('L2: that send their bodies by the byte are cut, and no handler ever runs', async () => {
    await using door = await openFrontDoor({
      limits: { stallMs: 2000, bytesPerSecond: 1000, connectionsPerAddress: 2 * many },
    });
    const { token } = await door.tokens.issueAuthorization(callers.admin.principal);
    await using slow = await flood({
      port: door.listening.port,
      count: many,
      say: `PUT /v2/a/manifests/b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${token}\r\nContent-Length: 100000\r\n\r\n`,
      drip: 'x',
      every: 400,
    });
    await expect.poll(async () => (await slow.status()).open, { timeout: 60_000 }).toBe(many);
    await othersAreServed(door);
    await expect.poll(async () => (await slow.status()).closed, { timeout: 60_000 }).toBe(many);
    expect(door.knobs.handled).toBe(0);
  });

  test('L5: that idle make room for new ones, the longest idle first', async () => {
    const room = Math.floor(many * 0.8);
    await using door = await openFrontDoor({ limits: { connections: room, connectionsPerAddress: 2 * many } });
    await using idle = await flood({
      port: door.listening.port,
      count: many,
      say: 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
      // Time for their request: what comes faster than it can be served has to go before.
      pause: 100,
    });
    await expect.poll(async () => (await idle.status()).open, { timeout: 60_000 }).toBe(many);
    await othersAreServed(door);
    // As many as there are too many, and one more for ours, which came and went one after the other.
    await expect.poll(async () => (await idle.status()).closed, { timeout: 60_000 }).toBe(many - room + 1);
    const { answers } = await idle.status();
    expect(answers).toEqual({ 200: many - room + 1 });
    const metrics = await (await fetch(`${door.url}/metrics`)).text();
    expect(Number(/^slipway_connections (\d+)/m.exec(metrics)?.[1])).toBeLessThanOrEqual(room);
  });

  test('L6: that never finish their TLS handshakes end, and others get through meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-flood-'));
    const [certFile, keyFile] = [join(folder, 'a.crt'), join(folder, 'a.key')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
    execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', certFile], { stdio: 'ignore' });
    const tls = await certificateFiles({ certFile, keyFile }, quiet);
    await using door = await openFrontDoor(
      { limits: { connections: many, headersMs: 3000, connectionsPerAddress: 2 * many } },
      { tls },
    );
    const ca = readFileSync(certFile);
    await using silent = await flood({ port: door.listening.port, count: many, say: '\x16\x03\x01' });
    await expect.poll(async () => (await silent.status()).open, { timeout: 60_000 }).toBe(many);
    await othersAreServed(door, 30, ca);
    await expect.poll(async () => (await silent.status()).closed, { timeout: 60_000 }).toBe(many);
    await othersAreServed(door, 1, ca);
    tls.close();
    rmSync(folder, { recursive: true });
  });
});
