import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasRedis, RedisServer } from '@slipway/storage/records/testing';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = hasRedis ? undefined : 'no redis-server';
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const folder = mkdtempSync(join(tmpdir(), 'slipway-lost-store-'));
let redis: RedisServer;
let server: ServerProcess;

beforeAll(async () => {
  if (missing) return;
  redis = await RedisServer.start();
  server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '2',
    SLIPWAY_RECORDS: redis.url,
  });
  await server.start();
});
afterAll(async () => {
  await server?.stop();
  await redis?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const statusOf = async (path: string): Promise<number> => (await fetch(`${server.endpoint}${path}`)).status;
/** What all processes on the port say: each request is a connection of its own. */
const ready = (expected: number): Promise<unknown> =>
  until(`every process to answer /readyz with ${expected}`, 180_000, async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const answer = await fetch(`${server.endpoint}/readyz`, { headers: { connection: 'close' } });
        return answer.status;
      }),
    );
    return answers.every((status) => status === expected);
  });

test.skipIf(missing)('a server that loses its store is alive and not ready, until it has it again', async () => {
  await ready(200);
  await redis.kill();
  await ready(503);
  expect(await statusOf('/healthz')).toBe(200);
  await redis.resume();
  await ready(200);
});
