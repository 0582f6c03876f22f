import { AwsError } from '@slipway/auth/contract';

import { capacityOf, type Cidr, contains, formatCidr, overlaps, parseCidr } from '../addresses/index.ts';
import type { Network, SubnetRecord } from '../records/index.ts';

import { dependency, invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { describeNoun, find, tagList, tagsFor } from './noun.ts';
import { arn, type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import {
  attribute,
  flag,
  nothing,
  number,
  type Of,
  refused,
  required,
  struct,
  tags,
  tagSpecifications,
  text,
} from './shapes.ts';
import { noIpv6, noPools } from './vpcs.ts';
import { zoneId, zoneNamed, zonesOf } from './zones.ts';

export const subnetShape = struct('Subnet', {
  SubnetId: text,
  SubnetArn: text,
  VpcId: text,
  OwnerId: text,
  State: text,
  CidrBlock: text,
  AvailabilityZone: text,
  AvailabilityZoneId: text,
  AvailableIpAddressCount: number,
  DefaultForAz: flag,
  MapPublicIpOnLaunch: flag,
  MapCustomerOwnedIpOnLaunch: flag,
  AssignIpv6AddressOnCreation: flag,
  EnableDns64: flag,
  Ipv6Native: flag,
  PrivateDnsNameOptionsOnLaunch: struct('PrivateDnsNameOptionsOnLaunch', {
    HostnameType: text,
    EnableResourceNameDnsARecord: flag,
    EnableResourceNameDnsAAAARecord: flag,
  }),
  Tags: tags,
});

const noOutposts = 'There are no Outposts: a subnet is in a zone.';
const ownNames = 'Tasks have the names ip-A-B-C-D (ip-name).';

/** Subnets. */
export const subnetOperations: Ec2Operations = {
  CreateSubnet: operation({
    input: struct('CreateSubnetRequest', {
      VpcId: required(text),
      CidrBlock: text,
      AvailabilityZone: text,
      AvailabilityZoneId: text,
      Ipv6CidrBlock: refused(text, noIpv6),
      Ipv6Native: refused(flag, noIpv6),
      OutpostArn: refused(text, noOutposts),
      Ipv4IpamPoolId: refused(text, noPools),
      Ipv4NetmaskLength: refused(number, noPools),
      Ipv6IpamPoolId: refused(text, noPools),
      Ipv6NetmaskLength: refused(number, noPools),
      TagSpecifications: tagSpecifications,
      DryRun: flag,
    }),
    output: struct('CreateSubnetResult', { Subnet: subnetShape }),
    access: mayCreate('CreateSubnet', 'subnet', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, scene, draft) => {
      const vpc = find(draft, 'vpc', input.VpcId);
      const range = checkedRange(
        draft,
        vpc.id,
        vpc.cidrs.map(({ cidr }) => cidr),
        input.CidrBlock,
      );
      const subnet: SubnetRecord = {
        id: draft.newId('subnet', ''),
        vpcId: vpc.id,
        cidr: formatCidr(range),
        zone: zoneFor(scene, draft, input),
        isDefault: false,
        mapPublicIpOnLaunch: false,
        tags: tagsFor('subnet', input.TagSpecifications),
      };
      draft.put('subnet', subnet);
      return { Subnet: viewSubnet(scene, subnet, 0) };
    },
  }),
  DescribeSubnets: describeNoun('subnet', {
    action: 'DescribeSubnets',
    ids: 'SubnetIds',
    result: ['Subnets', 'subnetSet'],
    shape: subnetShape,
    filters: (_network, scene) => ({
      'subnet-id': ({ id }) => id,
      'subnet-arn': ({ id }) => arn(scene, 'subnet', id),
      'vpc-id': ({ vpcId }) => vpcId,
      cidr: ({ cidr }) => cidr,
      'cidr-block': ({ cidr }) => cidr,
      cidrBlock: ({ cidr }) => cidr,
      'availability-zone': ({ zone }) => zone,
      availabilityZone: ({ zone }) => zone,
      'availability-zone-id': ({ zone }) => zoneId(scene, zone),
      'default-for-az': ({ isDefault }) => isDefault,
      defaultForAz: ({ isDefault }) => isDefault,
      'map-public-ip-on-launch': ({ mapPublicIpOnLaunch }) => mapPublicIpOnLaunch,
      'ipv6-native': () => false,
      'enable-dns64': () => false,
      'owner-id': () => scene.account,
      state: () => 'available',
    }),
    view: async (scene) => {
      const used = await scene.api.networks.usedAddresses(scene.account);
      return (subnet) => viewSubnet(scene, subnet, used.get(subnet.id) ?? 0);
    },
  }),
  ModifySubnetAttribute: operation({
    input: struct('ModifySubnetAttributeRequest', {
      SubnetId: required(text),
      MapPublicIpOnLaunch: attribute,
      AssignIpv6AddressOnCreation: refused(attribute, noIpv6),
      EnableDns64: refused(attribute, noIpv6),
      MapCustomerOwnedIpOnLaunch: refused(attribute, noOutposts),
      CustomerOwnedIpv4Pool: refused(text, noOutposts),
      EnableLniAtDeviceIndex: refused(number, noOutposts),
      DisableLniAtDeviceIndex: refused(attribute, noOutposts),
      PrivateDnsHostnameTypeOnLaunch: text,
      EnableResourceNameDnsARecordOnLaunch: refused(attribute, ownNames),
      EnableResourceNameDnsAAAARecordOnLaunch: refused(attribute, ownNames),
    }),
    output: nothing,
    access: mayOn('ModifySubnetAttribute', ({ SubnetId }) => [['subnet', SubnetId]]),
    change: (input, _scene, draft) => {
      const subnet = find(draft, 'subnet', input.SubnetId);
      const { PrivateDnsHostnameTypeOnLaunch: names = 'ip-name', MapPublicIpOnLaunch: map } = input;
      if (names !== 'ip-name') throw invalidValue(names, 'PrivateDnsHostnameTypeOnLaunch', ownNames);
      if (map?.Value !== undefined) draft.put('subnet', { ...subnet, mapPublicIpOnLaunch: map.Value });
      return {};
    },
  }),
  DeleteSubnet: operation({
    input: struct('DeleteSubnetRequest', { SubnetId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DeleteSubnet', ({ SubnetId }) => [['subnet', SubnetId]]),
    change: async (input, _scene, draft) => {
      const subnet = find(draft, 'subnet', input.SubnetId);
      if (!(await draft.isUnused(subnet.id)))
        throw dependency(`The subnet '${subnet.id}' has dependencies and cannot be deleted.`);
      for (const table of draft.all('route-table'))
        if (table.associations.some(({ subnetId }) => subnetId === subnet.id))
          draft.put('route-table', {
            ...table,
            associations: table.associations.filter(({ subnetId }) => subnetId !== subnet.id),
          });
      for (const acl of draft.all('network-acl'))
        if (acl.associations.some(({ subnetId }) => subnetId === subnet.id))
          draft.put('network-acl', {
            ...acl,
            associations: acl.associations.filter(({ subnetId }) => subnetId !== subnet.id),
          });
      draft.remove('subnet', subnet.id);
      return {};
    },
  }),
};

/** @throws InvalidParameterValue, InvalidSubnet.Range, InvalidSubnet.Conflict */
function checkedRange(network: Network, vpcId: string, within: readonly string[], given: string | undefined): Cidr {
  if (given === undefined) throw missingParameter('CidrBlock');
  const range = parseCidr(given);
  if (range === undefined) throw invalidValue(given, 'cidrBlock', 'This is not a valid CIDR block.');
  if (range.length < 16 || range.length > 28 || !within.some((cidr) => contains(parseCidr(cidr) as Cidr, range)))
    throw new AwsError('InvalidSubnet.Range', `The CIDR '${given}' is invalid.`);
  const other = network
    .all('subnet')
    .find((one) => one.vpcId === vpcId && overlaps(parseCidr(one.cidr) as Cidr, range));
  if (other !== undefined)
    throw new AwsError('InvalidSubnet.Conflict', `The CIDR '${given}' conflicts with another subnet, ${other.id}`);
  return range;
}

/** The zone that a request names, or the first. @throws InvalidParameterValue, InvalidParameterCombination */
export function zoneFor(
  scene: Scene,
  network: Network,
  {
    AvailabilityZone: name,
    AvailabilityZoneId: id,
  }: { readonly AvailabilityZone?: string | undefined; readonly AvailabilityZoneId?: string | undefined },
): string {
  if (name !== undefined && id !== undefined)
    throw invalidCombination('Only one of AvailabilityZone and AvailabilityZoneId may be given.');
  const zones = zonesOf(scene, network);
  const zone = zoneNamed(scene, network, name ?? id ?? zones[0] ?? '');
  if (zone === undefined) {
    const known = zones.join(', ');
    throw invalidValue(name ?? id ?? '', 'availabilityZone', `Subnets can currently only be created in: ${known}.`);
  }
  return zone;
}

export const viewSubnet = (scene: Scene, subnet: SubnetRecord, used: number): Of<typeof subnetShape> => ({
  SubnetId: subnet.id,
  SubnetArn: arn(scene, 'subnet', subnet.id),
  VpcId: subnet.vpcId,
  OwnerId: scene.account,
  State: 'available',
  CidrBlock: subnet.cidr,
  AvailabilityZone: subnet.zone,
  AvailabilityZoneId: zoneId(scene, subnet.zone),
  AvailableIpAddressCount: capacityOf(parseCidr(subnet.cidr) as Cidr) - used,
  DefaultForAz: subnet.isDefault,
  MapPublicIpOnLaunch: subnet.mapPublicIpOnLaunch,
  MapCustomerOwnedIpOnLaunch: false,
  AssignIpv6AddressOnCreation: false,
  EnableDns64: false,
  Ipv6Native: false,
  PrivateDnsNameOptionsOnLaunch: {
    HostnameType: 'ip-name',
    EnableResourceNameDnsARecord: false,
    EnableResourceNameDnsAAAARecord: false,
  },
  Tags: tagList(subnet.tags),
});
