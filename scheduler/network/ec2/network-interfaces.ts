import type { Network, NetworkInterfaceRecord } from '../records/index.ts';

import { describeOperation, notFound, tagList } from './noun.ts';
import type { Ec2Operations, Scene } from './operation.ts';
import { as, flag, list, type Of, struct, tag, text } from './shapes.ts';

const association = struct('NetworkInterfaceAssociation', {
  AllocationId: text,
  AssociationId: text,
  IpOwnerId: text,
  PublicIp: text,
});

const interfaceShape = struct('NetworkInterface', {
  NetworkInterfaceId: text,
  SubnetId: text,
  VpcId: text,
  AvailabilityZone: text,
  OwnerId: text,
  Description: text,
  Status: text,
  InterfaceType: text,
  MacAddress: text,
  PrivateIpAddress: text,
  PrivateDnsName: text,
  PrivateIpAddresses: as(
    'privateIpAddressesSet',
    list(
      struct('NetworkInterfacePrivateIpAddress', {
        Primary: flag,
        PrivateIpAddress: text,
        PrivateDnsName: text,
        Association: association,
      }),
    ),
  ),
  Association: association,
  Groups: as('groupSet', list(struct('GroupIdentifier', { GroupId: text, GroupName: text }))),
  RequesterId: text,
  RequesterManaged: flag,
  SourceDestCheck: flag,
  TagSet: as('tagSet', list(tag)),
});

/** Network interfaces: made with tasks and NAT gateways, and ended with them. */
export const networkInterfaceOperations: Ec2Operations = {
  DescribeNetworkInterfaces: describeOperation({
    action: 'DescribeNetworkInterfaces',
    ids: 'NetworkInterfaceIds',
    idOf: ({ id }: NetworkInterfaceRecord) => id,
    unknown: (id) => notFound('network-interface', id),
    result: ['NetworkInterfaces', 'networkInterfaceSet'],
    shape: interfaceShape,
    further: { IncludeManagedResources: flag },
    rows: ({ api, account }) => api.networks.interfaces(account),
    filters: (network, { account }) => ({
      'network-interface-id': ({ id }) => id,
      'subnet-id': ({ subnetId }) => subnetId,
      'vpc-id': ({ vpcId }) => vpcId,
      'availability-zone': ({ zone }) => zone,
      'group-id': ({ groups }) => groups,
      'group-name': ({ groups }) => groups.map((id) => network.get('security-group', id)?.name),
      'private-ip-address': ({ address }) => address,
      'addresses.private-ip-address': ({ address }) => address,
      'addresses.primary': () => 'true',
      'addresses.association.public-ip': (it) => elasticOf(network, it)?.address,
      'association.public-ip': (it) => elasticOf(network, it)?.address,
      'association.allocation-id': (it) => elasticOf(network, it)?.id,
      'association.association-id': (it) => elasticOf(network, it)?.association?.id,
      'attachment.attachment-id': () => undefined,
      'attachment.instance-id': () => undefined,
      'attachment.instance-owner-id': () => undefined,
      'attachment.status': () => 'attached',
      description: (it) => it.description,
      'interface-type': ({ type }) => type,
      'mac-address': ({ mac }) => mac,
      'owner-id': () => account,
      'private-dns-name': nameOf,
      'requester-id': ({ requester }) => (requester === '' ? undefined : requester),
      'requester-managed': ({ requester }) => requester !== '',
      'source-dest-check': () => 'true',
      status: () => 'in-use',
    }),
    view: (scene, network) => (it) => viewInterface(scene, network, it),
  }),
};

const elasticOf = (network: Network, { id }: NetworkInterfaceRecord) =>
  network.all('elastic-ip').find((elastic) => elastic.association?.interfaceId === id);

/** As EC2 names what has an address. */
const nameOf = ({ address }: NetworkInterfaceRecord): string => `ip-${address.replaceAll('.', '-')}.ec2.internal`;

function viewInterface(scene: Scene, network: Network, it: NetworkInterfaceRecord): Of<typeof interfaceShape> {
  const elastic = elasticOf(network, it);
  const associated =
    elastic?.association === undefined
      ? {}
      : {
          Association: {
            AllocationId: elastic.id,
            AssociationId: elastic.association.id,
            IpOwnerId: scene.account,
            PublicIp: elastic.address,
          },
        };
  return {
    NetworkInterfaceId: it.id,
    SubnetId: it.subnetId,
    VpcId: it.vpcId,
    AvailabilityZone: it.zone,
    OwnerId: scene.account,
    Description: it.description,
    Status: 'in-use',
    InterfaceType: it.type,
    MacAddress: it.mac,
    PrivateIpAddress: it.address,
    PrivateDnsName: nameOf(it),
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: it.address, PrivateDnsName: nameOf(it), ...associated }],
    ...associated,
    Groups: it.groups.map((id) => ({ GroupId: id, GroupName: network.get('security-group', id)?.name })),
    ...(it.requester === '' ? {} : { RequesterId: it.requester }),
    RequesterManaged: it.requester !== '',
    SourceDestCheck: true,
    TagSet: tagList(it.tags),
  };
}
