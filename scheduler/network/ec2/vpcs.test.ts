import { describe, expect, test } from 'vitest';

import { type Answer, openNetworks } from '../testing/open-networks.ts';

describe('the default network', () => {
  test('is there in every account without anybody making it, the same from every server', async () => {
    const one = openNetworks();
    const other = openNetworks(one.records);
    const [a, b] = await Promise.all([one.call('DescribeVpcs'), other.call('DescribeVpcs')]);
    expect(a).toEqual(b);
    expect(a.Vpcs).toMatchObject([{ CidrBlock: '10.200.0.0/16', IsDefault: true, State: 'available' }]);
    const elsewhere = await one.call('DescribeVpcs', {}, '111122223333');
    expect(elsewhere.Vpcs).toMatchObject([{ OwnerId: '111122223333', IsDefault: true }]);
    expect(elsewhere.Vpcs[0].VpcId).not.toBe(a.Vpcs[0].VpcId);
  });

  test('has a subnet for each zone that hosts are in, also for one that comes later, and none that somebody deleted again', async () => {
    const api = openNetworks();
    const zones = async (): Promise<string[]> =>
      (await api.call('DescribeSubnets')).Subnets.map((it: Answer) => `${it.AvailabilityZone} ${it.CidrBlock}`).sort();
    expect(await zones()).toEqual(['us-east-1a 10.200.0.0/20']);
    api.zones.push('rack-7', 'us-east-1b');
    expect(await zones()).toEqual(['rack-7 10.200.16.0/20', 'us-east-1a 10.200.0.0/20', 'us-east-1b 10.200.32.0/20']);
    const filters = [{ Name: 'availability-zone', Values: ['rack-7'] }];
    const { Subnets } = await api.call('DescribeSubnets', { Filters: filters });
    await api.call('DeleteSubnet', { SubnetId: Subnets[0].SubnetId });
    expect(await openNetworks(api.records).call('DescribeSubnets', { Filters: filters })).toEqual({ Subnets: [] });
  });

  test('goes when somebody deletes all of it, and does not come back', async () => {
    const api = openNetworks();
    const { Vpcs } = await api.call('DescribeVpcs');
    const { VpcId } = Vpcs[0];
    expect(await api.refusal('DeleteVpc', { VpcId })).toMatch(/^DependencyViolation: .*subnet-/);
    const { Subnets } = await api.call('DescribeSubnets');
    await api.call('DeleteSubnet', { SubnetId: Subnets[0].SubnetId });
    expect(await api.refusal('DeleteVpc', { VpcId })).toMatch(/^DependencyViolation: .*igw-/);
    expect(await api.refusal('CreateDefaultVpc')).toMatch(/^DefaultVpcAlreadyExists/);
    const zone = { AvailabilityZone: 'us-east-1a' };
    const again = (await api.call('CreateDefaultSubnet', zone)).Subnet;
    expect(again).toMatchObject({ CidrBlock: '10.200.0.0/20', DefaultForAz: true });
    expect(await api.refusal('CreateDefaultSubnet', zone)).toMatch(/^DefaultSubnetAlreadyExistsInAvailabilityZone/);
    await api.call('DeleteSubnet', { SubnetId: again.SubnetId });
    const { InternetGateways } = await api.call('DescribeInternetGateways');
    await api.call('DetachInternetGateway', { InternetGatewayId: InternetGateways[0].InternetGatewayId, VpcId });
    await api.call('DeleteVpc', { VpcId });
    expect((await openNetworks(api.records).call('DescribeVpcs')).Vpcs).toEqual([]);
    expect(await api.refusal('CreateDefaultSubnet', zone)).toMatch(/^DefaultVpcDoesNotExist/);
    const { Vpc } = await api.call('CreateDefaultVpc');
    expect(Vpc).toMatchObject({ CidrBlock: '10.200.0.0/16', IsDefault: true });
    expect((await api.call('DescribeSubnets')).Subnets).toMatchObject([{ VpcId: Vpc.VpcId, DefaultForAz: true }]);
  });

  test("gets a new zone's subnet where nobody has put one of their own", async () => {
    const api = openNetworks();
    const { Vpcs } = await api.call('DescribeVpcs');
    await api.call('CreateSubnet', { VpcId: Vpcs[0].VpcId, CidrBlock: '10.200.17.0/24' });
    api.zones.push('us-east-1b');
    const { Subnets } = await api.call('DescribeSubnets', {
      Filters: [{ Name: 'availability-zone', Values: ['us-east-1b'] }],
    });
    expect(Subnets).toMatchObject([{ CidrBlock: '10.200.32.0/20' }]);
  });

  test('and all else of an account has a bound, which does not keep anybody from deleting', async () => {
    const api = openNetworks();
    const { Vpcs } = await api.call('DescribeVpcs');
    const { VpcId } = Vpcs[0];
    await Promise.all(Array.from({ length: 199 }, () => api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' })));
    expect(await api.refusal('CreateVpc', { CidrBlock: '10.1.0.0/16' })).toMatch(/^VpcLimitExceeded/);
    await api.call('CreateSubnet', { VpcId, CidrBlock: '10.200.99.0/24' });
    const { Vpcs: all } = await api.call('DescribeVpcs', { Filters: [{ Name: 'is-default', Values: ['false'] }] });
    await api.call('DeleteVpc', { VpcId: all[0].VpcId });
    await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
  });
});

describe('VPCs', () => {
  test('read back as they were made, with what each has from the start', async () => {
    const api = openNetworks();
    const TagSpecifications = [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'shop' }] }];
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.2.3/16', TagSpecifications });
    expect(Vpc).toMatchObject({ CidrBlock: '10.1.0.0/16', IsDefault: false, Tags: [{ Key: 'Name', Value: 'shop' }] });
    const described = await api.call('DescribeVpcs', { VpcIds: [Vpc.VpcId] });
    expect(described.Vpcs).toEqual([Vpc]);
    const { SecurityGroups } = await api.call('DescribeSecurityGroups', {
      Filters: [{ Name: 'vpc-id', Values: [Vpc.VpcId] }],
    });
    expect(SecurityGroups).toMatchObject([{ GroupName: 'default', Description: 'default VPC security group' }]);
    await api.call('DeleteVpc', { VpcId: Vpc.VpcId });
    expect(await api.refusal('DescribeVpcs', { VpcIds: [Vpc.VpcId] })).toBe(
      `InvalidVpcID.NotFound: The vpc ID '${Vpc.VpcId}' does not exist`,
    );
    const left = await api.call('DescribeSecurityGroupRules');
    expect(left.SecurityGroupRules).toHaveLength(2);
  });

  test('attributes are set one at a time and read one at a time', async () => {
    const api = openNetworks();
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    const { VpcId } = Vpc;
    const read = (Attribute: string) => api.call('DescribeVpcAttribute', { VpcId, Attribute });
    expect(await read('enableDnsHostnames')).toEqual({ VpcId, EnableDnsHostnames: { Value: false } });
    await api.call('ModifyVpcAttribute', { VpcId, EnableDnsHostnames: { Value: true } });
    expect(await read('enableDnsHostnames')).toEqual({ VpcId, EnableDnsHostnames: { Value: true } });
    expect(await read('enableDnsSupport')).toEqual({ VpcId, EnableDnsSupport: { Value: true } });
    const two = { VpcId, EnableDnsHostnames: { Value: true }, EnableDnsSupport: { Value: true } };
    expect(await api.refusal('ModifyVpcAttribute', two)).toMatch(/^InvalidParameterCombination/);
  });

  test.each([
    ['no range', {}, /^MissingParameter/],
    ['what is no range', { CidrBlock: '10.0.0.0' }, /^InvalidParameterValue/],
    ['a range too large', { CidrBlock: '10.0.0.0/15' }, /^InvalidVpc.Range/],
    ['a range too small', { CidrBlock: '10.0.0.0/29' }, /^InvalidVpc.Range/],
    ['loopback', { CidrBlock: '127.0.0.0/16' }, /^InvalidVpc.Range/],
    ['IPv6', { CidrBlock: '10.0.0.0/16', AmazonProvidedIpv6CidrBlock: true }, /^UnsupportedOperation: Amazon/],
    ['hosts of its own', { CidrBlock: '10.0.0.0/16', InstanceTenancy: 'dedicated' }, /^InvalidParameterValue/],
    ['pools', { Ipv4IpamPoolId: 'ipam-pool-1' }, /^UnsupportedOperation/],
    [
      'tags of something else',
      { CidrBlock: '10.0.0.0/16', TagSpecifications: [{ ResourceType: 'subnet', Tags: [] }] },
      /^InvalidParameterValue/,
    ],
    ['to do it at all', { CidrBlock: '10.0.0.0/16', DryRun: true }, /^DryRunOperation/],
  ])('CreateVpc refuses %s', async (_what, input, message) => {
    const api = openNetworks();
    expect(await api.refusal('CreateVpc', input)).toMatch(message);
    expect((await api.call('DescribeVpcs')).Vpcs).toHaveLength(1);
  });

  test('further ranges come and go, not the first, and not one that a subnet is in', async () => {
    const api = openNetworks();
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    const { VpcId } = Vpc;
    expect(await api.refusal('AssociateVpcCidrBlock', { VpcId, CidrBlock: '10.1.2.0/24' })).toMatch(
      /^InvalidVpc.Range/,
    );
    const { CidrBlockAssociation } = await api.call('AssociateVpcCidrBlock', { VpcId, CidrBlock: '10.2.0.0/24' });
    const { AssociationId } = CidrBlockAssociation;
    const { Subnet } = await api.call('CreateSubnet', { VpcId, CidrBlock: '10.2.0.0/25' });
    expect(await api.refusal('DisassociateVpcCidrBlock', { AssociationId })).toMatch(/^DependencyViolation/);
    await api.call('DeleteSubnet', { SubnetId: Subnet.SubnetId });
    expect((await api.call('DisassociateVpcCidrBlock', { AssociationId })).CidrBlockAssociation.CidrBlockState).toEqual(
      {
        State: 'disassociated',
      },
    );
    const [first] = Vpc.CidrBlockAssociationSet;
    expect(await api.refusal('DisassociateVpcCidrBlock', first)).toMatch(/^OperationNotPermitted/);
  });

  test('changes of many callers at two servers all happen', async () => {
    const one = openNetworks();
    const other = openNetworks(one.records);
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? one : other).call('CreateVpc', { CidrBlock: `10.${index}.0.0/16` }),
      ),
    );
    expect((await one.call('DescribeVpcs')).Vpcs).toHaveLength(41);
    expect((await other.call('DescribeVpcs')).Vpcs).toHaveLength(41);
  });
});

describe('subnets', () => {
  test('read back as they were made', async () => {
    const api = openNetworks();
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    const { Subnet } = await api.call('CreateSubnet', {
      VpcId: Vpc.VpcId,
      CidrBlock: '10.1.1.0/24',
      AvailabilityZone: 'us-east-1b',
    });
    expect(Subnet).toMatchObject({
      CidrBlock: '10.1.1.0/24',
      AvailabilityZone: 'us-east-1b',
      AvailabilityZoneId: 'use1-az2',
      AvailableIpAddressCount: 251,
      MapPublicIpOnLaunch: false,
      DefaultForAz: false,
    });
    const { SubnetId } = Subnet;
    await api.call('ModifySubnetAttribute', { SubnetId, MapPublicIpOnLaunch: { Value: true } });
    const { Subnets } = await api.call('DescribeSubnets', { SubnetIds: [SubnetId] });
    expect(Subnets).toEqual([{ ...Subnet, MapPublicIpOnLaunch: true }]);
  });

  test.each([
    ['a range outside of its VPC', { CidrBlock: '10.2.0.0/24' }, /^InvalidSubnet.Range/],
    ['a range that meets another subnet', { CidrBlock: '10.1.1.128/25' }, /^InvalidSubnet.Conflict/],
    ['a range that holds another subnet', { CidrBlock: '10.1.0.0/20' }, /^InvalidSubnet.Conflict/],
    ['a range too small', { CidrBlock: '10.1.2.0/29' }, /^InvalidSubnet.Range/],
    ['a zone that does not exist', { CidrBlock: '10.1.2.0/24', AvailabilityZone: 'moon' }, /us-east-1a/],
    ['IPv6', { CidrBlock: '10.1.2.0/24', Ipv6CidrBlock: '2001:db8::/64' }, /^UnsupportedOperation/],
    ['no range', {}, /^MissingParameter/],
  ])('CreateSubnet refuses %s', async (_what, input, message) => {
    const api = openNetworks();
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    await api.call('CreateSubnet', { VpcId: Vpc.VpcId, CidrBlock: '10.1.1.0/24' });
    expect(await api.refusal('CreateSubnet', { VpcId: Vpc.VpcId, ...input })).toMatch(message);
  });

  test('of a VPC that does not exist is refused', async () => {
    expect(await openNetworks().refusal('CreateSubnet', { VpcId: 'vpc-1', CidrBlock: '10.0.0.0/24' })).toMatch(
      /^InvalidVpcID.NotFound/,
    );
  });
});

describe('lists', () => {
  test('filters with wildcards and tags, in pages that join to the whole', async () => {
    const api = openNetworks();
    for (let index = 0; index < 12; index++) {
      const Tags = [{ Key: 'turn', Value: index % 2 === 0 ? 'even' : 'odd' }];
      await api.call('CreateVpc', {
        CidrBlock: `10.${index}.0.0/16`,
        TagSpecifications: [{ ResourceType: 'vpc', Tags }],
      });
    }
    const ids = (answer: Answer): string[] => answer.Vpcs.map(({ VpcId }: Answer) => VpcId);
    const filter = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] });
    expect(ids(await api.call('DescribeVpcs', filter('tag:turn', 'ev*')))).toHaveLength(6);
    expect(ids(await api.call('DescribeVpcs', filter('tag-key', 'turn')))).toHaveLength(12);
    expect(ids(await api.call('DescribeVpcs', filter('cidr', '10.1?.0.0/16', '10.3.*')))).toHaveLength(3);
    expect(ids(await api.call('DescribeVpcs', filter('tag:turn')))).toEqual([]);
    expect(await api.refusal('DescribeVpcs', filter('colour', 'red'))).toMatch(/'colour' is invalid/);
    const whole = ids(await api.call('DescribeVpcs', filter('is-default', 'false')));
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await api.call('DescribeVpcs', { ...filter('is-default', 'false'), MaxResults: 5, NextToken });
      seen.push(...ids(page));
      ({ NextToken } = page);
    } while (NextToken !== undefined);
    expect(seen).toEqual(whole);
    const { NextToken: token } = await api.call('DescribeVpcs', { MaxResults: 5 });
    expect(await api.refusal('DescribeSubnets', { MaxResults: 5, NextToken: token })).toMatch(/^InvalidNextToken/);
    expect(await api.refusal('DescribeVpcs', { MaxResults: 4 })).toMatch(/^InvalidParameterValue/);
    expect(await api.refusal('DescribeVpcs', { MaxResults: 5, VpcIds: [whole[0]] })).toMatch(
      /^InvalidParameterCombination/,
    );
  });
});

describe('who may', () => {
  test('things are named by their ARNs, and tags at creation need ec2:CreateTags', async () => {
    const api = openNetworks();
    const TagSpecifications = [{ ResourceType: 'subnet', Tags: [{ Key: 'a', Value: 'b' }] }];
    expect(await api.access('CreateSubnet', { VpcId: 'vpc-1', CidrBlock: '10.0.0.0/24', TagSpecifications })).toEqual([
      'ec2:CreateSubnet subnet/*',
      'ec2:CreateSubnet vpc/vpc-1',
      'ec2:CreateTags subnet/*',
    ]);
    expect(await api.access('DeleteVpc', { VpcId: 'vpc-1' })).toEqual(['ec2:DeleteVpc vpc/vpc-1']);
    expect(await api.access('DescribeVpcs')).toEqual(['ec2:DescribeVpcs *']);
    expect(await api.access('CreateTags', { Resources: ['sg-1', 'nat-1'], Tags: [{ Key: 'a' }] })).toEqual([
      'ec2:CreateTags security-group/sg-1',
      'ec2:CreateTags natgateway/nat-1',
    ]);
  });

  test('another account finds nothing of this one', async () => {
    const api = openNetworks();
    const { Vpc } = await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' });
    await expect(api.call('DescribeVpcs', { VpcIds: [Vpc.VpcId] }, '111122223333')).rejects.toMatchObject({
      code: 'InvalidVpcID.NotFound',
    });
    await expect(api.call('DeleteVpc', { VpcId: Vpc.VpcId }, '111122223333')).rejects.toMatchObject({
      code: 'InvalidVpcID.NotFound',
    });
  });
});
