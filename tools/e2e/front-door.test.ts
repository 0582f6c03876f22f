import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ServerProcess } from '../testbed/server-process.ts';

/** What a whole server shows to strangers, over the network and in its data folder. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-front-door-'));
const data = join(folder, 'data');
let server: ServerProcess;

beforeAll(async () => {
  mkdirSync(data);
  chmodSync(data, 0o755);
  server = new ServerProcess(await freePort(), data, {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '2',
    SLIPWAY_TRUSTED_PROXIES: '127.0.0.1',
    SLIPWAY_METRICS_FROM: '203.0.113.7',
    SLIPWAY_PUBLIC_URL: 'https://registry.example.com',
  });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const sent = get({ host: '127.0.0.1', port: server.port, path, agent: false, headers });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return answer.resume();
}

test('behind a proxy that it was told of, clients are who the proxy says, and the public name is its own', async () => {
  const answer = await ask('/v2/', {
    Host: 'registry.example.com',
    'X-Forwarded-For': '198.51.100.9',
    'X-Forwarded-Proto': 'https',
    'User-Agent': 'behind',
  });
  expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([
    401,
    'Bearer realm="https://registry.example.com/token",service="registry.example.com"',
  ]);
  await expect
    .poll(() =>
      readFileSync(join(data, 'audit', 'anonymous.jsonl'), 'utf8')
        .split('\n')
        .find((text) => text.includes('"userAgent":"behind"')),
    )
    .toContain('"sourceIp":"198.51.100.9"');
  expect((await ask('/metrics', { 'X-Forwarded-For': '198.51.100.9' })).statusCode).toBe(403);
  expect((await ask('/metrics', { 'X-Forwarded-For': '203.0.113.7' })).statusCode).toBe(200);
});

test('X6: a page that gave its name to this address reads nothing', async () => {
  const rebound = { Host: `rebinding.example:${server.port}`, 'X-Forwarded-For': '203.0.113.7' };
  for (const path of ['/metrics', '/token', '/v2/a/manifests/b'])
    expect((await ask(path, rebound)).statusCode).toBe(421);
});

test('nothing in the data folder can be read by other users, although the folder was open to them', () => {
  const open = ['.', ...(readdirSync(data, { recursive: true }) as string[])].filter(
    (path) => (statSync(join(data, path)).mode & 0o077) !== 0,
  );
  expect(open).toEqual([]);
});
