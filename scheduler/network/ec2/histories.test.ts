import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { expect, test } from 'vitest';

import { contains, overlaps, parseCidr, type Cidr } from '../addresses/index.ts';
import type { Network } from '../records/index.ts';
import { account, openNetworks, type TestNetworks } from '../testing/open-networks.ts';

/** Calls with what they name picked by numbers from what is there: many are refused, which is part of it. */
const step = record({
  action: constantFrom(
    'CreateVpc',
    'DeleteVpc',
    'AssociateVpcCidrBlock',
    'DisassociateVpcCidrBlock',
    'CreateSubnet',
    'DeleteSubnet',
    'CreateSecurityGroup',
    'DeleteSecurityGroup',
    'AuthorizeSecurityGroupIngress',
    'CreateRouteTable',
    'DeleteRouteTable',
    'AssociateRouteTable',
    'ReplaceRouteTableAssociation',
    'DisassociateRouteTable',
    'CreateRoute',
    'CreateInternetGateway',
    'AttachInternetGateway',
    'DetachInternetGateway',
    'DeleteInternetGateway',
    'AllocateAddress',
    'ReleaseAddress',
    'CreateNatGateway',
    'DeleteNatGateway',
    'CreateNetworkAcl',
    'DeleteNetworkAcl',
    'ReplaceNetworkAclAssociation',
    'CreateDhcpOptions',
    'AssociateDhcpOptions',
    'DeleteDhcpOptions',
  ),
  a: integer({ min: 0, max: 7 }),
  b: integer({ min: 0, max: 7 }),
});

async function take(api: TestNetworks, { action, a, b }: { action: string; a: number; b: number }): Promise<void> {
  const network = await api.networks.read(account);
  const of = (type: Parameters<Network['all']>[0], at = a): string | undefined => {
    const all = network.all(type);
    return all[at % Math.max(1, all.length)]?.id;
  };
  const tables = network.all('route-table').flatMap(({ associations }) => associations);
  const { NetworkAcls } = await api.call('DescribeNetworkAcls');
  const acls = (NetworkAcls as { Associations: { NetworkAclAssociationId: string }[] }[]).flatMap(
    ({ Associations }) => Associations,
  );
  const cidrs = network.all('vpc').flatMap((vpc) => vpc.cidrs);
  await api
    .call(action, {
      VpcId: of('vpc'),
      SubnetId: of('subnet', b),
      RouteTableId: of('route-table', b),
      InternetGatewayId: of('internet-gateway', b),
      GatewayId: action === 'CreateRoute' ? of('internet-gateway', b) : undefined,
      NatGatewayId: action === 'DeleteNatGateway' ? of('natgateway') : undefined,
      AllocationId: of('elastic-ip', b),
      NetworkAclId: of('network-acl'),
      DhcpOptionsId: of('dhcp-options', b),
      DhcpConfigurations: [{ Key: 'domain-name', Values: [`d${a}.internal`] }],
      GroupId: of('security-group', b),
      GroupName: `g${a}`,
      Description: 'x',
      IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: of('security-group') }] }],
      DestinationCidrBlock: '0.0.0.0/0',
      CidrBlock: action === 'CreateSubnet' ? `10.${a % 2}.${b}.0/24` : `10.${b % 2}.0.0/16`,
      AssociationId:
        action === 'ReplaceNetworkAclAssociation'
          ? acls[b % Math.max(1, acls.length)]?.NetworkAclAssociationId
          : action === 'DisassociateVpcCidrBlock'
            ? cidrs[b % Math.max(1, cidrs.length)]?.associationId
            : tables[a % Math.max(1, tables.length)]?.id,
    })
    .catch((error: Error & { code?: string }) => {
      // Refusals are EC2's; anything else is a fault of ours.
      if (error.code === undefined) throw error;
    });
}

/** What must be so whatever was called: nothing refers to what is not there. */
async function faults(api: TestNetworks): Promise<string[]> {
  const network = await api.networks.read(account);
  const found: string[] = [];
  const want = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  for (const vpc of network.all('vpc')) {
    const here = (one: { readonly vpcId?: string }): boolean => one.vpcId === vpc.id;
    want(network.get('dhcp-options', vpc.dhcpOptionsId) !== undefined, `${vpc.id} has no options`);
    want(
      network.all('security-group').filter((one) => here(one) && one.name === 'default').length === 1,
      `${vpc.id}: default group`,
    );
    want(network.all('network-acl').filter((one) => here(one) && one.isDefault).length === 1, `${vpc.id}: default ACL`);
    const main = network
      .all('route-table')
      .filter(here)
      .flatMap(({ associations }) => associations.filter(({ subnetId }) => subnetId === undefined));
    want(main.length === 1, `${vpc.id} has ${main.length} main tables`);
    want(network.all('internet-gateway').filter(here).length <= 1, `${vpc.id} has two gateways`);
    const subnets = network.all('subnet').filter(here);
    const ranges = vpc.cidrs.map(({ cidr }) => parseCidr(cidr) as Cidr);
    for (const [index, subnet] of subnets.entries()) {
      const range = parseCidr(subnet.cidr) as Cidr;
      want(
        ranges.some((one) => contains(one, range)),
        `${subnet.id} is outside of ${vpc.id}`,
      );
      want(
        !subnets.slice(0, index).some((one) => overlaps(parseCidr(one.cidr) as Cidr, range)),
        `${subnet.id} overlaps`,
      );
    }
  }
  for (const type of ['subnet', 'security-group', 'route-table', 'network-acl'] as const)
    for (const one of network.all(type)) want(network.get('vpc', one.vpcId) !== undefined, `${one.id} has no VPC`);
  for (const type of ['route-table', 'network-acl'] as const) {
    const held = network
      .all(type)
      .flatMap(({ associations }) =>
        (associations as readonly { subnetId?: string }[]).flatMap(({ subnetId }) => subnetId ?? []),
      );
    want(new Set(held).size === held.length, `a subnet has two of ${type}`);
    for (const id of held) want(network.get('subnet', id) !== undefined, `${type}: ${id} is gone`);
  }
  for (const rule of network.all('security-group-rule')) {
    want(network.get('security-group', rule.groupId) !== undefined, `${rule.id} has no group`);
    want(
      !('group' in rule.peer) || network.get('security-group', rule.peer.group) !== undefined,
      `${rule.id} names no group`,
    );
  }
  const interfaces = await api.networks.interfaces(account);
  for (const one of interfaces) want(network.get('subnet', one.subnetId) !== undefined, `${one.id} has no subnet`);
  const used = interfaces.map(({ subnetId, address }) => `${subnetId} ${address}`);
  want(new Set(used).size === used.length, 'an address twice');
  const living = network.all('natgateway').filter(({ deletedAt }) => deletedAt === undefined);
  want(living.length === interfaces.length, `${living.length} NAT gateways have ${interfaces.length} interfaces`);
  for (const { id, association } of network.all('elastic-ip'))
    want(
      association === undefined || interfaces.some((one) => one.id === association.interfaceId),
      `${id} is of no interface`,
    );
  return found;
}

test('whatever is called, nothing refers to what is not there, and every VPC keeps what it must have', async () => {
  const numRuns = { nightly: 300, release: 1500 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 40;
  await assert(
    asyncProperty(array(step, { minLength: 20, maxLength: 80, size: 'max' }), async (steps) => {
      const api = openNetworks();
      for (const one of steps) {
        await take(api, one);
        expect(await faults(api)).toEqual([]);
      }
      // Another server sees what this one does: the copy that is kept is what is stored.
      const other = openNetworks(api.records);
      for (const list of ['Vpcs', 'RouteTables', 'SecurityGroups', 'NetworkAcls', 'NatGateways', 'Addresses'])
        expect(await other.call(`Describe${list}`)).toEqual(await api.call(`Describe${list}`));
    }),
    { numRuns },
  );
});
