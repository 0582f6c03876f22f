import { describe, expect, test } from 'vitest';

import { openBalancing, openWeb } from '../testing/open-balancing.ts';

describe('load balancers', () => {
  test('one is made, listed, and gone with its listeners, and its groups stay', async () => {
    const { call, network, balancer, balancerArn, groupArn, listenerArn } = await openWeb();
    expect(balancer).toMatchObject({
      LoadBalancerName: 'web',
      Scheme: 'internet-facing',
      Type: 'application',
      VpcId: network.vpcId,
      IpAddressType: 'ipv4',
      State: { Code: 'provisioning' },
      CanonicalHostedZoneId: 'Z35SXDOTRQ7X7K',
    });
    expect(balancerArn).toMatch(
      /^arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer\/app\/web\/[0-9a-f]{16}$/,
    );
    expect(listenerArn).toMatch(/:listener\/app\/web\/[0-9a-f]{16}\/[0-9a-f]{16}$/);
    expect(balancer.DNSName).toBe(`web-${balancerArn.slice(-16)}.elb.localhost`);
    expect(balancer.AvailabilityZones.map(({ SubnetId }: { SubnetId: string }) => SubnetId)).toEqual(network.subnets);
    const { LoadBalancers } = await call('DescribeLoadBalancers', { Names: ['web'] });
    expect(LoadBalancers).toMatchObject([{ LoadBalancerArn: balancerArn, State: { Code: 'active' } }]);
    await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
    await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
    expect((await call('DescribeLoadBalancers')).LoadBalancers).toEqual([]);
    expect((await call('DescribeTargetGroups', { TargetGroupArns: [groupArn] })).TargetGroups).toMatchObject([
      { LoadBalancerArns: [] },
    ]);
  });

  test('the same request again answers with what is there, another one for the name does not', async () => {
    const { call, refusal, network, balancerArn } = await openWeb();
    const again = await call('CreateLoadBalancer', { Name: 'web', Subnets: network.subnets.toReversed() });
    expect(again.LoadBalancers[0].LoadBalancerArn).toBe(balancerArn);
    expect(await refusal('CreateLoadBalancer', { Name: 'web', Subnets: network.subnets, Scheme: 'internal' })).toBe(
      'DuplicateLoadBalancerName: A load balancer with the specified name already exists.',
    );
  });

  test('each has an address of its own while the pool has one', async () => {
    const { call, network, balancers } = await openBalancing();
    for (const Name of ['a', 'b', 'c']) await call('CreateLoadBalancer', { Name, Subnets: network.subnets });
    const addresses = (await balancers.read('000000000000')).all('loadbalancer').map(({ address }) => address);
    expect(addresses.toSorted()).toEqual(['127.42.0.1', '127.42.0.1', '127.42.0.2']);
  });

  test('a port that another load balancer of the same address has is refused, with its name', async () => {
    const { call, refusal, network } = await openBalancing();
    const made: string[] = [];
    for (const Name of ['a', 'b', 'c'])
      made.push(
        (await call('CreateLoadBalancer', { Name, Subnets: network.subnets })).LoadBalancers[0].LoadBalancerArn,
      );
    const listener = {
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }],
    };
    await call('CreateListener', { LoadBalancerArn: made[0], ...listener });
    await call('CreateListener', { LoadBalancerArn: made[1], ...listener });
    expect(await refusal('CreateListener', { LoadBalancerArn: made[2], ...listener })).toMatch(
      /^InvalidConfigurationRequest: Port 80 of 127\.42\.0\.1 is taken by 'arn:.*\/app\/a\//,
    );
  });

  test.each([
    [{ Name: '' }, 'ValidationError: The load balancer name cannot be empty'],
    [{ Name: 'a'.repeat(33) }, 'cannot be longer than'],
    [{ Name: 'a_b' }, 'can only contain characters that are alphanumeric'],
    [{ Name: '-a' }, 'cannot begin or end with a hyphen'],
    [{ Name: 'internal-a' }, "cannot begin with 'internal-'"],
    [{ Type: 'gateway' }, 'InvalidConfigurationRequest: The type gateway is not supported by this installation'],
    [{ Type: 'classic' }, "ValidationError: 1 validation error detected: Value 'classic' at 'type'"],
    [{ IpAddressType: 'dualstack' }, 'The IP address type dualstack is not supported'],
    [{ Subnets: ['subnet-0'] }, "SubnetNotFound: The subnet ID 'subnet-0' does not exist"],
    [{ Subnets: [] }, 'ValidationError: Subnets must be specified'],
    [{ SecurityGroups: ['sg-0'] }, 'InvalidSecurityGroup: One or more security groups are invalid: sg-0'],
    [{ CustomerOwnedIpv4Pool: 'ipv4pool-coip-1' }, 'CustomerOwnedIpv4Pool is not supported by this installation'],
    [
      { Subnets: undefined, SubnetMappings: [{ SubnetId: 'x', AllocationId: 'eipalloc-1' }] },
      'SubnetMappings.1.AllocationId',
    ],
    [{ Tags: [{ Key: 'aws:x', Value: '' }] }, "Tag keys starting with 'aws:'"],
    [{ Tags: [{ Key: 'a' }, { Key: 'a' }] }, 'DuplicateTagKeys'],
    [{ Tags: Array.from({ length: 51 }, (_, at) => ({ Key: `k${at}` })) }, 'TooManyTags'],
  ])('%j is refused: %s', async (input, message) => {
    const { refusal, network } = await openBalancing();
    expect(await refusal('CreateLoadBalancer', { Name: 'web', Subnets: network.subnets, ...input })).toContain(message);
  });

  test('two subnets of one zone are refused', async () => {
    const { call: _, refusal, networks, network } = await openBalancing();
    const { result } = await networks
      .change('000000000000', (draft) => {
        const [first] = draft.all('subnet');
        if (first === undefined) throw new Error('there is no subnet');
        const other = { ...first, id: 'subnet-other', cidr: '10.200.240.0/24', isDefault: false };
        draft.put('subnet', other);
        return other;
      })
      .then((other) => ({ result: other }));
    expect(await refusal('CreateLoadBalancer', { Name: 'web', Subnets: [...network.subnets, result.id] })).toBe(
      'InvalidConfigurationRequest: A load balancer cannot be attached to multiple subnets in the same Availability Zone',
    );
  });

  test('one that is protected stays', async () => {
    const { call, refusal, balancerArn } = await openWeb();
    const protect = (Value: string): Promise<unknown> =>
      call('ModifyLoadBalancerAttributes', {
        LoadBalancerArn: balancerArn,
        Attributes: [{ Key: 'deletion_protection.enabled', Value }],
      });
    await protect('true');
    expect(await refusal('DeleteLoadBalancer', { LoadBalancerArn: balancerArn })).toBe(
      `OperationNotPermitted: Load balancer '${balancerArn}' cannot be deleted because deletion protection is enabled`,
    );
    await protect('false');
    await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
  });

  test('subnets and security groups are set anew', async () => {
    const { call, refusal, network, networks, balancerArn } = await openWeb();
    const [first = ''] = network.subnets;
    expect(await call('SetSubnets', { LoadBalancerArn: balancerArn, Subnets: [first] })).toMatchObject({
      AvailabilityZones: [{ SubnetId: first }],
    });
    const usual = (await networks.read('000000000000')).defaultGroup(network.vpcId)?.id;
    expect(await call('SetSecurityGroups', { LoadBalancerArn: balancerArn, SecurityGroups: [usual] })).toEqual({
      SecurityGroupIds: [usual],
    });
    expect(await refusal('SetSecurityGroups', { LoadBalancerArn: balancerArn, SecurityGroups: ['sg-1'] })).toContain(
      'InvalidSecurityGroup',
    );
    expect(await call('SetIpAddressType', { LoadBalancerArn: balancerArn, IpAddressType: 'ipv4' })).toEqual({
      IpAddressType: 'ipv4',
    });
    expect(await refusal('SetIpAddressType', { LoadBalancerArn: balancerArn, IpAddressType: 'dualstack' })).toContain(
      'not supported',
    );
  });

  test('what is not there is said in the words of its kind', async () => {
    const { refusal, balancerArn } = await openWeb();
    const other = `${balancerArn.slice(0, -16)}0000000000000000`;
    expect(await refusal('DescribeLoadBalancers', { LoadBalancerArns: [other] })).toBe(
      'LoadBalancerNotFound: One or more load balancers not found',
    );
    expect(await refusal('DescribeLoadBalancers', { Names: ['none'] })).toContain('LoadBalancerNotFound');
    expect(await refusal('DescribeLoadBalancerAttributes', { LoadBalancerArn: other })).toBe(
      'LoadBalancerNotFound: The specified load balancer does not exist.',
    );
    expect(await refusal('DescribeLoadBalancerAttributes', { LoadBalancerArn: 'web' })).toBe(
      "ValidationError: 'web' is not a valid ARN",
    );
    expect(await refusal('DescribeListeners', {})).toContain('ValidationError');
    expect(await refusal('DescribeLoadBalancers', {}, '111111111111').catch(String)).toContain('was not refused');
  });

  test('an account of limits, policies and what is reserved', async () => {
    const { call, refusal, balancerArn } = await openWeb();
    const { Limits } = await call('DescribeAccountLimits');
    expect(Limits).toContainEqual({ Name: 'application-load-balancers', Max: '50' });
    expect(await call('DescribeCapacityReservation', { LoadBalancerArn: balancerArn })).toEqual({
      CapacityReservationState: [],
    });
    const { SslPolicies } = await call('DescribeSSLPolicies', { Names: ['ELBSecurityPolicy-TLS13-1-2-2021-06'] });
    expect(SslPolicies).toMatchObject([{ SslProtocols: ['TLSv1.2', 'TLSv1.3'] }]);
    expect(await refusal('DescribeSSLPolicies', { Names: ['none'] })).toContain('SSLPolicyNotFound');
  });

  test('lists come in pages, and a marker is good for its list alone', async () => {
    const { call, refusal, network } = await openBalancing();
    for (const Name of ['c', 'a', 'b']) await call('CreateLoadBalancer', { Name, Subnets: network.subnets });
    const names = (page: { LoadBalancers: { LoadBalancerName: string }[] }): string[] =>
      page.LoadBalancers.map(({ LoadBalancerName }) => LoadBalancerName);
    const first = await call('DescribeLoadBalancers', { PageSize: 2 });
    expect(names(first)).toEqual(['a', 'b']);
    const second = await call('DescribeLoadBalancers', { PageSize: 2, Marker: first.NextMarker });
    expect([names(second), second.NextMarker]).toEqual([['c'], undefined]);
    expect(await refusal('DescribeTargetGroups', { Marker: first.NextMarker })).toContain('ValidationError');
    expect(await refusal('DescribeLoadBalancers', { PageSize: 401 })).toContain('ValidationError');
  });

  test('there are fifty of each type at most', async () => {
    const { balancers, call, refusal, network } = await openBalancing();
    await balancers.change('000000000000', (draft) => {
      for (let at = 0; at < 50; at++)
        draft.put('loadbalancer', {
          id: draft.newId(),
          name: `n${at}`,
          type: 'application',
          scheme: 'internal',
          vpcId: network.vpcId,
          subnets: [],
          securityGroups: [],
          address: '127.42.0.1',
          dnsName: 'x',
          createdAt: 0,
          attributes: {},
          tags: {},
        });
    });
    expect(await refusal('CreateLoadBalancer', { Name: 'more', Subnets: network.subnets })).toContain(
      'TooManyLoadBalancers',
    );
    await call('CreateLoadBalancer', { Name: 'more', Subnets: network.subnets, Type: 'network' });
  });
});

describe('attributes', () => {
  test('all are there, with what they usually are', async () => {
    const { call, balancerArn, groupArn, listenerArn } = await openWeb();
    const of = async (noun: string, arn: string): Promise<Record<string, string>> => {
      const { Attributes } = await call(`Describe${noun}Attributes`, { [`${noun}Arn`]: arn });
      return Object.fromEntries(Attributes.map(({ Key, Value }: { Key: string; Value: string }) => [Key, Value]));
    };
    expect(await of('LoadBalancer', balancerArn)).toEqual({
      'deletion_protection.enabled': 'false',
      'load_balancing.cross_zone.enabled': 'true',
      'access_logs.s3.enabled': 'false',
      'access_logs.s3.bucket': '',
      'access_logs.s3.prefix': '',
      'connection_logs.s3.enabled': 'false',
      'connection_logs.s3.bucket': '',
      'connection_logs.s3.prefix': '',
      'health_check_logs.s3.enabled': 'false',
      'health_check_logs.s3.bucket': '',
      'health_check_logs.s3.prefix': '',
      'ipv6.deny_all_igw_traffic': 'false',
      'zonal_shift.config.enabled': 'false',
      'idle_timeout.timeout_seconds': '60',
      'client_keep_alive.seconds': '3600',
      'routing.http.desync_mitigation_mode': 'defensive',
      'routing.http.drop_invalid_header_fields.enabled': 'false',
      'routing.http.preserve_host_header.enabled': 'false',
      'routing.http.x_amzn_tls_version_and_cipher_suite.enabled': 'false',
      'routing.http.xff_client_port.enabled': 'false',
      'routing.http.xff_header_processing.mode': 'append',
      'routing.http2.enabled': 'true',
      'waf.fail_open.enabled': 'false',
    });
    expect(await of('TargetGroup', groupArn)).toMatchObject({
      'deregistration_delay.timeout_seconds': '300',
      'stickiness.enabled': 'false',
      'stickiness.type': 'lb_cookie',
      'load_balancing.cross_zone.enabled': 'use_load_balancer_configuration',
      'slow_start.duration_seconds': '0',
    });
    expect(await of('Listener', listenerArn)).toMatchObject({
      'routing.http.response.server.enabled': 'true',
      'routing.http.response.strict_transport_security.header_value': '',
    });
  });

  test.each([
    ['LoadBalancer', 'idle_timeout.timeout_seconds', '4001', 'whole number from 1 to 4000'],
    ['LoadBalancer', 'idle_timeout.timeout_seconds', '1e3', 'whole number from 1 to 4000'],
    ['LoadBalancer', 'routing.http.desync_mitigation_mode', 'monitor', 'use defensive or strictest'],
    ['LoadBalancer', 'access_logs.s3.enabled', 'true', 'Logs are not written to S3'],
    ['LoadBalancer', 'dns_record.client_routing_policy', 'any_availability_zone', 'is not recognized'],
    ['LoadBalancer', 'toString', 'x', 'is not recognized'],
    ['TargetGroup', 'slow_start.duration_seconds', '5', 'whole number from 30 to 900 or 0'],
    ['TargetGroup', 'stickiness.type', 'source_ip', 'Valid values are lb_cookie, app_cookie'],
    ['TargetGroup', 'stickiness.app_cookie.cookie_name', 'AWSALBAPP', 'not begin with AWSALB'],
    ['TargetGroup', 'proxy_protocol_v2.enabled', 'true', 'is not recognized'],
    ['Listener', 'routing.http.response.x_frame_options.header_value', 'a\nb', 'printable ASCII'],
    ['Listener', 'tcp.idle_timeout.seconds', '60', 'is not recognized'],
  ])('%s: %s = %j is refused', async (noun, Key, Value, message) => {
    const world = await openWeb();
    const arn = { LoadBalancer: world.balancerArn, TargetGroup: world.groupArn, Listener: world.listenerArn }[noun];
    const input = { [`${noun}Arn`]: arn, Attributes: [{ Key, Value }] };
    const refusal = await world.refusal(`Modify${noun}Attributes`, input);
    expect(refusal).toMatch(/^ValidationError: /);
    expect(refusal).toContain(message);
  });

  test('what does not go together is refused', async () => {
    const { call, refusal, groupArn } = await openWeb();
    const modify = (attributes: Record<string, string>): object => ({
      TargetGroupArn: groupArn,
      Attributes: Object.entries(attributes).map(([Key, Value]) => ({ Key, Value })),
    });
    await call('ModifyTargetGroupAttributes', modify({ 'slow_start.duration_seconds': '30' }));
    const random = { 'load_balancing.algorithm.type': 'weighted_random' };
    expect(await refusal('ModifyTargetGroupAttributes', modify(random))).toContain('round_robin');
    await call('ModifyTargetGroupAttributes', modify({ ...random, 'slow_start.duration_seconds': '0' }));
    expect(await refusal('ModifyTargetGroupAttributes', modify({ 'stickiness.enabled': 'true' }))).toContain(
      'weighted_random',
    );
    const byApplication = { 'stickiness.enabled': 'true', 'stickiness.type': 'app_cookie' };
    expect(
      await refusal(
        'ModifyTargetGroupAttributes',
        modify({ 'load_balancing.algorithm.type': 'round_robin', ...byApplication }),
      ),
    ).toContain('cookie_name');
  });
});

describe('tags and access', () => {
  test('everything with an ARN has tags', async () => {
    const { call, refusal, balancerArn, groupArn, listenerArn } = await openWeb();
    const ResourceArns = [balancerArn, groupArn, listenerArn];
    await call('AddTags', {
      ResourceArns,
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    });
    await call('RemoveTags', { ResourceArns, TagKeys: ['a'] });
    const { TagDescriptions } = await call('DescribeTags', { ResourceArns });
    expect(TagDescriptions).toEqual(
      ResourceArns.map((ResourceArn) => ({ ResourceArn, Tags: [{ Key: 'b', Value: '2' }] })),
    );
    expect(await refusal('DescribeTags', { ResourceArns: [`${groupArn}0`] })).toContain('TargetGroupNotFound');
    const { Rules } = await call('DescribeRules', { ListenerArn: listenerArn });
    // What belongs to another account is not there, as what it is.
    for (const [arn, code] of [
      [balancerArn, 'LoadBalancerNotFound'],
      [groupArn, 'TargetGroupNotFound'],
      [listenerArn, 'ListenerNotFound'],
      [Rules[0].RuleArn as string, 'RuleNotFound'],
      [`${listenerArn}/more/parts:and/colons`, 'ListenerNotFound'],
      ['arn:aws:elasticloadbalancing:us-east-1:000000000000:truststore/a/b', 'ValidationError'],
    ] as const)
      expect(await refusal('DescribeTags', { ResourceArns: [arn.replace(/:\d{12}:/, ':111111111111:')] })).toContain(
        `${code}: `,
      );
    expect(await refusal('AddTags', { ResourceArns: [Rules[0].RuleArn], Tags: [{ Key: 'a' }] })).toContain(
      'Tags on a default rule',
    );
  });

  test('what a call needs to be allowed', async () => {
    const { access, balancerArn, groupArn } = await openWeb();
    const tail = (arn: string): string => arn.split(':').slice(5).join(':');
    expect(await access('CreateLoadBalancer', { Name: 'x', Tags: [{ Key: 'a' }] })).toEqual([
      'CreateLoadBalancer loadbalancer/app/x/*',
      'AddTags loadbalancer/app/x/*',
    ]);
    expect(
      await access('CreateListener', { LoadBalancerArn: balancerArn, DefaultActions: [{ Type: 'forward' }] }),
    ).toEqual([`CreateListener ${tail(balancerArn)}`]);
    expect(await access('RegisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: 'x' }] })).toEqual([
      `RegisterTargets ${tail(groupArn)}`,
    ]);
    expect(await access('DescribeLoadBalancers')).toEqual(['DescribeLoadBalancers *']);
  });

  test('what is not served says what to do instead', async () => {
    const { refusal } = await openBalancing();
    expect(await refusal('CreateTrustStore')).toBe(
      'InvalidConfigurationRequest: CreateTrustStore is not supported by this installation. Clients are not asked for certificates, so there are no trust stores.',
    );
  });
});
