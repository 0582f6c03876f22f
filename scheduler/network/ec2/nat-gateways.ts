import { AwsError } from '@slipway/auth/contract';

import { assignable, type Cidr, formatAddress, holds, parseAddress, parseCidr } from '../addresses/index.ts';
import {
  associationId,
  type Draft,
  macOf,
  type NatGatewayRecord,
  type Network,
  type SubnetRecord,
} from '../records/index.ts';

import { invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { describeNoun, find, notFound, tagList, tagsFor } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation } from './operation.ts';
import {
  as,
  flag,
  list,
  number,
  type Of,
  refused,
  required,
  struct,
  tags,
  tagSpecifications,
  text,
  texts,
  time,
} from './shapes.ts';

/** How long a deleted one is seen, in milliseconds: clients wait for it to be `deleted` (EC2 user guide, "NAT gateways"). */
const seenAfter = 3_600_000;

const gatewayShape = struct('NatGateway', {
  NatGatewayId: text,
  VpcId: text,
  SubnetId: text,
  State: text,
  ConnectivityType: text,
  CreateTime: time,
  DeleteTime: time,
  NatGatewayAddresses: as(
    'natGatewayAddressSet',
    list(
      struct('NatGatewayAddress', {
        AllocationId: text,
        AssociationId: text,
        NetworkInterfaceId: text,
        PrivateIp: text,
        PublicIp: text,
        IsPrimary: flag,
        Status: text,
      }),
    ),
  ),
  Tags: tags,
});

const oneAddress = 'A NAT gateway has one address: it is a record, and carries no traffic.';
const oneZone = 'A NAT gateway is in the zone of its subnet.';

/** NAT gateways: records that say which subnets reach the outside; what leaves has the address of its host. */
export const natGatewayOperations: Ec2Operations = {
  CreateNatGateway: operation({
    input: struct('CreateNatGatewayRequest', {
      SubnetId: as('SubnetId', text),
      AllocationId: text,
      ConnectivityType: text,
      PrivateIpAddress: text,
      ClientToken: text,
      TagSpecifications: tagSpecifications,
      SecondaryAllocationIds: refused(as('SecondaryAllocationId', texts), oneAddress),
      SecondaryPrivateIpAddresses: refused(as('SecondaryPrivateIpAddress', texts), oneAddress),
      SecondaryPrivateIpAddressCount: refused(number, oneAddress),
      AvailabilityMode: text,
      VpcId: refused(text, oneZone),
      AvailabilityZoneAddresses: refused(
        as('AvailabilityZoneAddress', list(struct('AvailabilityZoneAddress', { AvailabilityZone: text }))),
        oneZone,
      ),
      DryRun: flag,
    }),
    output: struct('CreateNatGatewayResult', { NatGateway: gatewayShape, ClientToken: text }),
    access: mayCreate('CreateNatGateway', 'natgateway', ({ SubnetId, AllocationId }) => [
      ['subnet', SubnetId],
      ...(AllocationId === undefined ? [] : [['elastic-ip', AllocationId] as const]),
    ]),
    change: async (input, _scene, draft) => {
      const {
        ConnectivityType: kind = 'public',
        AllocationId,
        AvailabilityMode: mode = 'zonal',
        ClientToken: token,
      } = input;
      if (input.SubnetId === undefined) throw missingParameter('SubnetId');
      if (mode !== 'zonal') throw invalidValue(mode, 'availabilityMode', oneZone);
      if (kind !== 'public' && kind !== 'private')
        throw invalidValue(kind, 'connectivityType', 'Use public or private.');
      const isPublic = kind === 'public';
      if (isPublic && AllocationId === undefined) throw missingParameter('AllocationId');
      if (!isPublic && AllocationId !== undefined)
        throw invalidCombination('AllocationId may not be given with the connectivity type private.');
      const answered = token === undefined ? {} : { ClientToken: token };
      const id = draft.idFor('natgateway', 'CreateNatGateway', token);
      const present = draft.get('natgateway', id);
      if (present !== undefined) return { NatGateway: viewGateway(draft, present), ...answered };
      const subnet = find(draft, 'subnet', input.SubnetId);
      if (isPublic && !draft.all('internet-gateway').some(({ vpcId }) => vpcId === subnet.vpcId))
        throw new AwsError('Gateway.NotAttached', `Network ${subnet.vpcId} has no Internet gateway attached`);
      const address = await addressIn(draft, subnet, input.PrivateIpAddress);
      const interfaceId = draft.newId('network-interface', '');
      const gateway: NatGatewayRecord = {
        id,
        vpcId: subnet.vpcId,
        subnetId: subnet.id,
        isPublic,
        interfaceId,
        privateAddress: address,
        ...(AllocationId === undefined ? {} : { allocationId: AllocationId }),
        createdAt: draft.now,
        tags: tagsFor('natgateway', input.TagSpecifications),
      };
      if (AllocationId !== undefined) associate(draft, AllocationId, interfaceId, address);
      draft.putInterface({
        id: interfaceId,
        vpcId: subnet.vpcId,
        subnetId: subnet.id,
        zone: subnet.zone,
        address,
        mac: macOf(interfaceId),
        groups: [],
        type: 'nat_gateway',
        description: `Interface for NAT Gateway ${id}`,
        requester: 'amazon-vpc-nat',
        createdAt: draft.now,
        tags: {},
      });
      draft.put('natgateway', gateway);
      return { NatGateway: viewGateway(draft, gateway), ...answered };
    },
  }),
  DescribeNatGateways: describeNoun('natgateway', {
    action: 'DescribeNatGateways',
    ids: 'NatGatewayIds',
    filtersMember: 'Filter',
    result: ['NatGateways', 'natGatewaySet'],
    shape: gatewayShape,
    rows: ({ call }, network) =>
      network
        .all('natgateway')
        .filter(({ deletedAt }) => deletedAt === undefined || deletedAt + seenAfter > call.time.getTime()),
    filters: () => ({
      'nat-gateway-id': ({ id }) => id,
      'subnet-id': ({ subnetId }) => subnetId,
      'vpc-id': ({ vpcId }) => vpcId,
      state: stateOf,
    }),
    view: (_scene, network) => (gateway) => viewGateway(network, gateway),
  }),
  DeleteNatGateway: operation({
    input: struct('DeleteNatGatewayRequest', { NatGatewayId: required(text), DryRun: flag }),
    output: struct('DeleteNatGatewayResult', { NatGatewayId: text }),
    access: mayOn('DeleteNatGateway', ({ NatGatewayId }) => [['natgateway', NatGatewayId]]),
    change: async (input, _scene, draft) => {
      const gateway = find(draft, 'natgateway', input.NatGatewayId);
      for (const { id, deletedAt } of draft.all('natgateway'))
        if (deletedAt !== undefined && deletedAt + seenAfter <= draft.now) draft.remove('natgateway', id);
      if (gateway.deletedAt !== undefined) return { NatGatewayId: gateway.id };
      const own = await draft.interface(gateway.interfaceId);
      if (own !== undefined) draft.removeInterface(own);
      const elastic = draft.get('elastic-ip', gateway.allocationId);
      if (elastic !== undefined) {
        const { association: _ended, ...free } = elastic;
        draft.put('elastic-ip', free);
      }
      draft.put('natgateway', { ...gateway, deletedAt: draft.now });
      return { NatGatewayId: gateway.id };
    },
  }),
};

/** A free address of a subnet: the one that is asked for, or the lowest. @throws InvalidParameterValue, InvalidIPAddress.InUse, InsufficientFreeAddressesInSubnet */
async function addressIn(draft: Draft, subnet: SubnetRecord, wanted: string | undefined): Promise<string> {
  const range = parseCidr(subnet.cidr) as Cidr;
  if (wanted === undefined) {
    const free = await draft.freeAddress(subnet);
    if (free === undefined)
      throw new AwsError(
        'InsufficientFreeAddressesInSubnet',
        `There are not enough free addresses in subnet '${subnet.id}' to satisfy the requested number.`,
      );
    return free;
  }
  const address = parseAddress(wanted);
  if (address === undefined || !holds(range, address) || !assignable(range, address))
    throw invalidValue(
      wanted,
      'privateIpAddress',
      `Address does not fall within the subnet's address range ${subnet.cidr}, or is reserved.`,
    );
  if ((await draft.holder(subnet.id, formatAddress(address))) !== undefined)
    throw new AwsError('InvalidIPAddress.InUse', `The address '${wanted}' is in use.`);
  return formatAddress(address);
}

/** Gives an elastic address to an interface. @throws InvalidAllocationID.NotFound, Resource.AlreadyAssociated */
export function associate(draft: Draft, allocationId: string, interfaceId: string, privateAddress: string): string {
  const elastic = draft.get('elastic-ip', allocationId);
  if (elastic === undefined) throw notFound('elastic-ip', allocationId);
  if (elastic.association !== undefined)
    throw new AwsError('Resource.AlreadyAssociated', `Elastic IP address [${allocationId}] is already associated`);
  const id = associationId('eipassoc', draft.newId('elastic-ip', ''));
  draft.put('elastic-ip', { ...elastic, association: { id, interfaceId, privateAddress } });
  return id;
}

const stateOf = ({ deletedAt }: NatGatewayRecord): string => (deletedAt === undefined ? 'available' : 'deleted');

function viewGateway(network: Network, gateway: NatGatewayRecord): Of<typeof gatewayShape> {
  const { deletedAt, allocationId } = gateway;
  const elastic = deletedAt === undefined ? network.get('elastic-ip', allocationId) : undefined;
  return {
    NatGatewayId: gateway.id,
    VpcId: gateway.vpcId,
    SubnetId: gateway.subnetId,
    State: stateOf(gateway),
    ConnectivityType: gateway.isPublic ? 'public' : 'private',
    CreateTime: new Date(gateway.createdAt),
    ...(deletedAt === undefined ? {} : { DeleteTime: new Date(deletedAt) }),
    NatGatewayAddresses: [
      {
        NetworkInterfaceId: gateway.interfaceId,
        PrivateIp: gateway.privateAddress,
        ...(allocationId === undefined ? {} : { AllocationId: allocationId }),
        ...(elastic === undefined ? {} : { PublicIp: elastic.address }),
        ...(elastic?.association === undefined ? {} : { AssociationId: elastic.association.id }),
        IsPrimary: true,
        Status: 'succeeded',
      },
    ],
    Tags: tagList(gateway.tags),
  };
}
