import { beforeEach, describe, expect, test } from 'vitest';

import { networksThatAreRecords, reachesOutside } from '../records/index.ts';
import { account, type Answer, openNetworks, type TestNetworks } from '../testing/open-networks.ts';

let api: TestNetworks;
let VpcId: string;
let SubnetId: string;
let InternetGatewayId: string;
let RouteTableId: string;

const subnet = async (CidrBlock: string): Promise<string> =>
  (await api.call('CreateSubnet', { VpcId, CidrBlock })).Subnet.SubnetId;
const anywhere = { DestinationCidrBlock: '0.0.0.0/0' };

beforeEach(async () => {
  api = openNetworks();
  VpcId = (await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' })).Vpc.VpcId;
  SubnetId = await subnet('10.1.1.0/24');
  ({ InternetGatewayId } = (await api.call('CreateInternetGateway')).InternetGateway);
  ({ RouteTableId } = (await api.call('CreateRouteTable', { VpcId })).RouteTable);
});

async function outside(id = SubnetId, publicAddress = true): Promise<string> {
  const network = await api.networks.read(account);
  const record = network.get('subnet', id);
  if (record === undefined) throw new Error(`no subnet ${id}`);
  const { reaches, why } = reachesOutside(network, record, publicAddress);
  return `${reaches}: ${why.replaceAll(/(?<=-)[0-9a-f]{17}/g, '…')}`;
}

const nat = async (more: object = {}): Promise<string> => {
  const { AllocationId } = await api.call('AllocateAddress');
  return (await api.call('CreateNatGateway', { SubnetId, AllocationId, ...more })).NatGateway.NatGatewayId;
};

async function openUp(): Promise<void> {
  await api.call('AttachInternetGateway', { InternetGatewayId, VpcId });
  await api.call('CreateRoute', { RouteTableId, ...anywhere, GatewayId: InternetGatewayId });
  await api.call('AssociateRouteTable', { RouteTableId, SubnetId });
}

describe('what reaches the outside', () => {
  test('the default network does, by its internet gateway', async () => {
    const { Subnets } = await api.call('DescribeSubnets', { Filters: [{ Name: 'default-for-az', Values: ['true'] }] });
    expect(await outside(Subnets[0].SubnetId)).toBe('true: Through the internet gateway igw-….');
  });

  test('a new subnet does not; one with a route to an internet gateway does, for what has a public address', async () => {
    expect(await outside()).toMatch(/^false: The route table rtb-… has no route/);
    await openUp();
    expect(await outside()).toBe('true: Through the internet gateway igw-….');
    expect(await outside(SubnetId, false)).toMatch(/^false: .*set assignPublicIp/);
    await api.call('DetachInternetGateway', { InternetGatewayId, VpcId });
    expect(await outside()).toMatch(/^false: .*not attached/);
    const { RouteTables } = await api.call('DescribeRouteTables', { RouteTableIds: [RouteTableId] });
    expect(RouteTables[0].Routes).toMatchObject([
      { DestinationCidrBlock: '10.1.0.0/16', GatewayId: 'local', State: 'active' },
      { DestinationCidrBlock: '0.0.0.0/0', State: 'blackhole' },
    ]);
  });

  test('a subnet behind a NAT gateway does while that has the way out itself', async () => {
    await openUp();
    const inner = await subnet('10.1.2.0/24');
    const NatGatewayId = await nat();
    const own = (await api.call('CreateRouteTable', { VpcId })).RouteTable.RouteTableId;
    await api.call('CreateRoute', { RouteTableId: own, ...anywhere, NatGatewayId });
    await api.call('AssociateRouteTable', { RouteTableId: own, SubnetId: inner });
    expect(await outside(inner, false)).toBe('true: Through the NAT gateway nat-….');
    // The more specific route counts.
    await api.call('CreateRoute', {
      RouteTableId: own,
      DestinationCidrBlock: '192.0.2.0/24',
      GatewayId: InternetGatewayId,
    });
    expect(await outside(inner, false)).toMatch(/^false: Behind the internet gateway/);
    await api.call('DeleteRoute', { RouteTableId: own, DestinationCidrBlock: '192.0.2.0/24' });
    await api.call('DeleteRoute', { RouteTableId, ...anywhere });
    expect(await outside(inner, false)).toMatch(/^false: The subnet of the NAT gateway nat-…/);
    await api.call('DeleteNatGateway', { NatGatewayId });
    expect(await outside(inner, false)).toMatch(/^false: .*is deleted/);
  });
});

describe('route tables', () => {
  test('the main one is for subnets without their own, and another can take its place', async () => {
    const filters = [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'association.main', Values: ['true'] },
    ];
    const main = async (): Promise<Answer> => {
      const { RouteTables } = await api.call('DescribeRouteTables', { Filters: filters });
      expect(RouteTables).toHaveLength(1);
      return RouteTables[0];
    };
    const before = await main();
    expect(before.Associations).toMatchObject([{ Main: true, AssociationState: { State: 'associated' } }]);
    const AssociationId = before.Associations[0].RouteTableAssociationId;
    expect(await api.refusal('DisassociateRouteTable', { AssociationId })).toMatch(/^InvalidParameterValue/);
    expect(await api.refusal('DeleteRouteTable', { RouteTableId: before.RouteTableId })).toMatch(
      /^DependencyViolation/,
    );
    await api.call('ReplaceRouteTableAssociation', { AssociationId, RouteTableId });
    expect((await main()).RouteTableId).toBe(RouteTableId);
    await api.call('DeleteRouteTable', { RouteTableId: before.RouteTableId });
  });

  test('a subnet has one; asked again the answer is the same', async () => {
    const { AssociationId } = await api.call('AssociateRouteTable', { RouteTableId, SubnetId });
    expect(await api.call('AssociateRouteTable', { RouteTableId, SubnetId })).toMatchObject({ AssociationId });
    const other = (await api.call('CreateRouteTable', { VpcId })).RouteTable.RouteTableId;
    expect(await api.refusal('AssociateRouteTable', { RouteTableId: other, SubnetId })).toMatch(
      /^Resource.AlreadyAssociated/,
    );
    const moved = await api.call('ReplaceRouteTableAssociation', { AssociationId, RouteTableId: other });
    expect(moved.NewAssociationId).not.toBe(AssociationId);
    expect(await api.refusal('DeleteRouteTable', { RouteTableId: other })).toMatch(/^DependencyViolation/);
    await api.call('DisassociateRouteTable', { AssociationId: moved.NewAssociationId });
    await api.call('DeleteRouteTable', { RouteTableId: other });
    expect(await api.refusal('DisassociateRouteTable', { AssociationId })).toMatch(/^InvalidAssociationID.NotFound/);
  });

  test.each([
    ['no destination', { GatewayId: 'igw' }, /^MissingParameter/],
    ['two destinations', { ...anywhere, DestinationIpv6CidrBlock: '::/0' }, /^InvalidParameterCombination/],
    ['a prefix list', { DestinationPrefixListId: 'pl-1' }, /^InvalidPrefixListID.NotFound/],
    ['no target', anywhere, /^InvalidParameterCombination/],
    ['a gateway that is not there', { ...anywhere, GatewayId: 'igw-1' }, /^InvalidGatewayID.NotFound/],
    ['a NAT gateway that is not there', { ...anywhere, NatGatewayId: 'nat-1' }, /^NatGatewayNotFound/],
    ['an instance', { ...anywhere, InstanceId: 'i-1' }, /^UnsupportedOperation: InstanceId/],
    ["the VPC's own range", { DestinationCidrBlock: '10.1.0.0/16', GatewayId: 'igw' }, /^InvalidParameterValue/],
    ['a gateway of no VPC', { ...anywhere, GatewayId: 'igw' }, /^InvalidParameterValue.*not attached/],
  ])('CreateRoute refuses %s', async (_what, input, message) => {
    const given = Object.fromEntries(
      Object.entries(input).map(([key, value]) => [key, value === 'igw' ? InternetGatewayId : value]),
    );
    expect(await api.refusal('CreateRoute', { RouteTableId, ...given })).toMatch(message);
  });

  test('a route that is there is replaced, not made again', async () => {
    await openUp();
    const NatGatewayId = await nat();
    const route = { RouteTableId, ...anywhere };
    expect(await api.call('CreateRoute', { ...route, GatewayId: InternetGatewayId })).toEqual({ Return: true });
    expect(await api.refusal('CreateRoute', { ...route, NatGatewayId })).toMatch(/^RouteAlreadyExists/);
    await api.call('ReplaceRoute', { ...route, NatGatewayId });
    await api.call('DeleteRoute', route);
    expect(await api.refusal('DeleteRoute', route)).toMatch(/^InvalidRoute.NotFound/);
    expect(await api.refusal('ReplaceRoute', { ...route, NatGatewayId })).toMatch(/^InvalidRoute.NotFound/);
  });

  test('a client token makes one table', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(
        async () =>
          (await api.call('CreateRouteTable', { VpcId, ClientToken: 'once' })).RouteTable.RouteTableId as string,
      ),
    );
    expect(new Set(ids).size).toBe(1);
  });
});

describe('gateways and addresses', () => {
  test('an internet gateway is in one VPC, which has one, and goes when it is detached', async () => {
    await api.call('AttachInternetGateway', { InternetGatewayId, VpcId });
    expect(await api.refusal('AttachInternetGateway', { InternetGatewayId, VpcId })).toMatch(
      /^Resource.AlreadyAssociated/,
    );
    const other = (await api.call('CreateInternetGateway')).InternetGateway.InternetGatewayId;
    expect(await api.refusal('AttachInternetGateway', { InternetGatewayId: other, VpcId })).toMatch(
      /already has an internet gateway/,
    );
    expect(await api.refusal('DetachInternetGateway', { InternetGatewayId: other, VpcId })).toMatch(
      /^Gateway.NotAttached/,
    );
    expect(await api.refusal('DeleteInternetGateway', { InternetGatewayId })).toMatch(/^DependencyViolation/);
    await api.call('DetachInternetGateway', { InternetGatewayId, VpcId });
    await api.call('DeleteInternetGateway', { InternetGatewayId });
  });

  test('a NAT gateway has an interface with an address, and gives both back', async () => {
    await openUp();
    const NatGatewayId = await nat();
    const read = async (): Promise<Answer> =>
      (await api.call('DescribeNatGateways', { NatGatewayIds: [NatGatewayId] })).NatGateways[0];
    expect(await read()).toMatchObject({
      State: 'available',
      VpcId,
      SubnetId,
      ConnectivityType: 'public',
      NatGatewayAddresses: [{ PrivateIp: '10.1.1.4', PublicIp: '198.18.0.1', IsPrimary: true }],
    });
    const { NetworkInterfaces } = await api.call('DescribeNetworkInterfaces', {
      Filters: [{ Name: 'subnet-id', Values: [SubnetId] }],
    });
    expect(NetworkInterfaces).toMatchObject([
      { PrivateIpAddress: '10.1.1.4', InterfaceType: 'nat_gateway', Association: { PublicIp: '198.18.0.1' } },
    ]);
    expect(NetworkInterfaces[0].MacAddress).toMatch(/^0a(?::[0-9a-f]{2}){5}$/);
    const { Subnets } = await api.call('DescribeSubnets', { SubnetIds: [SubnetId] });
    expect(Subnets[0].AvailableIpAddressCount).toBe(250);
    expect(await api.refusal('DeleteSubnet', { SubnetId })).toMatch(/^DependencyViolation/);
    expect(await api.refusal('DetachInternetGateway', { InternetGatewayId, VpcId })).toMatch(/^DependencyViolation/);
    expect(await networksThatAreRecords(api.records, account)).toBe('1 NAT gateway, 1 elastic address');
    const [{ AllocationId, AssociationId }] = (await api.call('DescribeAddresses')).Addresses;
    expect(await api.refusal('ReleaseAddress', { AllocationId })).toMatch(/^InvalidIPAddress.InUse/);
    expect(await api.refusal('DisassociateAddress', { AssociationId })).toMatch(/^InvalidIPAddress.InUse/);
    await api.call('DeleteNatGateway', { NatGatewayId });
    await api.call('DeleteNatGateway', { NatGatewayId });
    expect(await read()).toMatchObject({ State: 'deleted' });
    await api.call('ReleaseAddress', { AllocationId });
    expect(await networksThatAreRecords(api.records, account)).toBeUndefined();
    expect(await api.call('DescribeNetworkInterfaces')).toEqual({ NetworkInterfaces: [] });
    await api.call('DeleteSubnet', { SubnetId });
  });

  test('NAT gateways of many callers never have one address twice', async () => {
    await openUp();
    const made = await Promise.all(
      Array.from({ length: 12 }, () =>
        api
          .call('CreateNatGateway', { SubnetId, ConnectivityType: 'private' })
          .then(({ NatGateway }: Answer) => NatGateway),
      ),
    );
    const addresses = made.map((one) => one.NatGatewayAddresses[0].PrivateIp as string);
    expect(new Set(addresses).size).toBe(12);
    expect(
      await api.refusal('CreateNatGateway', {
        SubnetId,
        ConnectivityType: 'private',
        PrivateIpAddress: addresses[0],
      }),
    ).toMatch(/^InvalidIPAddress.InUse/);
  });

  test('a subnet without free addresses says so', async () => {
    const small = await subnet('10.1.2.0/28');
    for (let count = 0; count < 11; count++)
      await api.call('CreateNatGateway', { SubnetId: small, ConnectivityType: 'private' });
    expect(await api.refusal('CreateNatGateway', { SubnetId: small, ConnectivityType: 'private' })).toMatch(
      /^InsufficientFreeAddressesInSubnet/,
    );
  });

  test.each([
    ['without an address', { ConnectivityType: 'public' }, /^MissingParameter/],
    ['with an unknown address', { AllocationId: 'eipalloc-1' }, /^Gateway.NotAttached|^InvalidAllocationID/],
    ['of another kind', { ConnectivityType: 'secret' }, /^InvalidParameterValue/],
    ['with more addresses', { AllocationId: 'x', SecondaryAllocationIds: ['y'] }, /^UnsupportedOperation/],
    ['at a reserved address', { ConnectivityType: 'private', PrivateIpAddress: '10.1.1.1' }, /^InvalidParameterValue/],
    ['outside', { ConnectivityType: 'private', PrivateIpAddress: '10.2.1.9' }, /^InvalidParameterValue/],
  ])('CreateNatGateway refuses one %s', async (_what, input, message) => {
    expect(await api.refusal('CreateNatGateway', { SubnetId, ...input })).toMatch(message);
  });

  test('elastic addresses are read by id, by address and by their attribute', async () => {
    const { AllocationId, PublicIp } = await api.call('AllocateAddress', { Domain: 'vpc' });
    const { PublicIp: other } = await api.call('AllocateAddress');
    expect(other).not.toBe(PublicIp);
    expect((await api.call('DescribeAddresses', { PublicIps: [PublicIp] })).Addresses).toMatchObject([
      { AllocationId },
    ]);
    expect(
      (await api.call('DescribeAddressesAttribute', { AllocationIds: [AllocationId], Attribute: 'domain-name' }))
        .Addresses,
    ).toEqual([{ AllocationId, PublicIp }]);
    expect(await api.refusal('DescribeAddresses', { PublicIps: ['192.0.2.1'] })).toMatch(/^InvalidAddress.NotFound/);
    await api.call('ReleaseAddress', { PublicIp });
    expect(await api.refusal('ReleaseAddress', { AllocationId })).toMatch(/^InvalidAllocationID.NotFound/);
  });
});

describe('ACLs and options', () => {
  test('entries let everything through, or are refused', async () => {
    const { NetworkAcls } = await api.call('DescribeNetworkAcls', { Filters: [{ Name: 'vpc-id', Values: [VpcId] }] });
    const [{ NetworkAclId, IsDefault, Associations }] = NetworkAcls;
    expect({ IsDefault, Associations }).toMatchObject({ IsDefault: true, Associations: [{ SubnetId, NetworkAclId }] });
    const entry = { NetworkAclId, RuleNumber: 101, Protocol: '-1', RuleAction: 'allow', Egress: false };
    await api.call('CreateNetworkAclEntry', { ...entry, Ipv6CidrBlock: '::/0' });
    expect(await api.refusal('CreateNetworkAclEntry', { ...entry, CidrBlock: '0.0.0.0/0' })).toMatch(
      /^NetworkAclEntryAlreadyExists/,
    );
    for (const closed of [
      { RuleAction: 'deny', CidrBlock: '0.0.0.0/0' },
      { CidrBlock: '10.0.0.0/8' },
      { Protocol: '6', CidrBlock: '0.0.0.0/0' },
    ])
      expect(await api.refusal('ReplaceNetworkAclEntry', { ...entry, ...closed })).toMatch(
        /^UnsupportedOperation: .*security groups/,
      );
    await api.call('DeleteNetworkAclEntry', entry);
    expect(await api.refusal('DeleteNetworkAclEntry', entry)).toMatch(/^InvalidNetworkAclEntry.NotFound/);
  });

  test('a subnet moves between ACLs; one that has subnets stays', async () => {
    const { NetworkAclId } = (await api.call('CreateNetworkAcl', { VpcId })).NetworkAcl;
    const associationOf = async (): Promise<Answer> => {
      const { NetworkAcls } = await api.call('DescribeNetworkAcls', {
        Filters: [{ Name: 'association.subnet-id', Values: [SubnetId] }],
      });
      expect(NetworkAcls).toHaveLength(1);
      return NetworkAcls[0].Associations.find((one: Answer) => one.SubnetId === SubnetId);
    };
    const before = await associationOf();
    const AssociationId = before.NetworkAclAssociationId;
    await api.call('ReplaceNetworkAclAssociation', { AssociationId, NetworkAclId });
    const after = await associationOf();
    expect(after.NetworkAclId).toBe(NetworkAclId);
    expect(await api.refusal('ReplaceNetworkAclAssociation', { AssociationId, NetworkAclId })).toMatch(
      /^InvalidAssociationID.NotFound/,
    );
    expect(await api.refusal('DeleteNetworkAcl', { NetworkAclId })).toMatch(/^DependencyViolation/);
    await api.call('ReplaceNetworkAclAssociation', {
      AssociationId: after.NetworkAclAssociationId,
      NetworkAclId: before.NetworkAclId,
    });
    await api.call('DeleteNetworkAcl', { NetworkAclId });
    expect(await api.refusal('DeleteNetworkAcl', { NetworkAclId: before.NetworkAclId })).toMatch(
      /^InvalidParameterValue/,
    );
  });

  test('sets of DHCP options say what tasks are told, and nothing else', async () => {
    const options = (Key: string, ...Values: string[]) => ({ DhcpConfigurations: [{ Key, Values }] });
    expect(await api.refusal('CreateDhcpOptions', options('ntp-servers', '10.0.0.1'))).toMatch(/^UnsupportedOperation/);
    expect(await api.refusal('CreateDhcpOptions', options('domain-name', 'a b c!'))).toMatch(/^InvalidParameterValue/);
    expect(await api.refusal('CreateDhcpOptions', options('domain-name-servers', 'x'))).toMatch(
      /^InvalidParameterValue/,
    );
    const made = await api.call('CreateDhcpOptions', options('domain-name', 'shop.internal'));
    const { DhcpOptionsId } = made.DhcpOptions;
    await api.call('AssociateDhcpOptions', { DhcpOptionsId, VpcId });
    expect(await api.refusal('DeleteDhcpOptions', { DhcpOptionsId })).toMatch(/^DependencyViolation/);
    await api.call('AssociateDhcpOptions', { DhcpOptionsId: 'default', VpcId });
    await api.call('DeleteDhcpOptions', { DhcpOptionsId });
    expect(await api.refusal('AssociateDhcpOptions', { DhcpOptionsId, VpcId })).toMatch(
      /^InvalidDhcpOptionsID.NotFound/,
    );
  });
});
