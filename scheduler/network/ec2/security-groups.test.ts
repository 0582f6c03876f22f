import { beforeEach, describe, expect, test } from 'vitest';

import { type Answer, openNetworks, type TestNetworks } from '../testing/open-networks.ts';

let api: TestNetworks;
let VpcId: string;
let GroupId: string;

beforeEach(async () => {
  api = openNetworks();
  ({
    Vpc: { VpcId },
  } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' }));
  ({ GroupId } = await api.call('CreateSecurityGroup', { GroupName: 'web', Description: 'the web', VpcId }));
});

const http = { IpProtocol: 'tcp', FromPort: 80, ToPort: 80 };
const from = (CidrIp: string, Description?: string): object => ({
  ...http,
  IpRanges: [{ CidrIp, ...(Description === undefined ? {} : { Description }) }],
});
const group = async (id = GroupId): Promise<Answer> =>
  (await api.call('DescribeSecurityGroups', { GroupIds: [id] })).SecurityGroups[0];

describe('groups', () => {
  test('a new one lets everything out and nothing in', async () => {
    expect(await group()).toMatchObject({
      GroupName: 'web',
      VpcId,
      IpPermissions: [],
      IpPermissionsEgress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
    });
  });

  test.each([
    ['a name that is taken', { GroupName: 'web', Description: 'x' }, /^InvalidGroup.Duplicate/],
    ['the name default', { GroupName: 'default', Description: 'x' }, /^InvalidParameterValue: Cannot use reserved/],
    ['a name like an id', { GroupName: 'sg-1', Description: 'x' }, /^InvalidParameterValue/],
    ['letters beyond ASCII', { GroupName: 'x', Description: 'ä' }, /^InvalidParameterValue/],
    ['a VPC that is not there', { GroupName: 'x', Description: 'x', VpcId: 'vpc-1' }, /^InvalidVpcID.NotFound/],
  ])('CreateSecurityGroup refuses %s', async (_what, input, message) => {
    expect(await api.refusal('CreateSecurityGroup', { VpcId, ...input })).toMatch(message);
  });

  test('the same name may be had in another VPC, and without one the default VPC is meant', async () => {
    const { GroupId: other } = await api.call('CreateSecurityGroup', { GroupName: 'web', Description: 'x' });
    const { SecurityGroups } = await api.call('DescribeSecurityGroups', { GroupNames: ['web'] });
    expect(SecurityGroups.map(({ GroupId: id }: Answer) => id)).toEqual([other]);
  });

  test('cannot go while another one refers to it; the default one never can', async () => {
    const { GroupId: other } = await api.call('CreateSecurityGroup', { GroupName: 'db', Description: 'x', VpcId });
    const IpPermissions = [{ ...http, UserIdGroupPairs: [{ GroupId }] }];
    await api.call('AuthorizeSecurityGroupIngress', { GroupId: other, IpPermissions });
    expect(await api.refusal('DeleteSecurityGroup', { GroupId })).toMatch(/^DependencyViolation: resource sg-/);
    await api.call('RevokeSecurityGroupIngress', { GroupId: other, IpPermissions });
    await api.call('DeleteSecurityGroup', { GroupId });
    expect(await api.refusal('DeleteSecurityGroup', { GroupId })).toMatch(/^InvalidGroup.NotFound/);
    const { SecurityGroups } = await api.call('DescribeSecurityGroups', {
      Filters: [{ Name: 'group-name', Values: ['default'] }],
    });
    expect(await api.refusal('DeleteSecurityGroup', { GroupId: SecurityGroups[0].GroupId })).toMatch(/^CannotDelete/);
  });
});

describe('rules', () => {
  test('read back as rules and gathered as permissions', async () => {
    const IpPermissions = [
      { ...http, IpRanges: [{ CidrIp: '10.9.8.7/8', Description: 'inside' }, { CidrIp: '192.168.0.0/16' }] },
      { IpProtocol: '6', FromPort: 80, ToPort: 80, Ipv6Ranges: [{ CidrIpv6: '::/0' }] },
      { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId }] },
    ];
    const TagSpecifications = [{ ResourceType: 'security-group-rule', Tags: [{ Key: 'a', Value: 'b' }] }];
    const made = await api.call('AuthorizeSecurityGroupIngress', { GroupId, IpPermissions, TagSpecifications });
    expect(made.SecurityGroupRules).toMatchObject([
      { CidrIpv4: '10.0.0.0/8', IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IsEgress: false, Description: 'inside' },
      { CidrIpv4: '192.168.0.0/16', Tags: [{ Key: 'a', Value: 'b' }] },
      { CidrIpv6: '::/0' },
      { IpProtocol: '-1', FromPort: -1, ToPort: -1, ReferencedGroupInfo: { GroupId } },
    ]);
    const { SecurityGroupRules } = await api.call('DescribeSecurityGroupRules', {
      Filters: [{ Name: 'group-id', Values: [GroupId] }],
    });
    expect(SecurityGroupRules).toHaveLength(5);
    const gathered = (await group()).IpPermissions;
    expect(gathered).toHaveLength(2);
    const web = gathered.find((one: Answer) => one.IpProtocol === 'tcp');
    expect(web).toMatchObject({ ...http, Ipv6Ranges: [{ CidrIpv6: '::/0' }] });
    expect(web.IpRanges.toSorted((a: Answer, b: Answer) => (a.CidrIp < b.CidrIp ? -1 : 1))).toEqual([
      { CidrIp: '10.0.0.0/8', Description: 'inside' },
      { CidrIp: '192.168.0.0/16' },
    ]);
    expect(gathered.find((one: Answer) => one.IpProtocol === '-1')).toMatchObject({ UserIdGroupPairs: [{ GroupId }] });
  });

  test('what DescribeSecurityGroups shows can be revoked as it is', async () => {
    await api.call('AuthorizeSecurityGroupIngress', {
      GroupId,
      IpPermissions: [from('10.0.0.0/8', 'x'), { IpProtocol: 'icmp', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
    });
    const { IpPermissions, IpPermissionsEgress } = await group();
    await api.call('RevokeSecurityGroupIngress', { GroupId, IpPermissions });
    await api.call('RevokeSecurityGroupEgress', { GroupId, IpPermissions: IpPermissionsEgress });
    expect(await group()).toMatchObject({ IpPermissions: [], IpPermissionsEgress: [] });
    expect(await api.refusal('RevokeSecurityGroupIngress', { GroupId, IpPermissions: [from('10.0.0.0/8')] })).toMatch(
      /^InvalidPermission.NotFound/,
    );
  });

  test('rules are revoked by their ids, of the right direction', async () => {
    const { SecurityGroupRules } = await api.call('DescribeSecurityGroupRules', {
      Filters: [{ Name: 'group-id', Values: [GroupId] }],
    });
    const SecurityGroupRuleIds = [SecurityGroupRules[0].SecurityGroupRuleId];
    expect(await api.refusal('RevokeSecurityGroupIngress', { GroupId, SecurityGroupRuleIds })).toMatch(
      /^InvalidSecurityGroupRuleId.NotFound/,
    );
    await api.call('RevokeSecurityGroupEgress', { GroupId, SecurityGroupRuleIds });
    expect((await group()).IpPermissionsEgress).toEqual([]);
  });

  test('a single rule may be said by members of the request', async () => {
    await api.call('AuthorizeSecurityGroupIngress', { GroupId, ...http, CidrIp: '10.0.0.0/8' });
    expect((await group()).IpPermissions).toMatchObject([{ ...http, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }]);
    await api.call('RevokeSecurityGroupIngress', { GroupId, ...http, CidrIp: '10.0.0.0/8' });
    expect((await group()).IpPermissions).toEqual([]);
  });

  test('a rule is changed under its id, and not into one that is there', async () => {
    const { SecurityGroupRules } = await api.call('AuthorizeSecurityGroupIngress', {
      GroupId,
      IpPermissions: [from('10.0.0.0/8'), from('10.0.0.0/16')],
    });
    const [SecurityGroupRuleId, other] = SecurityGroupRules.map((rule: Answer) => rule.SecurityGroupRuleId);
    const change = (id: string, rule: object) => ({
      GroupId,
      SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule: rule }],
    });
    await api.call('ModifySecurityGroupRules', change(other, { ...http, CidrIpv4: '10.1.0.0/16', Description: 'y' }));
    const { SecurityGroupRules: after } = await api.call('DescribeSecurityGroupRules', {
      SecurityGroupRuleIds: [other],
    });
    expect(after).toMatchObject([{ CidrIpv4: '10.1.0.0/16', Description: 'y' }]);
    expect(
      await api.refusal('ModifySecurityGroupRules', change(SecurityGroupRuleId, { ...http, CidrIpv4: '10.1.0.0/16' })),
    ).toMatch(/^InvalidPermission.Duplicate/);
    expect(
      await api.refusal('ModifySecurityGroupRules', change('sgr-1', { ...http, CidrIpv4: '10.1.0.0/16' })),
    ).toMatch(/^InvalidSecurityGroupRuleId.NotFound/);
    await api.call('UpdateSecurityGroupRuleDescriptionsIngress', {
      GroupId,
      IpPermissions: [from('10.0.0.0/8', 'now described')],
    });
    expect((await group()).IpPermissions[0].IpRanges).toContainEqual({
      CidrIp: '10.0.0.0/8',
      Description: 'now described',
    });
  });

  const refusedRules: readonly (readonly [string, object, RegExp])[] = [
    ['nobody', http, /^InvalidPermission.Malformed/],
    ['no ports of TCP', { IpProtocol: 'tcp', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }, /^MissingParameter/],
    ['ports turned around', { ...from('0.0.0.0/0'), FromPort: 81 }, /^InvalidParameterValue/],
    ['a port beyond', { ...from('0.0.0.0/0'), ToPort: 65_536 }, /^InvalidParameterValue/],
    ['half a port', { ...from('0.0.0.0/0'), FromPort: 1.5 }, /^InvalidParameterValue/],
    ['an unknown protocol', { ...from('0.0.0.0/0'), IpProtocol: 'telepathy' }, /^InvalidParameterValue/],
    ['a protocol beyond', { ...from('0.0.0.0/0'), IpProtocol: '256' }, /^InvalidParameterValue/],
    ['what is no range', from('10.0.0.0/64'), /^InvalidParameterValue: CIDR block 10.0.0.0\/64 is malformed/],
    ['what is no range of IPv6', { ...http, Ipv6Ranges: [{ CidrIpv6: '10.0.0.0/8' }] }, /^InvalidParameterValue/],
    ['a prefix list', { ...http, PrefixListIds: [{ PrefixListId: 'pl-1' }] }, /^InvalidPrefixListID.NotFound/],
    ['a group that is not there', { ...http, UserIdGroupPairs: [{ GroupId: 'sg-1' }] }, /^InvalidGroup.NotFound/],
    [
      'a group of another account',
      { ...http, UserIdGroupPairs: [{ GroupId: 'sg-1', UserId: '111122223333' }] },
      /^InvalidGroup.NotFound/,
    ],
    ['a description with quotes', from('0.0.0.0/0', '"'), /^InvalidParameterValue: Invalid rule description/],
  ];
  test.each(refusedRules)('a rule for %s is refused, with all that came with it', async (_what, rule, message) => {
    const IpPermissions = [from('10.0.0.0/8'), rule];
    expect(await api.refusal('AuthorizeSecurityGroupIngress', { GroupId, IpPermissions })).toMatch(message);
    expect((await group()).IpPermissions).toEqual([]);
  });

  test('a rule that is there is refused, also within one request, whatever it is called', async () => {
    const twice = [from('10.0.0.0/8', 'a'), from('10.1.0.0/8', 'b')];
    expect(await api.refusal('AuthorizeSecurityGroupIngress', { GroupId, IpPermissions: twice })).toBe(
      'InvalidPermission.Duplicate: the specified rule "peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW" already exists',
    );
  });

  test('a group of another VPC is refused', async () => {
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    const input = { GroupName: 'web', Description: 'x', VpcId: Vpc.VpcId };
    const { GroupId: other } = await api.call('CreateSecurityGroup', input);
    const IpPermissions = [{ ...http, UserIdGroupPairs: [{ GroupId: other }] }];
    expect(await api.refusal('AuthorizeSecurityGroupIngress', { GroupId, IpPermissions })).toMatch(
      /^InvalidGroup.NotFound: .*different networks/,
    );
  });

  test('a group has at most 1000 rules in a direction', async () => {
    const ranges = Array.from({ length: 1001 }, (_, index) => ({ CidrIp: `10.${index >> 8}.${index & 255}.0/24` }));
    const all = (count: number) => ({ GroupId, IpPermissions: [{ ...http, IpRanges: ranges.slice(0, count) }] });
    expect(await api.refusal('AuthorizeSecurityGroupIngress', all(1001))).toMatch(
      /^RulesPerSecurityGroupLimitExceeded/,
    );
    await api.call('AuthorizeSecurityGroupIngress', all(1000));
  });
});

describe('tags', () => {
  test('are put on everything that has an id, listed, and taken off', async () => {
    const Resources = [VpcId, GroupId];
    await api.call('CreateTags', {
      Resources,
      Tags: [
        { Key: 'team', Value: 'a' },
        { Key: 'stage', Value: 'b' },
      ],
    });
    const list = async (): Promise<string[]> =>
      (await api.call('DescribeTags')).Tags.map((it: Answer) => `${it.ResourceType} ${it.Key}=${it.Value}`).sort();
    expect(await list()).toEqual(['security-group stage=b', 'security-group team=a', 'vpc stage=b', 'vpc team=a']);
    await api.call('DeleteTags', { Resources, Tags: [{ Key: 'team', Value: 'other' }, { Key: 'stage' }] });
    expect(await list()).toEqual(['security-group team=a', 'vpc team=a']);
    await api.call('DeleteTags', { Resources: [GroupId] });
    const only = { Filters: [{ Name: 'resource-id', Values: [VpcId] }] };
    expect((await api.call('DescribeTags', only)).Tags).toHaveLength(1);
    expect(await list()).toEqual(['vpc team=a']);
  });

  test.each([
    ['a thing that is not there', { Resources: ['vpc-1'], Tags: [{ Key: 'a' }] }, /^InvalidID/],
    ['an instance', { Resources: ['i-1'], Tags: [{ Key: 'a' }] }, /^InvalidID/],
    ['nothing', { Resources: [], Tags: [{ Key: 'a' }] }, /^MissingParameter/],
    ['reserved keys', { Resources: ['vpc-1'], Tags: [{ Key: 'aws:a' }] }, /^InvalidParameterValue/],
  ])('CreateTags refuses %s', async (_what, input, message) => {
    expect(await api.refusal('CreateTags', input)).toMatch(message);
  });

  test('at most 50', async () => {
    const Tags = Array.from({ length: 51 }, (_, index) => ({ Key: String(index), Value: '' }));
    expect(await api.refusal('CreateTags', { Resources: [VpcId], Tags })).toMatch(/^TagLimitExceeded/);
  });
});
