import { describe, expect, test } from 'vitest';

import { openBalancing, openWeb } from '../testing/open-balancing.ts';

describe('target groups', () => {
  const make = async (given: object) => {
    const world = await openBalancing();
    const input = { Name: 'web', Protocol: 'HTTP', Port: 80, VpcId: world.network.vpcId, ...given };
    return { ...world, input, create: async () => (await world.call('CreateTargetGroup', input)).TargetGroups[0] };
  };

  test('an HTTP one is checked as ELB checks it', async () => {
    const { create } = await make({ ProtocolVersion: '' });
    expect(await create()).toMatchObject({
      TargetType: 'instance',
      ProtocolVersion: 'HTTP1',
      IpAddressType: 'ipv4',
      HealthCheckProtocol: 'HTTP',
      HealthCheckPort: 'traffic-port',
      HealthCheckEnabled: true,
      HealthCheckPath: '/',
      HealthCheckIntervalSeconds: 30,
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 5,
      UnhealthyThresholdCount: 2,
      Matcher: { HttpCode: '200' },
      LoadBalancerArns: [],
    });
  });

  test('a TCP one too, and by HTTP when that is asked for', async () => {
    const { create } = await make({ Protocol: 'TCP' });
    const group = await create();
    expect(group).toMatchObject({ HealthCheckProtocol: 'TCP', HealthCheckTimeoutSeconds: 10 });
    expect(group).not.toHaveProperty('ProtocolVersion');
    expect(group).not.toHaveProperty('HealthCheckPath');
    const byHttp = await make({ Protocol: 'TCP', HealthCheckProtocol: 'HTTP' });
    expect(await byHttp.create()).toMatchObject({
      HealthCheckTimeoutSeconds: 6,
      HealthCheckPath: '/',
      Matcher: { HttpCode: '200-399' },
    });
  });

  test('gRPC has codes and a path of its own', async () => {
    const { create } = await make({ ProtocolVersion: 'GRPC' });
    expect(await create()).toMatchObject({
      ProtocolVersion: 'GRPC',
      HealthCheckPath: '/AWS.ALB/healthcheck',
      Matcher: { GrpcCode: '12' },
    });
  });

  test.each([
    [{ Name: 'a_b' }, 'ValidationError: Target group name'],
    [{ Protocol: 'UDP' }, 'UnsupportedProtocol'],
    [{ Protocol: '' }, 'A target group protocol must be specified'],
    [{ Port: undefined }, 'A target group port must be specified'],
    [{ Port: 0 }, 'ValidationError'],
    [{ VpcId: 'vpc-0' }, "The VPC ID 'vpc-0' is not found"],
    [{ TargetType: 'lambda' }, 'The target type lambda is not supported'],
    [{ TargetType: 'moon' }, 'ValidationError: 1 validation error detected'],
    [{ IpAddressType: 'ipv6' }, 'The IP address type ipv6 is not supported'],
    [{ ProtocolVersion: 'HTTP3' }, "must be one of '[HTTP1, HTTP2, GRPC]'"],
    [{ Protocol: 'TCP', ProtocolVersion: 'HTTP1' }, 'cannot be specified for protocol'],
    [{ HealthCheckEnabled: false }, 'always enabled'],
    [{ HealthCheckProtocol: 'TCP' }, "must be one of '[HTTP, HTTPS]'"],
    [{ HealthCheckPath: 'x' }, "must begin with a '/'"],
    [{ HealthCheckPath: '/a b' }, "must begin with a '/'"],
    [{ HealthCheckPath: '/a\r\nX: y' }, "must begin with a '/'"],
    [{ HealthCheckPort: '70000' }, "must be 'traffic-port'"],
    [{ HealthCheckIntervalSeconds: 4 }, 'ValidationError'],
    [{ HealthCheckIntervalSeconds: 5, HealthCheckTimeoutSeconds: 5 }, 'must be smaller than the interval'],
    [{ HealthyThresholdCount: 1 }, 'ValidationError'],
    [{ Matcher: { HttpCode: '199' } }, 'from 200 to 499'],
    [{ Matcher: { HttpCode: '200-' } }, 'from 200 to 499'],
    [{ Matcher: { HttpCode: '299-200' } }, 'from 200 to 499'],
    [{ Matcher: { GrpcCode: '12' } }, 'HttpCode'],
    [{ TargetControlPort: 80 }, 'TargetControlPort is not supported'],
  ])('%j is refused: %s', async (given, message) => {
    const { refusal, input } = await make(given);
    expect(await refusal('CreateTargetGroup', input)).toContain(message);
  });

  test('the same request again answers with what is there, another one for the name does not', async () => {
    const { call, refusal, input, create } = await make({});
    const first = await create();
    expect((await call('CreateTargetGroup', input)).TargetGroups[0].TargetGroupArn).toBe(first.TargetGroupArn);
    expect(await refusal('CreateTargetGroup', { ...input, Port: 81 })).toBe(
      "DuplicateTargetGroupName: A target group with the same name 'web' exists, but with different settings",
    );
  });

  test('checks are changed, and what is not named stays', async () => {
    const { call, create } = await make({ HealthCheckPath: '/up' });
    const { TargetGroupArn } = await create();
    const { TargetGroups } = await call('ModifyTargetGroup', {
      TargetGroupArn,
      HealthCheckIntervalSeconds: 10,
      HealthCheckPort: '9000',
      Matcher: { HttpCode: '200,204' },
    });
    expect(TargetGroups).toMatchObject([
      {
        HealthCheckPath: '/up',
        HealthCheckIntervalSeconds: 10,
        HealthCheckPort: '9000',
        Matcher: { HttpCode: '200,204' },
      },
    ]);
  });

  test('they are listed by load balancer, ARN or name, and deleted', async () => {
    const { call, refusal, network, balancerArn, groupArn } = await openWeb();
    const other = { Name: 'other', Protocol: 'HTTP', Port: 1, VpcId: network.vpcId };
    const [{ TargetGroupArn }] = (await call('CreateTargetGroup', other)).TargetGroups;
    const names = async (input: object) =>
      (await call('DescribeTargetGroups', input)).TargetGroups.map(
        (each: { TargetGroupName: string }) => each.TargetGroupName,
      );
    expect(await names({})).toEqual(['other', 'web']);
    expect(await names({ LoadBalancerArn: balancerArn })).toEqual(['web']);
    expect(await names({ TargetGroupArns: [groupArn] })).toEqual(['web']);
    expect(await names({ Names: ['other'] })).toEqual(['other']);
    expect(await refusal('DescribeTargetGroups', { Names: ['x'] })).toBe(
      'TargetGroupNotFound: One or more target groups not found',
    );
    await call('DeleteTargetGroup', { TargetGroupArn });
    await call('DeleteTargetGroup', { TargetGroupArn });
    expect(await names({})).toEqual(['web']);
  });
});

describe('targets', () => {
  const openTargets = async () => {
    const world = await openWeb();
    const { call, refusal, groupArn } = world;
    return {
      ...world,
      register: (...Targets: object[]) => call('RegisterTargets', { TargetGroupArn: groupArn, Targets }),
      refused: (...Targets: object[]) => refusal('RegisterTargets', { TargetGroupArn: groupArn, Targets }),
      deregister: (...Targets: object[]) => call('DeregisterTargets', { TargetGroupArn: groupArn, Targets }),
      health: async (...Targets: object[]) =>
        (await call('DescribeTargetHealth', { TargetGroupArn: groupArn, ...(Targets.length === 0 ? {} : { Targets }) }))
          .TargetHealthDescriptions,
    };
  };

  test('one begins with its registration, and drains when it is taken out', async () => {
    const { register, deregister, health } = await openTargets();
    await register({ Id: '10.0.0.1' }, { Id: '10.0.0.1', Port: 9000, AvailabilityZone: 'all' });
    await register({ Id: '10.0.0.1' });
    expect(await health()).toHaveLength(2);
    expect(await health({ Id: '10.0.0.1' })).toEqual([
      {
        Target: { Id: '10.0.0.1', Port: 8080 },
        HealthCheckPort: '8080',
        TargetHealth: {
          State: 'initial',
          Reason: 'Elb.RegistrationInProgress',
          Description: 'Target registration is in progress',
        },
      },
    ]);
    // The port that is not the group's must be named.
    await deregister({ Id: '10.0.0.1' });
    expect(await health({ Id: '10.0.0.1' }, { Id: '10.0.0.1', Port: 9000 })).toMatchObject([
      { TargetHealth: { State: 'draining', Reason: 'Target.DeregistrationInProgress' } },
      { TargetHealth: { State: 'initial' } },
    ]);
  });

  test('one that comes back while it drains is another registration', async () => {
    const { register, deregister, health, balancers } = await openTargets();
    await register({ Id: '10.0.0.1' });
    await deregister({ Id: '10.0.0.1' });
    await register({ Id: '10.0.0.1' });
    expect(await health()).toMatchObject([{ TargetHealth: { State: 'initial' } }]);
    const targets = (await balancers.read('000000000000')).all('target');
    expect(targets).toHaveLength(2);
    expect(new Set(targets.map(({ id }) => id)).size).toBe(2);
  });

  test('what is not registered, or in no use, is unused', async () => {
    const { register, health, call, network } = await openTargets();
    await register({ Id: '10.0.0.1' });
    expect(await health({ Id: '10.0.0.9' })).toMatchObject([
      { TargetHealth: { State: 'unused', Reason: 'Target.NotRegistered' } },
    ]);
    const input = { Name: 'idle', Protocol: 'HTTP', Port: 80, VpcId: network.vpcId, TargetType: 'ip' };
    const [{ TargetGroupArn }] = (await call('CreateTargetGroup', input)).TargetGroups;
    await call('RegisterTargets', { TargetGroupArn, Targets: [{ Id: '10.0.0.1' }] });
    const idle = async () => (await call('DescribeTargetHealth', { TargetGroupArn })).TargetHealthDescriptions;
    expect(await idle()).toMatchObject([{ TargetHealth: { State: 'unused', Reason: 'Target.NotInUse' } }]);
    await call('DeregisterTargets', { TargetGroupArn, Targets: [{ Id: '10.0.0.1' }] });
    expect(await idle()).toEqual([]);
  });

  test('instances are registered by their ids, when they run', async () => {
    const { call, refusal, network, instances, balancers } = await openWeb();
    const input = { Name: 'machines', Protocol: 'HTTP', Port: 80, VpcId: network.vpcId };
    const [{ TargetGroupArn }] = (await call('CreateTargetGroup', input)).TargetGroups;
    const [here, stopped] = ['i-00000000000000001', 'i-00000000000000002'];
    instances.set(here, { address: '192.0.2.1', zone: 'us-east-1a', running: true });
    instances.set(stopped, { address: '192.0.2.2', zone: 'us-east-1a', running: false });
    const register = (...ids: string[]): object => ({
      TargetGroupArn,
      Targets: ids.map((Id) => ({ Id, Port: 32_768 })),
    });
    expect(await refusal('RegisterTargets', register(here, stopped))).toBe(
      `InvalidTarget: The following targets are not in a running state and cannot be registered: '${stopped}'`,
    );
    expect(await refusal('RegisterTargets', register('i-x'))).toContain("Instance ID 'i-x' is not valid");
    await call('RegisterTargets', register(here));
    expect((await balancers.read('000000000000')).all('target')).toMatchObject([
      { targetId: here, address: '192.0.2.1', port: 32_768 },
    ]);
  });

  test.each([['127.0.0.1'], ['169.254.169.254'], ['8.8.8.8'], ['0.0.0.0'], ['::1'], ['a'], ['10.0.0'], ['']])(
    'the address %j is no target',
    async (Id) => {
      const { refused } = await openTargets();
      expect(await refused({ Id })).toMatch(/^ValidationError: /);
    },
  );

  test('a group has a thousand at most', async () => {
    const { register, refused } = await openTargets();
    const some = (from: number, count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ Id: '10.0.0.1', Port: from + at }));
    await register(...some(1, 1000));
    expect(await refused(...some(2000, 1))).toContain('TooManyTargets');
  });

  test('so has a load balancer; those that drain count neither for targets nor for groups that come', async () => {
    const { register, deregister, refused, call, refusal, network, listener } = await openTargets();
    const some = (from: number, count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ Id: '10.0.0.1', Port: from + at }));
    await register(...some(1, 1000));
    const input = { Name: 'more', Protocol: 'HTTP', Port: 80, VpcId: network.vpcId, TargetType: 'ip' };
    const [{ TargetGroupArn }] = (await call('CreateTargetGroup', input)).TargetGroups;
    await call('RegisterTargets', { TargetGroupArn, Targets: some(1, 1) });
    const rule = {
      ListenerArn: listener.ListenerArn,
      Priority: 1,
      Conditions: [{ Field: 'path-pattern', Values: ['/more'] }],
      Actions: [{ Type: 'forward', TargetGroupArn }],
    };
    expect(await refusal('CreateRule', rule)).toContain('TooManyTargets');
    await deregister(...some(1, 1));
    await call('CreateRule', rule);
    expect(await refused(...some(2000, 1))).toContain('targets of a load balancer');
  });
});
