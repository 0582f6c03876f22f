import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import { ownerOf, scan, scanPartitions } from '@slipway/storage/records';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../server/config.ts';
import { type Installation, startInstallation } from '../server/installation.ts';
import { layout } from '../server/layout.ts';
import { furnish, holdings } from '../testbed/authorization/account.ts';
import { Callers, refused, type Route, type Who } from '../testbed/authorization/requests.ts';
import { canary } from '../testbed/authorization/samples.ts';

/**
 * A10: everything that a whole installation serves, enumerated from the running gateway, called by everybody who should not
 * get in, and by the one who should. A route that is added without a thought for its callers fails here.
 */
describe('A10: the authorization matrix of a whole installation', () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-matrix-'));
  let installation: Installation;
  let callers: Callers;

  beforeAll(async () => {
    const config = readConfig({ SLIPWAY_DATA: data, SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    installation = await startInstallation(config, pino({ level: 'silent' }), { port: 0, metrics: new Registry() });
    callers = new Callers(installation.listening.url);
    await furnish(callers, installation);
  });

  afterAll(async () => {
    callers?.close();
    vi.useRealTimers();
    await installation.close();
    rmSync(data, { recursive: true, force: true });
  });

  const routes = (): readonly Route[] => installation.routes.filter(({ kind }) => kind !== 'own');
  const label = ({ service, operation }: Route): string => `${service}:${operation}`;

  /** Calls everything as `who`; the routes for which the answer is not what `expected` says. */
  async function wrong(who: Who, expected: (route: Route) => boolean | undefined): Promise<string[]> {
    const problems: string[] = [];
    for (const route of routes()) {
      const wanted = expected(route);
      if (wanted === undefined) continue;
      const answer = await callers.call(route, who);
      if (refused(answer) !== wanted || answer.status >= 500 || answer.status === 0)
        problems.push(`${label(route)}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    return problems;
  }

  test('everything that is served is in it', () => {
    const all = routes().map(label);
    expect(all.length).toBeGreaterThan(150);
    expect(new Set(routes().map(({ service }) => service))).toEqual(
      new Set([
        'acm',
        'codedeploy',
        'ecr',
        'ecr-public',
        'ec2',
        'ecs',
        'elasticfilesystem',
        'elasticloadbalancing',
        'iam',
        'kms',
        'logs',
        'monitoring',
        'autoscaling',
        'application-autoscaling',
        'secretsmanager',
        'ssm',
        'sts',
        'distribution',
        'layers',
        'webhooks',
        'console',
        'console-code',
        'console-oidc',
        'console-session',
        'denials',
        'changes',
        'webhook-administration',
        'hook-administration',
        'rotation-administration',
        'alarm-administration',
        'group-administration',
        'subscription-administration',
        'host-administration',
        'machine-join',
        'load-balancers',
        'agent-program',
        's3',
      ]),
    );
    expect(all).toContain('distribution:PUT manifest');
    expect(routes().some(({ kind }) => kind === 'upgrade')).toBe(true);
  });

  test('who is nobody gets nowhere, and nothing changes', async () => {
    const before = await holdings(callers);
    expect(await wrong('anonymous', ({ access }) => (access === 'anonymous' ? undefined : true))).toEqual([]);
    expect(await holdings(callers)).toBe(before);
  });

  test('a user without a grant gets nowhere, and nothing changes', async () => {
    const before = await holdings(callers);
    const own = 'ecr:GetAuthorizationToken';
    const expected = (route: Route): boolean | undefined =>
      route.access === 'anonymous' ? undefined : route.access !== 'authenticated' && label(route) !== own;
    expect(await wrong('nobody', expected)).toEqual([]);
    expect(await holdings(callers)).toBe(before);
  });

  test('a user who may read changes nothing', async () => {
    const before = await holdings(callers);
    // Reports that IAM generates are read (ReadOnlyAccess has iam:Generate*).
    const reads =
      /^(?:Generate|Get|List|Describe|BatchGet|BatchCheck|Simulate|Validate|FilterLog|TestMetric|StartLiveTail|StartQuery|StopQuery|GET|Head|HEAD)/;
    // Tokens for others, half-done uploads and what hosts are given look like reading, and are not.
    const not = new Set(['sts:GetFederationToken', 'distribution:GET upload', 'agent-program:GET agent program']);
    // What is a secret, or is encrypted, is not for who may read everything else.
    const secretValues = new Set([
      ...['GetSecretValue', 'BatchGetSecretValue', 'GetRandomPassword', 'ValidateResourcePolicy'].map(
        (name) => `secretsmanager:${name}`,
      ),
      ...['DataKey', 'DataKeyWithoutPlaintext', 'DataKeyPair', 'DataKeyPairWithoutPlaintext', 'Mac', 'Random'].map(
        (name) => `kms:Generate${name}`,
      ),
    ]);
    expect(
      await wrong('reader', (route) =>
        route.access === 'policy' && !not.has(label(route)) && route.kind !== 'upgrade'
          ? !reads.test(route.operation) || secretValues.has(label(route))
          : undefined,
      ),
    ).toEqual([]);
    expect(await holdings(callers)).toBe(before);
  });

  test('the administrator of another account sees and changes nothing of this one', async () => {
    const before = await holdings(callers);
    const seen: string[] = [];
    for (const route of routes()) {
      const { text } = await callers.call(route, 'other account');
      if (text.includes(canary)) seen.push(`${label(route)}: ${text}`);
    }
    expect(seen).toEqual([]);
    expect(await holdings(callers)).toBe(before);
  });

  test('the right one is let in', async () => {
    const seen = await Promise.all(
      routes()
        .filter(
          ({ service, operation }) =>
            // Nothing has tags there.
            !['ecr-public', 'application-autoscaling'].includes(service) &&
            /^List(?:TagsForResource|Roles)$/.test(operation),
        )
        .map(async (route) => (await callers.call(route, 'admin')).text),
    );
    expect(seen.map((text) => text.includes(canary))).toEqual(Array.from({ length: 8 }, () => true));
    // Nobody's credentials are the secret that a webhook's deliveries are signed with.
    expect(await wrong('admin', ({ access }) => (access === 'anonymous' ? undefined : access === 'proof'))).toEqual([]);
  });

  test('every record that was written has a room that owns it', async () => {
    const { records } = installation.storage;
    const strays: string[] = [];
    for await (const partition of scanPartitions(records)) {
      for await (const { key } of scan(records, partition)) {
        if (ownerOf(layout, partition, key) === undefined) strays.push(`${partition}: ${key}`);
      }
    }
    expect(strays).toEqual([]);
  });

  test('credentials that have expired open nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 360_000 });
    expect(await wrong('expired', ({ access }) => (access === 'anonymous' ? undefined : true))).toEqual([]);
  });
});
