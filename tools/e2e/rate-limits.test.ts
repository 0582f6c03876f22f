import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import { redisMissing, RedisServer } from '@slipway/storage/records/testing';
import { freePort } from '@slipway/storage/testing';
import aws4 from 'aws4';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../server/config.ts';
import { startInstallation } from '../server/installation.ts';
import { passwordOf } from '../bench/registry-target.ts';
import { until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** An installation with rates from its environment, and how its administrator and a stranger call it. */
async function limited(env: Readonly<Record<string, string>>) {
  const data = mkdtempSync(join(tmpdir(), 'slipway-rates-'));
  const config = readConfig({ SLIPWAY_DATA: data, SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off', ...env });
  const installation = await startInstallation(config, pino({ level: 'silent' }), { port: 0, metrics: new Registry() });
  const { url } = installation.listening;
  const ecr = (operation: string): Promise<Response> => {
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonEC2ContainerRegistry_V20150921.${operation}`,
    };
    const request = { host: new URL(url).host, path: '/', service: 'ecr', region: 'us-east-1', headers, body: '{}' };
    const signed = aws4.sign({ ...request, method: 'POST' }, installation.administrator);
    return fetch(url, { method: 'POST', headers: signed.headers as Record<string, string>, body: '{}' });
  };
  return {
    ecr,
    async login(): Promise<string> {
      const { authorizationData } = (await (await ecr('GetAuthorizationToken')).json()) as {
        authorizationData: readonly { authorizationToken: string }[];
      };
      return `Basic ${authorizationData[0]?.authorizationToken}`;
    },
    ping: (authorization?: string): Promise<Response> =>
      fetch(`${url}/v2/`, authorization === undefined ? {} : { headers: { authorization } }),
    healthy: async (): Promise<boolean> => (await fetch(`${url}/healthz`)).ok,
    async [Symbol.asyncDispose](): Promise<void> {
      await installation.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

describe('rates that were set', () => {
  test('SLIPWAY_RATE_PER_PRINCIPAL: one over its rate is told when to come back, in AWS calls and for docker alike', async () => {
    await using server = await limited({ SLIPWAY_RATE_PER_PRINCIPAL: '0.05/3' });
    const login = await server.login();
    expect((await server.ping(login)).status).toBe(200);
    expect((await server.ecr('DescribeRepositories')).status).toBe(200);

    const call = await server.ecr('DescribeRepositories');
    expect([call.status, await call.json()]).toMatchObject([
      400,
      { __type: expect.stringMatching(/ThrottlingException$/), message: 'Rate exceeded' },
    ]);
    expect(Number(call.headers.get('retry-after'))).toBeGreaterThan(10);
    expect(Number(call.headers.get('retry-after'))).toBeLessThanOrEqual(20);

    const ping = await server.ping(login);
    expect([ping.status, await ping.json()]).toMatchObject([429, { errors: [{ code: 'TOOMANYREQUESTS' }] }]);
    expect(Number(ping.headers.get('retry-after'))).toBeGreaterThan(10);

    // Who has not called yet is challenged as ever, and health is not counted.
    expect((await server.ping()).status).toBe(401);
    expect(await server.healthy()).toBe(true);
  });

  test('SLIPWAY_RATE_GLOBAL: counts everybody together', async () => {
    await using server = await limited({ SLIPWAY_RATE_GLOBAL: '0.05/2' });
    const login = await server.login();
    expect((await server.ping(login)).status).toBe(200);
    const [call, ping] = [await server.ecr('DescribeRepositories'), await server.ping(login)];
    expect([call.status, ping.status]).toEqual([400, 429]);
    expect(call.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(ping.headers.get('retry-after')).toMatch(/^\d+$/);
  });

  test('no rate is set by default', async () => {
    await using server = await limited({});
    const answers = await Promise.all(Array.from({ length: 100 }, () => server.ecr('DescribeRepositories')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

/** How many processes listen on a port: those of one server share it. */
const listening = (port: number): number =>
  readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`)).length;

/** A server of several processes, and `GET /v2/` by one of its callers, each time over a new connection. */
async function manyProcesses(workers: number, folder: string, env: Readonly<Record<string, string>>) {
  const server = new ServerProcess(await freePort(), folder, {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_LOG: 'error',
    SLIPWAY_WORKERS: String(workers),
    ...env,
  });
  await server.start();
  await until('all processes to listen', 180_000, async () => listening(server.port) === workers, 50);
  const ping = (authorization?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = authorization === undefined ? {} : { authorization };
      request({ port: server.port, path: '/v2/', agent: false, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end();
    });
  return { server, ping, [Symbol.asyncDispose]: async () => void (await server.stop()) };
}

const of = (status: number, statuses: readonly number[]): number => statuses.filter((one) => one === status).length;

describe('several processes count together', () => {
  const folder = (): string => mkdtempSync(join(tmpdir(), 'slipway-rates-'));

  test('L8: those of one machine let through what one would, also of failed logins', async () => {
    const data = folder();
    await using many = await manyProcesses(3, data, { SLIPWAY_RATE_PER_PRINCIPAL: '0.02/40' });
    // The login was two calls of the administrator, to any of the processes.
    const login = `Basic ${Buffer.from(`AWS:${await passwordOf(many.server)}`).toString('base64')}`;
    const statuses = await Promise.all(Array.from({ length: 120 }, () => many.ping(login)));
    expect(of(200, statuses)).toBeGreaterThanOrEqual(37);
    expect(of(200, statuses)).toBeLessThanOrEqual(39);
    expect(of(429, statuses)).toBe(120 - of(200, statuses));
    const failures = await Promise.all(
      Array.from({ length: 40 }, () => many.ping(`Basic ${Buffer.from('AWS:wrong').toString('base64')}`)),
    );
    expect([of(401, failures), of(429, failures)]).toEqual([20, 20]);
    rmSync(data, { recursive: true, force: true });
  }, 600_000);

  test.skipIf(redisMissing !== undefined && process.env['CI'] === undefined)(
    'L8: servers on one Redis let through the rate once in the long run',
    async () => {
      await using stack = new AsyncDisposableStack();
      const redis = stack.adopt(await RedisServer.start(), (it) => it.dispose());
      const root = folder();
      const shared = {
        SLIPWAY_RECORDS: redis.url,
        SLIPWAY_KEY_FILE: join(root, 'master.key'),
        SLIPWAY_CREDENTIALS_FILE: join(root, 'credentials'),
        SLIPWAY_RATE_PER_PRINCIPAL: '10/10',
      };
      await using one = await manyProcesses(2, join(root, 'one'), shared);
      await using two = await manyProcesses(2, join(root, 'two'), shared);
      const login = `Basic ${Buffer.from(`AWS:${await passwordOf(one.server)}`).toString('base64')}`;
      await sleep(1500);
      const statuses: number[] = [];
      const begun = performance.now();
      while (performance.now() - begun < 5000) {
        statuses.push(...(await Promise.all([one.ping(login), two.ping(login), one.ping(login), two.ping(login)])));
        await sleep(25);
      }
      const seconds = (performance.now() - begun) / 1000;
      // The burst of each server, and then the rate of all together; each alone would come to twice that.
      const wanted = 10 + 10 * seconds;
      // A machine that is too busy to ask for as much gets what it asks for.
      expect(of(200, statuses)).toBeGreaterThan(Math.min(wanted, statuses.length) - 15);
      // What one has not yet heard of the other's is paid back later, and on a busy machine it hears of it late.
      expect(of(200, statuses)).toBeLessThan(wanted + 30);
      rmSync(root, { recursive: true, force: true });
    },
    600_000,
  );
});
