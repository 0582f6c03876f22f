import { describe, expect, test } from 'vitest';

import { account, openBalancing, openWeb, type TestBalancing } from '../testing/open-balancing.ts';
import { desiredState } from '../traffic/index.ts';

const fixed = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', ContentType: 'text/plain' } }];
const host = [{ Field: 'host-header', Values: ['a.example.com'] }];

describe('listeners', () => {
  test('a forward to one group is shown by its ARN and by its config', async () => {
    const { call, balancerArn, groupArn, listenerArn } = await openWeb();
    const expected = [
      {
        ListenerArn: listenerArn,
        LoadBalancerArn: balancerArn,
        Port: 80,
        Protocol: 'HTTP',
        DefaultActions: [
          {
            Type: 'forward',
            TargetGroupArn: groupArn,
            ForwardConfig: {
              TargetGroups: [{ TargetGroupArn: groupArn, Weight: 1 }],
              TargetGroupStickinessConfig: { Enabled: false },
            },
          },
        ],
      },
    ];
    expect((await call('DescribeListeners', { LoadBalancerArn: balancerArn })).Listeners).toEqual(expected);
    expect((await call('DescribeListeners', { ListenerArns: [listenerArn] })).Listeners).toEqual(expected);
  });

  test('one that no engine can bind does not stay, and the caller is told why', async () => {
    const { call, refusal, engines, balancerArn, listenerArn } = await openWeb();
    const why = 'permission denied; see SLIPWAY_LB_ADDRESSES';
    engines.unbound.set(81, why);
    const input = { LoadBalancerArn: balancerArn, Protocol: 'HTTP', Port: 81, DefaultActions: fixed };
    expect(await refusal('CreateListener', input)).toBe(
      `InvalidConfigurationRequest: The listener on port 81 cannot be served: ${why}`,
    );
    expect(await refusal('ModifyListener', { ListenerArn: listenerArn, Port: 81 })).toContain(why);
    expect((await call('DescribeListeners', { LoadBalancerArn: balancerArn })).Listeners).toMatchObject([{ Port: 80 }]);
    engines.unbound.clear();
    engines.silent = 'no traffic engine runs';
    expect(await refusal('CreateListener', input)).toContain('no traffic engine runs');
    engines.silent = undefined;
    await call('CreateListener', input);
  });

  test('the same request again answers with what is there, another one for the port does not', async () => {
    const { call, refusal, balancerArn, groupArn, listenerArn } = await openWeb();
    const input = { LoadBalancerArn: balancerArn, Protocol: 'HTTP', Port: 80 };
    const forward = [{ Type: 'forward', TargetGroupArn: groupArn }];
    const again = await call('CreateListener', { ...input, DefaultActions: forward });
    expect(again.Listeners[0].ListenerArn).toBe(listenerArn);
    expect(await refusal('CreateListener', { ...input, DefaultActions: fixed })).toBe(
      'DuplicateListener: A listener with the specified port already exists.',
    );
  });

  test('certificates: a default one, others by name', async () => {
    const { call, refusal, addCertificate, balancerArn, listenerArn } = await openWeb();
    const [a, b] = [await addCertificate(), await addCertificate()];
    const input = { LoadBalancerArn: balancerArn, Protocol: 'HTTPS', Port: 443, DefaultActions: fixed };
    expect(await refusal('CreateListener', input)).toContain('A certificate must be specified');
    expect(await refusal('CreateListener', { ...input, Certificates: [{ CertificateArn: 'c' }] })).toBe(
      "CertificateNotFound: Certificate 'c' not found",
    );
    const iams = [{ CertificateArn: 'arn:aws:iam::000000000000:server-certificate/x' }];
    expect(await refusal('CreateListener', { ...input, Certificates: iams })).toBe(
      "CertificateNotFound: Certificate 'arn:aws:iam::000000000000:server-certificate/x' not found",
    );
    const { Listeners } = await call('CreateListener', { ...input, Certificates: [{ CertificateArn: a }] });
    expect(Listeners).toMatchObject([
      { SslPolicy: 'ELBSecurityPolicy-2016-08', Certificates: [{ CertificateArn: a }] },
    ]);
    const [{ ListenerArn }] = Listeners;
    await call('AddListenerCertificates', { ListenerArn, Certificates: [{ CertificateArn: b }] });
    expect((await call('DescribeListenerCertificates', { ListenerArn })).Certificates).toEqual([
      { CertificateArn: a, IsDefault: true },
      { CertificateArn: b, IsDefault: false },
    ]);
    expect(
      await refusal('RemoveListenerCertificates', { ListenerArn, Certificates: [{ CertificateArn: a }] }),
    ).toContain('OperationNotPermitted');
    await call('RemoveListenerCertificates', { ListenerArn, Certificates: [{ CertificateArn: b }] });
    await call('ModifyListener', { ListenerArn, SslPolicy: 'ELBSecurityPolicy-TLS13-1-3-2021-06' });
    expect((await call('DescribeListeners', { ListenerArns: [ListenerArn] })).Listeners).toMatchObject([
      { SslPolicy: 'ELBSecurityPolicy-TLS13-1-3-2021-06', Certificates: [{ CertificateArn: a }] },
    ]);
    const onHttp = { ListenerArn: listenerArn, Certificates: [{ CertificateArn: a }] };
    expect(await refusal('AddListenerCertificates', onHttp)).toContain('ValidationError');
  });

  test('TLS listeners have an ALPN policy, which is told engines with the ciphers of the SSL policy', async () => {
    const { call, refusal, network, addCertificate, balancers, networks, balancerArn } = await openWeb();
    const [{ LoadBalancerArn }] = (
      await call('CreateLoadBalancer', { Name: 'tls', Type: 'network', Subnets: network.subnets })
    ).LoadBalancers;
    const group = { Name: 'tls', Protocol: 'TCP', Port: 1, VpcId: network.vpcId, TargetType: 'ip' };
    const [{ TargetGroupArn }] = (await call('CreateTargetGroup', group)).TargetGroups;
    const arn = await addCertificate();
    const input = {
      LoadBalancerArn,
      Protocol: 'TLS',
      Port: 443,
      SslPolicy: 'ELBSecurityPolicy-FS-1-2-Res-2020-10',
      Certificates: [{ CertificateArn: arn }],
      DefaultActions: [{ Type: 'forward', TargetGroupArn }],
    };
    expect(await refusal('CreateListener', { ...input, AlpnPolicy: ['HTTP3'] })).toContain('ALPNPolicyNotFound');
    expect(await refusal('CreateListener', { ...input, AlpnPolicy: ['None', 'HTTP1Only'] })).toContain('Only one');
    expect(await refusal('CreateListener', { ...input, AlpnPolicy: ['__proto__'] })).toContain('ALPNPolicyNotFound');
    expect(
      await refusal('CreateListener', {
        ...input,
        LoadBalancerArn: balancerArn,
        Protocol: 'HTTPS',
        AlpnPolicy: ['None'],
      }),
    ).toContain("An ALPN policy cannot be specified for listeners with protocol 'HTTPS'");
    const [{ ListenerArn }] = (await call('CreateListener', { ...input, AlpnPolicy: ['HTTP2Preferred'] })).Listeners;
    const told = async () =>
      desiredState(await balancers.read(account), await networks.read(account), {
        cookieKey: 'key',
        certificates: new Map([[arn, { id: arn, chain: '', privateKey: '' }]]),
      }).listeners.find(({ port }) => port === 443);
    expect((await told())?.tls).toEqual({
      certificates: [arn],
      versions: ['TLSv1.2'],
      ciphers: [
        'ECDHE-ECDSA-AES128-GCM-SHA256',
        'ECDHE-RSA-AES128-GCM-SHA256',
        'ECDHE-ECDSA-AES256-GCM-SHA384',
        'ECDHE-RSA-AES256-GCM-SHA384',
      ],
      alpn: ['h2', 'http/1.1', 'http/1.0'],
    });
    // What is not named stays, as long as the protocol has it.
    await call('ModifyListener', { ListenerArn, Protocol: 'TLS', SslPolicy: 'ELBSecurityPolicy-TLS13-1-3-2021-06' });
    expect((await told())?.tls).toMatchObject({ versions: ['TLSv1.3'], ciphers: [], alpn: { length: 3 } });
    const { Listeners } = await call('ModifyListener', { ListenerArn, Protocol: 'TCP' });
    expect(Listeners[0]).not.toHaveProperty('AlpnPolicy');
    expect(Listeners[0]).not.toHaveProperty('SslPolicy');
    expect(await told()).not.toHaveProperty('tls');
  });

  test('SSL policies are described with what they mean', async () => {
    const { call, refusal } = await openWeb();
    const { SslPolicies } = await call('DescribeSSLPolicies', {});
    expect(SslPolicies).toHaveLength(11);
    const [tls13] = (await call('DescribeSSLPolicies', { Names: ['ELBSecurityPolicy-TLS13-1-3-2021-06'] })).SslPolicies;
    expect([tls13.SslProtocols, tls13.Ciphers.length]).toEqual([['TLSv1.3'], 3]);
    expect((await call('DescribeSSLPolicies', { LoadBalancerType: 'gateway' })).SslPolicies).toEqual([]);
    expect(await refusal('DescribeSSLPolicies', { Names: ['ELBSecurityPolicy-TLS-1-0-2015-04'] })).toContain(
      'SSLPolicyNotFound',
    );
  });

  test('a network load balancer has TCP listeners, which forward', async () => {
    const { call, refusal, network, groupArn } = await openWeb();
    const { LoadBalancers } = await call('CreateLoadBalancer', {
      Name: 'tcp',
      Type: 'network',
      Subnets: network.subnets,
    });
    const [{ LoadBalancerArn }] = LoadBalancers;
    expect(LoadBalancerArn).toContain(':loadbalancer/net/tcp/');
    const create = { Name: 'tcp', Protocol: 'TCP', Port: 5432, VpcId: network.vpcId, TargetType: 'ip' };
    const [group] = (await call('CreateTargetGroup', create)).TargetGroups;
    const input = { LoadBalancerArn, Protocol: 'TCP', Port: 5432 };
    const forward = [{ Type: 'forward', TargetGroupArn: group.TargetGroupArn }];
    expect(await refusal('CreateListener', { ...input, DefaultActions: fixed })).toContain('InvalidLoadBalancerAction');
    expect(
      await refusal('CreateListener', { ...input, DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }] }),
    ).toContain('IncompatibleProtocols');
    expect(await refusal('CreateListener', { ...input, Protocol: 'UDP', DefaultActions: forward })).toContain(
      'UnsupportedProtocol',
    );
    const [listener] = (await call('CreateListener', { ...input, DefaultActions: forward })).Listeners;
    expect(listener.ListenerArn).toContain(':listener/net/tcp/');
    const { Attributes } = await call('DescribeListenerAttributes', { ListenerArn: listener.ListenerArn });
    expect(Attributes).toEqual([{ Key: 'tcp.idle_timeout.seconds', Value: '350' }]);
    const rule = { ListenerArn: listener.ListenerArn, Priority: 1, Conditions: host, Actions: forward };
    expect(await refusal('CreateRule', rule)).toContain('UnsupportedProtocol');
  });

  test('a group belongs to one load balancer', async () => {
    const { call, refusal, network, groupArn } = await openWeb();
    const { LoadBalancers } = await call('CreateLoadBalancer', { Name: 'other', Subnets: network.subnets });
    const listener = {
      LoadBalancerArn: LoadBalancers[0].LoadBalancerArn,
      Protocol: 'HTTP',
      Port: 81,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
    };
    expect(await refusal('CreateListener', listener)).toBe(
      `TargetGroupAssociationLimit: The following target groups cannot be associated with more than one load balancer: ${groupArn}`,
    );
    expect(await refusal('DeleteTargetGroup', { TargetGroupArn: groupArn })).toBe(
      `ResourceInUse: Target group '${groupArn}' is currently in use by a listener or a rule`,
    );
  });
});

const redirect = (config: object): object[] => [
  { Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_301', ...config } },
];
const response = (config: object): object[] => [
  { Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', ...config } },
];

describe('actions', () => {
  test('a redirect is shown with all of its members', async () => {
    const { call, listenerArn } = await openWeb();
    const { Listeners } = await call('ModifyListener', {
      ListenerArn: listenerArn,
      DefaultActions: redirect({ Protocol: 'HTTPS', Port: '443' }),
    });
    expect(Listeners[0].DefaultActions).toEqual([
      {
        Type: 'redirect',
        RedirectConfig: {
          Protocol: 'HTTPS',
          Port: '443',
          Host: '#{host}',
          Path: '/#{path}',
          Query: '#{query}',
          StatusCode: 'HTTP_301',
        },
      },
    ]);
  });

  test.each([
    [[], 'ValidationError: Actions must be specified'],
    [[{ Type: 'teleport' }], 'InvalidLoadBalancerAction'],
    [[{ Type: 'constructor' }], "InvalidLoadBalancerAction: 'constructor' is not a type of action"],
    [[{ Type: 'authenticate-oidc' }], 'InvalidLoadBalancerAction: Actions of type authenticate-oidc are not supported'],
    [[{ Type: 'jwt-validation', JwtValidationConfig: { Issuer: 'x' } }], 'JwtValidationConfig is not supported'],
    [[...fixed, ...fixed], 'Exactly one action'],
    [[{ Type: 'forward' }], 'A forward action must specify a target group'],
    [[{ Type: 'forward', TargetGroupArn: 'x' }], "'x' is not a valid ARN"],
    [redirect({}), 'InvalidLoadBalancerAction: Invalid URL'],
    [redirect({ Port: '0' }), 'port of a redirect'],
    [redirect({ Port: '443', StatusCode: 'HTTP_307' }), 'HTTP_301 or HTTP_302'],
    [redirect({ Path: 'x' }), "must start with '/'"],
    [redirect({ Host: 'a b' }), 'characters that are not allowed'],
    [redirect({ Host: '#{nothing}' }), 'is not a keyword'],
    [redirect({ Host: 'a\r\nb' }), 'characters that are not allowed'],
    [response({ StatusCode: '302' }), '2xx, 4xx or 5xx'],
    [response({ ContentType: 'image/png' }), 'content type'],
    [response({ MessageBody: 'x'.repeat(1025) }), 'up to 1024'],
  ])('%j is refused: %s', async (DefaultActions, message) => {
    const { refusal, balancerArn } = await openWeb();
    const input = { LoadBalancerArn: balancerArn, Protocol: 'HTTP', Port: 90, DefaultActions };
    expect(await refusal('CreateListener', input)).toContain(message);
  });

  test('shares of several groups', async () => {
    const { call, refusal, network, groupArn, listenerArn } = await openWeb();
    const others: string[] = [];
    for (const Name of ['b', 'c', 'd', 'e', 'f']) {
      const input = { Name, Protocol: 'HTTP', Port: 80, VpcId: network.vpcId, TargetType: 'ip' };
      others.push((await call('CreateTargetGroup', input)).TargetGroups[0].TargetGroupArn);
    }
    const forward = (groups: object[], sticky?: object): object => ({
      ListenerArn: listenerArn,
      DefaultActions: [
        {
          Type: 'forward',
          ForwardConfig: {
            TargetGroups: groups,
            ...(sticky === undefined ? {} : { TargetGroupStickinessConfig: sticky }),
          },
        },
      ],
    });
    const share = (TargetGroupArn: string | undefined, Weight: number): object => ({ TargetGroupArn, Weight });
    const two = [share(groupArn, 90), share(others[0], 10)];
    const { Listeners } = await call('ModifyListener', forward(two, { Enabled: true, DurationSeconds: 60 }));
    expect(Listeners[0].DefaultActions[0]).toEqual({
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: two,
        TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 60 },
      },
    });
    const six = [groupArn, ...others].map((arn) => share(arn, 1));
    expect(await refusal('ModifyListener', forward(six))).toContain('up to 5 target groups');
    expect(await refusal('ModifyListener', forward([share(groupArn, 1000)]))).toContain('between 0 and 999');
    expect(await refusal('ModifyListener', forward([share(groupArn, 1), share(groupArn, 2)]))).toContain('only once');
    expect(await refusal('ModifyListener', forward(two, { Enabled: true }))).toContain('duration must be specified');
    expect(await refusal('ModifyListener', forward(two, { Enabled: true, DurationSeconds: 0 }))).toContain('604800');
  });
});

describe('rules', () => {
  const openRules = async () => {
    const world = await openWeb();
    const { call, refusal, listenerArn } = world;
    const input = (given: object): object => ({
      ListenerArn: listenerArn,
      Priority: 10,
      Conditions: host,
      Actions: fixed,
      ...given,
    });
    return {
      ...world,
      create: async (given: object = {}) => (await call('CreateRule', input(given))).Rules[0],
      refused: (given: object) => refusal('CreateRule', input(given)),
      priorities: async () =>
        (await call('DescribeRules', { ListenerArn: listenerArn })).Rules.map(
          ({ Priority }: { Priority: string }) => Priority,
        ),
    };
  };

  test('all six conditions are read back as they were given', async () => {
    const { create } = await openRules();
    const conditions = [
      { Field: 'host-header', HostHeaderConfig: { Values: ['*.example.com'] } },
      { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'X-A', Values: ['1'] } },
      { Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['GET'] } },
      { Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.0/8'] } },
      { Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'k', Value: 'v' }] } },
    ];
    const rule = await create({ Conditions: conditions });
    expect(rule.RuleArn).toMatch(/:listener-rule\/app\/web\/[0-9a-f]{16}\/[0-9a-f]{16}\/[0-9a-f]{16}$/);
    expect(rule).toMatchObject({ Priority: '10', IsDefault: false });
    expect(rule.Conditions).toEqual([
      { Field: 'host-header', Values: ['*.example.com'], HostHeaderConfig: { Values: ['*.example.com'] } },
      ...conditions.slice(1),
    ]);
    const path = { Field: 'path-pattern', Values: ['/a/*', '/b'] };
    expect((await create({ Priority: 11, Conditions: [path] })).Conditions).toEqual([
      { ...path, PathPatternConfig: { Values: path.Values } },
    ]);
    const regex = { Field: 'path-pattern', PathPatternConfig: { RegexValues: ['^/v[0-9]+/'] } };
    expect((await create({ Priority: 12, Conditions: [regex] })).Conditions).toEqual([
      { Field: 'path-pattern', RegexValues: ['^/v[0-9]+/'], PathPatternConfig: { RegexValues: ['^/v[0-9]+/'] } },
    ]);
  });

  test('they are listed by priority, the default rule last', async () => {
    const { call, create, priorities, listenerArn } = await openRules();
    for (const Priority of [100, 9, 50_000]) await create({ Priority });
    expect(await priorities()).toEqual(['9', '100', '50000', 'default']);
    const { Rules } = await call('DescribeRules', { ListenerArn: listenerArn });
    expect(Rules.at(-1)).toMatchObject({ IsDefault: true, Conditions: [], Actions: [{ Type: 'forward' }] });
    expect((await call('DescribeRules', { RuleArns: [Rules.at(-1).RuleArn] })).Rules).toEqual([Rules.at(-1)]);
  });

  test('priorities change places at once, and are never shared', async () => {
    const { call, refusal, create, priorities } = await openRules();
    const [a, b] = [await create({ Priority: 1 }), await create({ Priority: 2 })];
    const swap = [
      { RuleArn: a.RuleArn, Priority: 2 },
      { RuleArn: b.RuleArn, Priority: 1 },
    ];
    const { Rules } = await call('SetRulePriorities', { RulePriorities: swap });
    expect(Rules.map(({ Priority }: { Priority: string }) => Priority)).toEqual(['2', '1']);
    expect(await refusal('SetRulePriorities', { RulePriorities: [{ RuleArn: a.RuleArn, Priority: 1 }] })).toBe(
      'PriorityInUse: The specified priority is in use.',
    );
    expect(await priorities()).toEqual(['1', '2', 'default']);
  });

  test('the same request again answers with what is there, another one for the priority does not', async () => {
    const { create, refused } = await openRules();
    const first = await create();
    expect((await create()).RuleArn).toBe(first.RuleArn);
    expect(await refused({ Conditions: [{ Field: 'path-pattern', Values: ['/'] }] })).toContain('PriorityInUse');
  });

  test('they are changed and removed, and the default rule is neither', async () => {
    const { call, refusal, create, listenerArn, priorities } = await openRules();
    const { RuleArn } = await create();
    const { Rules } = await call('ModifyRule', { RuleArn, Conditions: [{ Field: 'path-pattern', Values: ['/x'] }] });
    expect(Rules).toMatchObject([{ Conditions: [{ Values: ['/x'] }], Actions: [{ Type: 'fixed-response' }] }]);
    await call('DeleteRule', { RuleArn });
    expect(await refusal('DeleteRule', { RuleArn })).toBe('RuleNotFound: One or more rules not found');
    const all = (await call('DescribeRules', { ListenerArn: listenerArn })).Rules;
    const usual = { RuleArn: all[0].RuleArn };
    expect(await refusal('DeleteRule', usual)).toContain('OperationNotPermitted');
    expect(await refusal('ModifyRule', usual)).toContain('OperationNotPermitted');
    expect(await priorities()).toEqual(['default']);
  });

  const path = (...Values: string[]): object => ({ Field: 'path-pattern', Values });
  test.each([
    [[], 'A condition must be specified'],
    [[{ Field: 'moon-phase', Values: ['full'] }], "Condition field 'moon-phase' must be one of"],
    [[path()], 'A condition value must be specified'],
    [[path('/a', '/b', '/c', '/d')], "can only have '3' values"],
    [[path('/a'), path('/b')], "A rule can only have one 'path-pattern' condition"],
    [[path('/*/*/*'), { Field: 'host-header', Values: ['*.a.*', '?.b'] }], "'5' condition wildcards"],
    [[path('/a b')], 'is not a path'],
    [[path(`/${'a'.repeat(128)}`)], 'up to 128 characters'],
    [[{ Field: 'host-header', Values: ['localhost'] }], "must contain a '.'"],
    [[{ Field: 'host-header', Values: ['a.b\r\n'] }], 'is not a host name'],
    [
      [{ Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'a b', Values: ['x'] } }],
      'not the name of a header',
    ],
    [[{ Field: 'http-header', Values: ['x'] }], 'Values can only be specified'],
    [[{ Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['get'] } }], 'a method in capitals'],
    [[{ Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.1'] } }], 'is not a CIDR block'],
    [[{ Field: 'source-ip', SourceIpConfig: { Values: ['::/0'] } }], 'IPv6 range'],
    [[{ Field: 'path-pattern', PathPatternConfig: { RegexValues: ['(a)\\1'] } }], 'regular expression'],
    [[{ ...path('/'), HostHeaderConfig: { Values: ['a.b'] } }], 'HostHeaderConfig cannot be specified'],
  ])('the conditions %j are refused: %s', async (Conditions, message) => {
    const { refused } = await openRules();
    const refusal = await refused({ Conditions });
    expect(refusal).toMatch(/^(?:ValidationError|InvalidConfigurationRequest): /);
    expect(refusal).toContain(message);
  });

  test('priorities are from 1 to 50,000, and a load balancer has a hundred rules', async () => {
    const { refused, balancers } = await openRules();
    expect(await refused({ Priority: 0 })).toContain('ValidationError');
    expect(await refused({ Priority: 50_001 })).toContain('ValidationError');
    await balancers.change('000000000000', (draft) => {
      const [listener] = draft.all('listener');
      if (listener === undefined) throw new Error('there is no listener');
      const action = { type: 'fixed-response', status: 200 } as const;
      for (let priority = 100; priority < 200; priority++)
        draft.put('listener-rule', {
          id: draft.newId(),
          listenerId: listener.id,
          priority,
          conditions: [],
          action,
          tags: {},
        });
    });
    expect(await refused({})).toContain('TooManyRules');
  });
});

test('two servers see each other, and changes at once are all made', async () => {
  const one: TestBalancing = await openBalancing();
  const other: TestBalancing = await openBalancing(one.records);
  const { subnets } = one.network;
  const names = Array.from({ length: 12 }, (_, at) => `n${at}`);
  await Promise.all(
    names.map((Name, at) => (at % 2 === 0 ? one : other).call('CreateLoadBalancer', { Name, Subnets: subnets })),
  );
  for (const { call } of [one, other]) {
    const { LoadBalancers } = await call('DescribeLoadBalancers');
    expect(LoadBalancers.map((each: { LoadBalancerName: string }) => each.LoadBalancerName)).toEqual(names.toSorted());
  }
});
