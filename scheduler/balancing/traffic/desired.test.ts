import { describe, expect, test } from 'vitest';

import type { HttpListener, StreamListener } from '../../routing/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { desiredState } from './desired.ts';

/** A load balancer, and what engines are told of it. */
async function openDesired() {
  const world = await openWeb();
  const { balancers, networks, call, groupArn, balancerArn, listenerArn } = world;
  const desired = async () =>
    desiredState(await balancers.read(account), await networks.read(account), {
      cookieKey: 'key',
      certificates: new Map(),
    });
  const set = (noun: string, arn: string, attributes: Record<string, string>): Promise<unknown> =>
    call(`Modify${noun}Attributes`, {
      [`${noun}Arn`]: arn,
      Attributes: Object.entries(attributes).map(([Key, Value]) => ({ Key, Value })),
    });
  return {
    ...world,
    desired,
    http: async () => (await desired()).listeners[0] as HttpListener,
    group: async () => (await desired()).targetGroups[0],
    onGroup: (attributes: Record<string, string>) => set('TargetGroup', groupArn, attributes),
    onBalancer: (attributes: Record<string, string>) => set('LoadBalancer', balancerArn, attributes),
    onListener: (attributes: Record<string, string>) => set('Listener', listenerArn, attributes),
    register: (...ids: string[]) =>
      call('RegisterTargets', { TargetGroupArn: groupArn, Targets: ids.map((Id) => ({ Id })) }),
    health: (id: string, health: object) =>
      balancers.change(account, (draft) => {
        const target = draft.all('target').find(({ targetId }) => targetId === id);
        if (target === undefined) throw new Error(`${id} is not registered`);
        draft.put('target', { ...target, health: health as typeof target.health });
      }),
    targets: async () =>
      Object.fromEntries(
        ((await desired()).targetGroups[0]?.targets ?? []).map(({ address, state }) => [address, state]),
      ),
  };
}

const healthy = { state: 'healthy', passed: true };
const unhealthy = { state: 'unhealthy', passed: true };

describe('what engines are told', () => {
  test('a listener with its rules, and the attributes that change what is done', async () => {
    const { http, desired, call, onBalancer, onListener, listenerArn, groupArn, balancers } = await openDesired();
    await call('CreateRule', {
      ListenerArn: listenerArn,
      Priority: 2,
      Conditions: [{ Field: 'path-pattern', Values: ['/b'] }],
      Actions: [{ Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', StatusCode: 'HTTP_302' } }],
    });
    await call('CreateRule', {
      ListenerArn: listenerArn,
      Priority: 1,
      Conditions: [{ Field: 'query-string', QueryStringConfig: { Values: [{ Value: 'x' }] } }],
      Actions: [
        {
          Type: 'forward',
          ForwardConfig: {
            TargetGroups: [{ TargetGroupArn: groupArn, Weight: 5 }],
            TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 60 },
          },
        },
      ],
    });
    await onBalancer({ 'idle_timeout.timeout_seconds': '5', 'routing.http.xff_header_processing.mode': 'remove' });
    await onListener({
      'routing.http.response.server.enabled': 'false',
      'routing.http.response.x_frame_options.header_value': 'DENY',
    });
    const [balancer] = (await balancers.read(account)).all('loadbalancer');
    const [group] = (await balancers.read(account)).all('targetgroup');
    expect(await http()).toMatchObject({
      protocol: 'HTTP',
      port: 80,
      address: balancer?.address,
      dnsName: balancer?.dnsName,
      rules: [
        {
          conditions: [{ kind: 'query-string', values: [{ value: 'x' }] }],
          action: { kind: 'forward', targetGroups: [{ id: group?.id, weight: 5 }], stickySeconds: 60 },
        },
        {
          conditions: [{ kind: 'path-pattern', values: ['/b'] }],
          action: { kind: 'redirect', status: 302, protocol: 'HTTPS', path: '/#{path}' },
        },
      ],
      attributes: {
        idleTimeout: 5,
        clientKeepAlive: 3600,
        forwardedFor: 'remove',
        http2: true,
        serverHeader: false,
        responseHeaders: { 'x-frame-options': 'DENY' },
      },
    });
    expect((await desired()).generation).toBe((await balancers.read(account)).generation);
  });

  test('no listener whose certificate cannot be had: the others are served', async () => {
    const { call, desired, addCertificate, balancerArn, groupArn } = await openDesired();
    await call('CreateListener', {
      LoadBalancerArn: balancerArn,
      Protocol: 'HTTPS',
      Port: 443,
      Certificates: [{ CertificateArn: await addCertificate() }],
      DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
    });
    expect(new Set((await desired()).listeners.map(({ port }) => port))).toEqual(new Set([80]));
  });

  test('groups that a listener names, and no others', async () => {
    const { desired, call, network } = await openDesired();
    await call('CreateTargetGroup', { Name: 'idle', Protocol: 'HTTP', Port: 80, VpcId: network.vpcId });
    expect((await desired()).targetGroups).toHaveLength(1);
  });

  test('a group with its attributes', async () => {
    const { group, onGroup } = await openDesired();
    expect(await group()).toMatchObject({
      algorithm: 'round_robin',
      slowStart: 0,
      retrySafe: true,
      freshConnections: false,
    });
    expect(await group()).not.toHaveProperty('stickiness');
    await onGroup({
      'stickiness.enabled': 'true',
      'stickiness.lb_cookie.duration_seconds': '60',
      'load_balancing.algorithm.type': 'least_outstanding_requests',
      'slipway.retry_safe_requests.enabled': 'false',
    });
    expect(await group()).toMatchObject({
      algorithm: 'least_outstanding_requests',
      retrySafe: false,
      stickiness: { kind: 'lb_cookie', seconds: 60 },
    });
    await onGroup({ 'stickiness.type': 'app_cookie', 'stickiness.app_cookie.cookie_name': 'SID' });
    expect(await group()).toMatchObject({ stickiness: { kind: 'app_cookie', seconds: 86_400, cookieName: 'SID' } });
  });

  test('targets get requests when they are healthy, and none when they drain', async () => {
    const { targets, register, health, call, groupArn } = await openDesired();
    await register('10.0.0.1', '10.0.0.2', '10.0.0.3');
    expect(await targets()).toEqual({ '10.0.0.1': 'down', '10.0.0.2': 'down', '10.0.0.3': 'down' });
    await health('10.0.0.1', healthy);
    await health('10.0.0.2', healthy);
    await call('DeregisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.2' }] });
    expect(await targets()).toEqual({ '10.0.0.1': 'up', '10.0.0.2': 'draining', '10.0.0.3': 'down' });
  });

  test('when all are unhealthy all get requests, but for those that never were healthy', async () => {
    const { targets, register, health } = await openDesired();
    await register('10.0.0.1', '10.0.0.2', '10.0.0.3');
    await health('10.0.0.1', unhealthy);
    await health('10.0.0.2', { state: 'unhealthy' });
    expect(await targets()).toEqual({ '10.0.0.1': 'up', '10.0.0.2': 'down', '10.0.0.3': 'down' });
    await health('10.0.0.3', healthy);
    expect(await targets()).toEqual({ '10.0.0.1': 'down', '10.0.0.2': 'down', '10.0.0.3': 'up' });
  });

  test.each([
    [{ count: '2' }, 'up'],
    [{ count: '1' }, 'down'],
    [{ percentage: '34' }, 'up'],
    [{ percentage: '33' }, 'down'],
  ])('and when fewer than %j of three are healthy: %s', async (minimum, expected) => {
    const { targets, register, health, onGroup } = await openDesired();
    await register('10.0.0.1', '10.0.0.2', '10.0.0.3');
    for (const id of ['10.0.0.1', '10.0.0.2']) await health(id, unhealthy);
    await health('10.0.0.3', healthy);
    const prefix = 'target_group_health.unhealthy_state_routing.minimum_healthy_targets';
    await onGroup(Object.fromEntries(Object.entries(minimum).map(([name, value]) => [`${prefix}.${name}`, value])));
    expect(await targets()).toEqual({ '10.0.0.1': expected, '10.0.0.2': expected, '10.0.0.3': 'up' });
  });

  test('a network load balancer: open to everybody, and connections to unhealthy targets end', async () => {
    const { desired, call, network, health } = await openDesired();
    const [{ LoadBalancerArn }] = (
      await call('CreateLoadBalancer', { Name: 'tcp', Type: 'network', Subnets: network.subnets })
    ).LoadBalancers;
    const [{ TargetGroupArn }] = (
      await call('CreateTargetGroup', {
        Name: 'tcp',
        Protocol: 'TCP',
        Port: 5432,
        VpcId: network.vpcId,
        TargetType: 'ip',
      })
    ).TargetGroups;
    await call('CreateListener', {
      LoadBalancerArn,
      Protocol: 'TCP',
      Port: 5432,
      DefaultActions: [{ Type: 'forward', TargetGroupArn }],
    });
    await call('RegisterTargets', { TargetGroupArn, Targets: [{ Id: '10.0.1.1' }, { Id: '10.0.1.2' }] });
    await health('10.0.1.1', healthy);
    await health('10.0.1.2', unhealthy);
    const told = await desired();
    const listener = told.listeners.find(({ port }) => port === 5432) as StreamListener;
    expect(listener).toMatchObject({ protocol: 'TCP', idleTimeout: 350, admitted: ['0.0.0.0/0'] });
    const states = async () =>
      (await desired()).targetGroups
        .find(({ protocol }) => protocol === 'TCP')
        ?.targets.map(({ address, state }) => [address, state]);
    expect(await states()).toEqual([['10.0.1.1', 'up']]);
    await call('ModifyTargetGroupAttributes', {
      TargetGroupArn,
      Attributes: [{ Key: 'target_health_state.unhealthy.connection_termination.enabled', Value: 'false' }],
    });
    expect((await states())?.toSorted()).toEqual([
      ['10.0.1.1', 'up'],
      ['10.0.1.2', 'down'],
    ]);
  });

  test('security groups say who may connect', async () => {
    const { http, networks, network } = await openDesired();
    // The default group lets its own members through, and nobody who comes from outside.
    expect((await http()).admitted).toEqual([]);
    const put = (id: string, rule: object): Promise<unknown> =>
      networks.change(account, (draft) => {
        const groupId = draft.defaultGroup(network.vpcId)?.id ?? '';
        draft.put('security-group-rule', { id, groupId, egress: false, protocol: 'tcp', tags: {}, ...rule } as never);
      });
    await put('sgr-1', { from: 443, to: 443, peer: { cidr: '10.1.0.0/16' } });
    await put('sgr-2', { from: 80, to: 80, peer: { cidr: '10.2.0.0/16' } });
    await put('sgr-3', { from: 1, to: 1000, peer: { cidr: '10.3.0.0/16' } });
    await put('sgr-4', { protocol: 'udp', from: 80, to: 80, peer: { cidr: '10.4.0.0/16' } });
    await put('sgr-5', { egress: true, from: 80, to: 80, peer: { cidr: '10.5.0.0/16' } });
    await put('sgr-6', { protocol: '-1', peer: { cidr: '10.6.0.0/16' } });
    await put('sgr-7', { from: 80, to: 80, peer: { cidr6: '::/0' } });
    expect((await http()).admitted).toEqual(['10.2.0.0/16', '10.3.0.0/16', '10.6.0.0/16']);
  });

  test('load balancers on the loopback network are found by their names at 127.0.0.1 too', async () => {
    const { desired, call, network, networks, balancers } = await openDesired();
    await networks.change(account, (draft) => {
      const groupId = draft.defaultGroup(network.vpcId)?.id ?? '';
      const peer = { cidr: '127.0.0.0/8' };
      draft.put('security-group-rule', { id: 'sgr-1', groupId, egress: false, protocol: '-1', peer, tags: {} });
    });
    const [{ LoadBalancerArn }] = (await call('CreateLoadBalancer', { Name: 'other', Subnets: network.subnets }))
      .LoadBalancers;
    await call('CreateListener', {
      LoadBalancerArn,
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }],
    });
    const names = (await balancers.read(account)).all('loadbalancer').map(({ dnsName }) => dnsName);
    const { listeners } = await desired();
    expect(new Set(listeners.map(({ address }) => address)).size).toBe(3);
    const byName = listeners.find(({ address }) => address === '127.0.0.1') as HttpListener;
    expect(byName).toMatchObject({ port: 80, admitted: ['127.0.0.0/8'], defaultAction: { status: 404 } });
    expect(byName.rules.map(({ conditions }) => conditions[0])).toEqual(
      names.map((name) => ({ kind: 'host-header', values: [name], regexValues: [] })),
    );
    expect(byName.rules.every(({ conditions }) => conditions[1]?.kind === 'source-ip')).toBe(true);
    // While a certificate is issued each of them answers the authority: by rules of their own, as engines refuse two of one id.
    const requested = { tags: {}, domainName: 'www.example.com', names: ['www.example.com'], createdAt: 0, due: 0 };
    const challenges = [{ name: 'www.example.com', token: 'token', answer: 'token.thumb' }];
    await balancers.change(account, (draft) =>
      draft.put('requested', {
        ...requested,
        id: 'c',
        keyAlgorithm: 'RSA_2048',
        state: 'pending',
        failures: 0,
        challenges,
      }),
    );
    const all = (await desired()).listeners as readonly HttpListener[];
    expect(all.map(({ rules }) => new Set(rules.map(({ id }) => id)).size)).toEqual([1, 1, 4]);
    for (const { rules } of all)
      expect(rules[0]?.action).toMatchObject({ kind: 'fixed-response', status: 200, body: 'token.thumb' });
  });
});
