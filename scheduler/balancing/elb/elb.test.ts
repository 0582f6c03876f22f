import { describe, expect, test } from 'vitest';

import type { DesiredState } from '../../routing/index.ts';
import { certificateId } from '../records/index.ts';
import { openAcm } from '../testing/open-acm.ts';
import { account, openBalancing, openWeb, region, type TestBalancing } from '../testing/open-balancing.ts';
import { desiredState } from '../traffic/index.ts';

const one = 'i-00000000000000001';
const two = 'i-00000000000000002';
const http = { Protocol: 'HTTP', LoadBalancerPort: 80, InstanceProtocol: 'HTTP', InstancePort: 8080 };
const tcp = { Protocol: 'tcp', LoadBalancerPort: 5432, InstancePort: 5432 };

/** A Classic Load Balancer with an HTTP and a TCP listener, and two machines. */
async function openClassic(given?: TestBalancing) {
  const world = given ?? (await openBalancing());
  const { classic, network, instances, balancers, networks } = world;
  for (const [place, id] of [one, two].entries())
    instances.set(id, { address: `10.0.0.${place + 1}`, zone: `${region}a`, running: true });
  const { DNSName } = await classic.call('CreateLoadBalancer', {
    LoadBalancerName: 'old',
    Listeners: [http, tcp],
    Subnets: network.subnets,
    Tags: [{ Key: 'team', Value: 'blue' }],
  });
  const named = { LoadBalancerName: 'old' };
  return {
    ...world,
    named,
    DNSName: DNSName as string,
    register: (...ids: string[]) =>
      classic.call('RegisterInstancesWithLoadBalancer', {
        ...named,
        Instances: ids.map((InstanceId) => ({ InstanceId })),
      }),
    deregister: (...ids: string[]) =>
      classic.call('DeregisterInstancesFromLoadBalancer', {
        ...named,
        Instances: ids.map((InstanceId) => ({ InstanceId })),
      }),
    describe: async () =>
      (await classic.call('DescribeLoadBalancers', { LoadBalancerNames: ['old'] })).LoadBalancerDescriptions[0],
    states: async (): Promise<Record<string, string>> =>
      Object.fromEntries(
        (await classic.call('DescribeInstanceHealth', named)).InstanceStates.map(
          ({ InstanceId, State, ReasonCode }: Record<string, string>) => [InstanceId, `${State} ${ReasonCode}`],
        ),
      ),
    desired: async (certificates: readonly string[] = []): Promise<DesiredState> =>
      desiredState(await balancers.read(account), await networks.read(account), {
        cookieKey: 'key',
        certificates: new Map(certificates.map((arn) => [arn, { id: arn, chain: '', privateKey: '' }])),
      }),
    health: (state: 'healthy' | 'unhealthy') =>
      balancers.change(account, (draft) => {
        for (const target of draft.all('target'))
          draft.put('target', { ...target, health: { state, passed: true, description: 'Request timed out' } });
      }),
  };
}

describe('a Classic Load Balancer', () => {
  test('is described as it was made', async () => {
    const { describe: shown, network, DNSName } = await openClassic();
    expect(await shown()).toMatchObject({
      LoadBalancerName: 'old',
      DNSName,
      Scheme: 'internet-facing',
      Subnets: expect.arrayContaining([...network.subnets]),
      VPCId: network.vpcId,
      Instances: [],
      ListenerDescriptions: [
        { Listener: http, PolicyNames: [] },
        { Listener: { Protocol: 'TCP', InstanceProtocol: 'TCP', LoadBalancerPort: 5432, InstancePort: 5432 } },
      ],
      HealthCheck: { Target: 'TCP:8080', Interval: 30, Timeout: 5, HealthyThreshold: 10, UnhealthyThreshold: 2 },
      SourceSecurityGroup: { OwnerAlias: account, GroupName: 'default' },
    });
  });

  test('is carried as a load balancer with a group for each port of its instances', async () => {
    const { desired, register, health, DNSName } = await openClassic();
    await register(one, two);
    await health('healthy');
    const { listeners, targetGroups } = await desired();
    const own = listeners.filter(({ id }) => !id.startsWith('names-'));
    expect(own.map(({ protocol, port, defaultAction }) => [protocol, port, defaultAction])).toEqual([
      ['HTTP', 80, { kind: 'forward', targetGroups: [{ id: targetGroups[0]?.id, weight: 1 }] }],
      ['TCP', 5432, { kind: 'forward', targetGroups: [{ id: targetGroups[1]?.id, weight: 1 }] }],
    ]);
    expect(own[0]).toMatchObject({ dnsName: DNSName, attributes: { idleTimeout: 60, http2: false } });
    expect(
      targetGroups.map(({ protocol, targets }) => [
        protocol,
        targets.map(({ address, port, state }) => `${address} ${port} ${state}`).toSorted(),
      ]),
    ).toEqual([
      ['HTTP', ['10.0.0.1 8080 up', '10.0.0.2 8080 up']],
      ['TCP', ['10.0.0.1 5432 up', '10.0.0.2 5432 up']],
    ]);
  });

  test('has instances that are in service when every listener reaches them, and that drain', async () => {
    const { register, deregister, states, health, classic, named, desired } = await openClassic();
    await register(one, two);
    expect(await states()).toEqual({ [one]: 'OutOfService ELB', [two]: 'OutOfService ELB' });
    await health('healthy');
    expect(await states()).toEqual({ [one]: 'InService N/A', [two]: 'InService N/A' });
    await health('unhealthy');
    expect(await states()).toEqual({ [one]: 'OutOfService Instance', [two]: 'OutOfService Instance' });
    await classic.call('ModifyLoadBalancerAttributes', {
      ...named,
      LoadBalancerAttributes: { ConnectionDraining: { Enabled: true, Timeout: 60 } },
    });
    expect((await deregister(one)).Instances).toEqual([{ InstanceId: two }]);
    expect((await desired()).targetGroups[0]?.targets.map(({ state }) => state).toSorted()).toContain('draining');
    expect(
      await classic.refusal('DeregisterInstancesFromLoadBalancer', { ...named, Instances: [{ InstanceId: one }] }),
    ).toBe(`InvalidInstance: Could not find EC2 instance ${one}.`);
    // One that comes back is another registration.
    await register(one);
    expect(
      (await classic.call('DescribeInstanceHealth', { ...named, Instances: [{ InstanceId: one }] })).InstanceStates,
    ).toMatchObject([{ State: 'OutOfService', ReasonCode: 'ELB' }]);
  });

  test('checks its instances as it is told', async () => {
    const { classic, named, balancers, refusal: _, ...world } = await openClassic();
    const check = { Target: 'HTTP:8080/up', Interval: 10, Timeout: 3, UnhealthyThreshold: 3, HealthyThreshold: 4 };
    expect((await classic.call('ConfigureHealthCheck', { ...named, HealthCheck: check })).HealthCheck).toEqual(check);
    expect((await world.describe()).HealthCheck).toEqual(check);
    for (const { healthCheck } of (await balancers.read(account)).carried.all('targetgroup'))
      expect(healthCheck).toEqual({
        protocol: 'HTTP',
        port: 8080,
        path: '/up',
        matcher: '200',
        interval: 10,
        timeout: 3,
        unhealthyThreshold: 3,
        healthyThreshold: 4,
      });
  });

  test.each([
    ['HTTP:8080', 'must be HTTP:port/path'],
    ['TCP:0', 'must be HTTP:port/path'],
    ['TCP:65536', 'must be HTTP:port/path'],
    ['TCP:80/up', 'must be HTTP:port/path'],
    ['HTTP:80/a b', 'must be HTTP:port/path'],
    ['HTTP:80/a\r\nX: 1', 'must be HTTP:port/path'],
    ['SSL:443', 'is not supported by this installation'],
    ['', 'must be HTTP:port/path'],
  ])('no health check by %j', async (Target, message) => {
    const { classic, named } = await openClassic();
    const check = { Target, Interval: 10, Timeout: 3, UnhealthyThreshold: 3, HealthyThreshold: 4 };
    expect(await classic.refusal('ConfigureHealthCheck', { ...named, HealthCheck: check })).toContain(message);
  });

  test('has listeners that come and go, with the targets of their ports', async () => {
    const { classic, named, register, describe: shown, balancers, desired } = await openClassic();
    await register(one);
    await classic.call('CreateLoadBalancerListeners', { ...named, Listeners: [{ ...http, LoadBalancerPort: 8081 }] });
    // The same again is nothing new.
    await classic.call('CreateLoadBalancerListeners', { ...named, Listeners: [{ ...http, LoadBalancerPort: 8081 }] });
    expect((await shown()).ListenerDescriptions).toHaveLength(3);
    expect((await desired()).targetGroups).toHaveLength(2);
    expect(
      await classic.refusal('CreateLoadBalancerListeners', {
        ...named,
        Listeners: [{ ...http, LoadBalancerPort: 8081, InstancePort: 9000 }],
      }),
    ).toContain('DuplicateListener: A listener already exists for old with LoadBalancerPort 8081');
    await classic.call('DeleteLoadBalancerListeners', { ...named, LoadBalancerPorts: [5432, 9999] });
    expect((await balancers.read(account)).all('target').map(({ port }) => port)).toEqual([8080]);
    await classic.call('DeleteLoadBalancer', named);
    await classic.call('DeleteLoadBalancer', named);
    expect((await balancers.read(account)).all('target')).toEqual([]);
    expect(await classic.refusal('DescribeLoadBalancers', { LoadBalancerNames: ['old'] })).toBe(
      "LoadBalancerNotFound: There is no ACTIVE Load Balancer named 'old'",
    );
  });

  test('has HTTPS and SSL listeners with certificates, which are in use', async () => {
    const world = await openClassic();
    const { classic, named, addCertificate, desired, describe: shown } = world;
    const [first, second] = [await addCertificate(), await addCertificate()];
    const secure = {
      Protocol: 'HTTPS',
      LoadBalancerPort: 443,
      InstanceProtocol: 'HTTP',
      InstancePort: 8080,
      SSLCertificateId: first,
    };
    await classic.call('CreateLoadBalancerListeners', { ...named, Listeners: [secure] });
    const told = (await desired([first, second])).listeners.find(({ port }) => port === 443);
    expect(told).toMatchObject({ protocol: 'HTTPS', tls: { certificates: [first], versions: ['TLSv1.2'] } });
    const acm = openAcm(world);
    expect(await acm.refusal('DeleteCertificate', { CertificateArn: first })).toContain('ResourceInUseException');
    await classic.call('SetLoadBalancerListenerSSLCertificate', {
      ...named,
      LoadBalancerPort: 443,
      SSLCertificateId: second,
    });
    expect((await shown()).ListenerDescriptions.at(-1).Listener.SSLCertificateId).toBe(second);
    expect((await acm.call('DescribeCertificate', { CertificateArn: second })).Certificate.InUseBy).toEqual([
      `arn:aws:elasticloadbalancing:${region}:${account}:loadbalancer/old`,
    ]);
    await acm.call('DeleteCertificate', { CertificateArn: first });
    expect((await world.balancers.read(account)).get('certificate', certificateId({ region, account }, first))).toBe(
      undefined,
    );
    const refusal = (input: object): Promise<string> =>
      classic.refusal('SetLoadBalancerListenerSSLCertificate', { ...named, ...input });
    expect(await refusal({ LoadBalancerPort: 443, SSLCertificateId: first })).toContain('CertificateNotFound');
    expect(await refusal({ LoadBalancerPort: 80, SSLCertificateId: second })).toContain('InvalidConfigurationRequest');
    expect(await refusal({ LoadBalancerPort: 81, SSLCertificateId: second })).toContain('ListenerNotFound');
  });

  test('that cannot be bound is not there, and says why', async () => {
    const { classic, engines, network, named, describe: shown } = await openClassic();
    engines.unbound.set(81, 'port 81 is in use');
    const input = {
      LoadBalancerName: 'other',
      Listeners: [{ ...http, LoadBalancerPort: 81 }],
      Subnets: network.subnets,
    };
    expect(await classic.refusal('CreateLoadBalancer', input)).toBe(
      'InvalidConfigurationRequest: The listener on port 81 cannot be served: port 81 is in use',
    );
    expect(await classic.refusal('DescribeLoadBalancers', { LoadBalancerNames: ['other'] })).toContain(
      'LoadBalancerNotFound',
    );
    expect(await classic.refusal('CreateLoadBalancerListeners', { ...named, Listeners: input.Listeners })).toContain(
      'port 81 is in use',
    );
    expect((await shown()).ListenerDescriptions).toHaveLength(2);
  });

  test('lies beside the others: names, lists and ports of addresses', async () => {
    const { balancerArn, ...web } = await openWeb();
    const { call, classic, network } = await openClassic(web);
    expect(
      (await call('DescribeLoadBalancers')).LoadBalancers.map(
        (each: { LoadBalancerArn: string }) => each.LoadBalancerArn,
      ),
    ).toEqual([balancerArn]);
    expect((await call('DescribeTargetGroups')).TargetGroups).toHaveLength(1);
    expect((await classic.call('DescribeLoadBalancers')).LoadBalancerDescriptions).toHaveLength(1);
    // Both APIs may have one name.
    await classic.call('CreateLoadBalancer', {
      LoadBalancerName: 'web',
      Listeners: [{ ...http, LoadBalancerPort: 82 }],
      Subnets: network.subnets,
    });
    // Two addresses for three load balancers: the port of an address is one's.
    expect(
      await classic.refusal('CreateLoadBalancerListeners', {
        LoadBalancerName: 'web',
        Listeners: [{ ...http, LoadBalancerPort: 80 }],
      }),
    ).toContain('is taken by');
  });
});

describe('what the classic API does not take', () => {
  const listeners = (given: object) => ({ Listeners: [{ ...http, ...given }] });
  test.each([
    [{ LoadBalancerName: '-x' }, 'ValidationError'],
    [{ LoadBalancerName: 'x'.repeat(33) }, 'ValidationError'],
    [listeners({ Protocol: 'UDP' }), 'UnsupportedProtocol'],
    [listeners({ Protocol: '__proto__' }), 'UnsupportedProtocol'],
    [listeners({ InstanceProtocol: 'TCP' }), 'InvalidConfigurationRequest: Protocol HTTP'],
    [listeners({ LoadBalancerPort: 0 }), 'ValidationError'],
    [listeners({ InstancePort: 65_536 }), 'ValidationError'],
    [listeners({ Protocol: 'HTTPS' }), 'An SSL certificate must be specified'],
    [listeners({ SSLCertificateId: 'x' }), 'An SSL certificate cannot be specified'],
    [
      listeners({
        Protocol: 'SSL',
        InstanceProtocol: 'TCP',
        SSLCertificateId: 'arn:aws:iam::000000000000:server-certificate/x',
      }),
      'CertificateNotFound: Server Certificate not found for the key: arn:aws:iam::000000000000:server-certificate/x',
    ],
    [{ Listeners: [http, http] }, 'DuplicateListener'],
    [{ Listeners: [] }, 'ValidationError'],
    [{ Subnets: [] }, 'ValidationError: Either AvailabilityZones or SubnetIds must be specified'],
    [{ Subnets: ['subnet-1'] }, 'SubnetNotFound'],
    [{ AvailabilityZones: ['us-east-1a'] }, 'Only one of SubnetIds or AvailabilityZones'],
    [{ Subnets: [], AvailabilityZones: ['mars-1a'] }, 'Invalid availability zone'],
    [{ SecurityGroups: ['sg-1'] }, 'InvalidSecurityGroup'],
    [{ Scheme: 'public' }, 'InvalidScheme'],
    [{ Tags: [{ Key: 'aws:x', Value: '' }] }, 'ValidationError'],
  ])('%j', async (given, expected) => {
    const { classic, network, balancers } = await openBalancing();
    const input = { LoadBalancerName: 'old', Listeners: [http], Subnets: network.subnets, ...given };
    expect(await classic.refusal('CreateLoadBalancer', input)).toContain(expected);
    expect((await balancers.read(account)).all('classic')).toEqual([]);
  });

  test('machines that are not there, or do not run', async () => {
    const { register, instances, describe: shown, classic, named } = await openClassic();
    instances.set(two, { address: '10.0.0.2', zone: 'a', running: false });
    for (const id of ['i-00000000000000009', two, 'x'])
      expect(await register(id).catch((error: Error) => error.message)).toBe(`Could not find EC2 instance ${id}.`);
    expect((await shown()).Instances).toEqual([]);
    expect(await classic.refusal('RegisterInstancesWithLoadBalancer', { ...named, Instances: [] })).toContain(
      'ValidationError',
    );
  });

  test.each([
    [{ AccessLog: { Enabled: true, S3BucketName: 'x' } }, 'Logs are not written to S3'],
    [{ CrossZoneLoadBalancing: { Enabled: false } }, 'CrossZoneLoadBalancing'],
    [{ AdditionalAttributes: [{ Key: 'elb.http.desyncmitigationmode', Value: 'monitor' }] }, 'desyncmitigationmode'],
    [{ ConnectionSettings: { IdleTimeout: 0 } }, 'ValidationError'],
    [{ ConnectionDraining: { Enabled: true, Timeout: 3601 } }, 'ValidationError'],
  ])('attributes: %j', async (LoadBalancerAttributes, expected) => {
    const { classic, named } = await openClassic();
    expect(await classic.refusal('ModifyLoadBalancerAttributes', { ...named, LoadBalancerAttributes })).toContain(
      expected,
    );
  });
});

test('attributes and tags are kept, told engines, and shown', async () => {
  const { classic, named, desired } = await openClassic();
  const given = {
    AccessLog: { Enabled: false },
    CrossZoneLoadBalancing: { Enabled: true },
    ConnectionSettings: { IdleTimeout: 7 },
    ConnectionDraining: { Enabled: true, Timeout: 20 },
  };
  await classic.call('ModifyLoadBalancerAttributes', { ...named, LoadBalancerAttributes: given });
  expect((await classic.call('DescribeLoadBalancerAttributes', named)).LoadBalancerAttributes).toMatchObject(given);
  expect((await desired()).listeners.find(({ port }) => port === 5432)).toMatchObject({ idleTimeout: 7 });
  // What is not said of draining stays, as Terraform expects it.
  const only = { LoadBalancerAttributes: { ConnectionDraining: { Enabled: true } } };
  expect(
    (await classic.call('ModifyLoadBalancerAttributes', { ...named, ...only })).LoadBalancerAttributes,
  ).toMatchObject({
    ConnectionDraining: { Enabled: true, Timeout: 20 },
  });
  const names = { LoadBalancerNames: ['old'] };
  await classic.call('AddTags', { ...names, Tags: [{ Key: 'a', Value: 'b' }] });
  await classic.call('RemoveTags', { ...names, Tags: [{ Key: 'team' }] });
  expect((await classic.call('DescribeTags', names)).TagDescriptions).toEqual([
    { LoadBalancerName: 'old', Tags: [{ Key: 'a', Value: 'b' }] },
  ]);
});

test('who may: by the ARN of the name', async () => {
  const { classic } = await openClassic();
  const input = { LoadBalancerName: 'old', Instances: [{ InstanceId: one }] };
  expect(await classic.access('RegisterInstancesWithLoadBalancer', input)).toEqual([
    'RegisterInstancesWithLoadBalancer loadbalancer/old',
  ]);
  expect(await classic.access('DescribeLoadBalancers')).toEqual(['DescribeLoadBalancers *']);
  expect(await classic.refusal('CreateLoadBalancerPolicy')).toContain('Classic Load Balancers have no policies here');
});
