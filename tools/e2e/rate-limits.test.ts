import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import aws4 from 'aws4';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../server/config.ts';
import { startInstallation } from '../server/installation.ts';

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
