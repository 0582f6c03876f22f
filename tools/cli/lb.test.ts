import { describe, expect, it } from 'vitest';
import { type BalancerDetails, faults } from './lb.ts';

const engine = {
  id: 'one',
  kind: 'haproxy',
  state: 'current',
  generation: 7,
  oldestServing: 7,
  seenAt: 'noon',
} as const;

const details = (given: Partial<BalancerDetails>): BalancerDetails => ({
  name: 'web',
  type: 'application',
  state: 'active',
  address: '127.0.0.1',
  dnsName: 'web-1.elb.localhost',
  urls: [],
  generation: 7,
  engines: [engine],
  answersOfEngines: { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
  listeners: [],
  targetGroups: [],
  ...given,
});

describe('what is wrong with a load balancer', () => {
  it('is nothing while every engine serves what is wanted', () => {
    expect(faults(details({}))).toEqual([]);
  });

  it('is a port that is not bound, with what helps, said once', () => {
    const reason = 'binding port 80 is not permitted: choose a port from 1024 on';
    const listener = { protocol: 'HTTP', port: 80, url: '', requests: 0, connections: 0, rules: [] };
    expect(
      faults(
        details({
          reason: `port 80 is not served by one: ${reason}`,
          listeners: [{ ...listener, notBound: [{ engine: 'one', reason }] }],
        }),
      ),
    ).toEqual([`port 80 is not served by one: ${reason}`]);
  });

  it('is an engine that does not run, lags, or is not heard of', () => {
    const said = faults(
      details({
        reason: 'no traffic engine is running',
        engines: [
          { ...engine, id: 'a', state: 'refuses', reason: 'install it (apt-get install haproxy)' },
          { ...engine, id: 'b', state: 'behind', oldestServing: 5 },
          { ...engine, id: 'c', state: 'silent' },
        ],
      }),
    );
    expect(said).toHaveLength(4);
    for (const [i, words] of ['no traffic engine', 'apt-get install', 'may route by 5', 'last heard of noon'].entries())
      expect(said[i]).toContain(words);
  });
});
