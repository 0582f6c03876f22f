import type { Call, WebRoute } from '@slipway/auth/contract';
import { expect, test } from 'vitest';

import { noCounts } from '../engines/index.ts';
import type { EngineRecord } from '../records/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { createOverview } from './overview.ts';

const engine = (id: string, given: Partial<EngineRecord> & { isLive: boolean }) => ({
  id,
  kind: 'haproxy',
  generation: 1_000_000,
  oldestServing: 1_000_000,
  seenAt: 0,
  unbound: {},
  quiet: [],
  ...given,
});

/** The routes over a load balancer `web`, with engines and numbers as a test says them. */
async function openOverview() {
  const world = await openWeb();
  const { balancers, listenerArn } = world;
  const group = (await balancers.read(account)).all('targetgroup')[0];
  const counts = {
    ...noCounts,
    requests: 3,
    codes: [2, 0, 0, 1] as const,
    latency: { seconds: 12, classes: noCounts.latency.classes.map((_, i) => (i === 0 ? 2 : i === 13 ? 1 : 0)) },
  };
  const service = createOverview({
    region: 'us-east-1',
    balancers,
    traffic: {
      states: () => Promise.resolve(() => ({ code: 'active_impaired', reason: 'port 80 is not served' })),
      engines: () =>
        Promise.resolve([
          engine('current', { isLive: true }),
          engine('behind', { isLive: true, oldestServing: 0 }),
          engine('refuses', { isLive: true, refused: { generation: 7, reason: 'no memory' } }),
          engine('silent', { isLive: false, unbound: { [listenerArn.slice(-16)]: 'long ago' } }),
          engine('unbound', { isLive: true, unbound: { [listenerArn.slice(-16)]: 'taken by nginx' } }),
        ]),
    },
    numbers: {
      balancers: () => [],
      group: (id) =>
        id === group?.id
          ? {
              id,
              name: 'web',
              loadBalancer: 'web',
              inFlight: 2,
              counts,
              recent: { seconds: 30, counts },
              targets: new Map(),
            }
          : undefined,
    },
  });
  const get = async (path: string, as = account): Promise<unknown> => {
    const ctx = { body: undefined as unknown };
    const route = service.route('GET', path, new URLSearchParams()) as WebRoute;
    await route.handle?.(ctx as never, { account: as } as Call);
    return ctx.body;
  };
  return { ...world, service, get };
}

test('a load balancer is shown with what its engines have acknowledged, its rules, targets and numbers', async () => {
  const { get, call, groupArn, listenerArn } = await openOverview();
  await call('RegisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.1' }] });
  await call('CreateRule', {
    ListenerArn: listenerArn,
    Priority: 3,
    Conditions: [
      { Field: 'path-pattern', Values: ['/a*', '/b'] },
      { Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'k', Value: 'v' }] } },
    ],
    Actions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '418' } }],
  });
  const found = (await get('/slipway/load-balancers/web')) as { engines: { id: string; state: string }[] };
  expect(found.engines.map(({ id, state }) => [id, state])).toEqual([
    ['current', 'current'],
    ['behind', 'behind'],
    ['refuses', 'refuses'],
    ['silent', 'silent'],
    ['unbound', 'current'],
  ]);
  expect(found).toMatchObject({
    name: 'web',
    state: 'active_impaired',
    reason: 'port 80 is not served',
    listeners: [
      {
        port: 80,
        url: expect.stringMatching(/^http:\/\/web-[0-9a-f]{16}\.elb\.localhost$/) as unknown,
        // What an engine said that is not heard of any more is no news.
        notBound: [{ engine: 'unbound', reason: 'taken by nginx' }],
        rules: [
          { priority: '3', conditions: ['path-pattern /a* or /b', 'query k=v'], action: 'answers 418' },
          { priority: 'default', conditions: [], action: 'to web' },
        ],
      },
    ],
    targetGroups: [
      {
        name: 'web',
        requests: 3,
        inFlight: 2,
        answers: { '2xx': 2, '5xx': 1 },
        secondsToAnswer: { p50: 0.001, p99: 'above' },
        lastMinute: { seconds: 30, requests: 3 },
        targets: [{ target: '10.0.0.1', address: '10.0.0.1:8080', state: 'initial', requests: 0 }],
      },
    ],
  });
});

test('load balancers are listed for their own account alone', async () => {
  const { get } = await openOverview();
  expect(await get('/slipway/load-balancers/')).toMatchObject({
    loadBalancers: [{ name: 'web', type: 'application' }],
  });
  expect(await get('/slipway/load-balancers/', '111111111111')).toEqual({ loadBalancers: [] });
  await expect(get('/slipway/load-balancers/web', '111111111111')).rejects.toMatchObject({
    code: 'LoadBalancerNotFound',
    message: expect.stringContaining('slipway lb list') as unknown,
  });
});

test.each([
  '/slipway/load-balancers/a.b',
  '/slipway/load-balancers/web/x',
  `/slipway/load-balancers/${'a'.repeat(33)}`,
])('%s is no route', async (path) => {
  const { service } = await openOverview();
  expect(service.route('GET', path, new URLSearchParams())).toBeUndefined();
});

test('nothing is changed by these routes', async () => {
  const { service } = await openOverview();
  for (const method of ['POST', 'PUT', 'DELETE'])
    expect(service.route(method, '/slipway/load-balancers/web', new URLSearchParams())).toBeUndefined();
});
