import { AwsError } from '@slipway/auth/contract';

import { formatAddress, lastOf, parseAddress, parseCidr, type Cidr } from '../addresses/index.ts';
import type { ElasticAddressRecord, Network } from '../records/index.ts';

import { invalidValue, missingParameter, unsupported } from './errors.ts';
import { associate } from './nat-gateways.ts';
import { describeNoun, describeOperation, find, notFound, tagList, tagsFor, unknownAssociation } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { as, flag, nothing, type Of, refused, struct, tags, tagSpecifications, text, texts } from './shapes.ts';

/** The range that elastic addresses come from: one for measurements (RFC 2544), which is routed nowhere, so none is anybody's. */
const range = parseCidr('198.18.0.0/15') as Cidr;
/** As many as can be looked through at once; EC2's own quota is 5. */
const mostAddresses = 1000;

const noPools = 'Addresses come from one pool, and are records: what leaves a host has the address of the host.';
const noOwn = 'Interfaces belong to tasks and NAT gateways, which have what addresses they need.';

const addressShape = struct('Address', {
  AllocationId: text,
  AssociationId: text,
  Domain: text,
  NetworkInterfaceId: text,
  NetworkInterfaceOwnerId: text,
  PrivateIpAddress: text,
  PublicIp: text,
  PublicIpv4Pool: text,
  NetworkBorderGroup: text,
  Tags: tags,
});

/** Elastic addresses: records that public NAT gateways need. */
export const elasticAddressOperations: Ec2Operations = {
  AllocateAddress: operation({
    input: struct('AllocateAddressRequest', {
      Domain: as('Domain', text),
      NetworkBorderGroup: text,
      TagSpecifications: tagSpecifications,
      Address: refused(text, noPools),
      PublicIpv4Pool: refused(text, noPools),
      CustomerOwnedIpv4Pool: refused(text, noPools),
      IpamPoolId: refused(text, noPools),
      DryRun: flag,
    }),
    output: struct('AllocateAddressResult', {
      AllocationId: text,
      PublicIp: text,
      PublicIpv4Pool: text,
      NetworkBorderGroup: text,
      Domain: text,
    }),
    access: mayCreate('AllocateAddress', 'elastic-ip'),
    change: (input, { region }, draft) => {
      const { Domain: domain = 'vpc', NetworkBorderGroup: group = region } = input;
      if (domain !== 'vpc') throw invalidValue(domain, 'domain', 'Use vpc.');
      if (group !== region) throw invalidValue(group, 'networkBorderGroup', `Use ${region}.`);
      const taken = new Set(draft.all('elastic-ip').map(({ address }) => parseAddress(address)));
      if (taken.size >= mostAddresses)
        throw new AwsError('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
      let next = range.base + 1;
      while (taken.has(next) && next < lastOf(range)) next++;
      const elastic: ElasticAddressRecord = {
        id: draft.newId('elastic-ip', ''),
        address: formatAddress(next),
        tags: tagsFor('elastic-ip', input.TagSpecifications),
      };
      draft.put('elastic-ip', elastic);
      return {
        AllocationId: elastic.id,
        PublicIp: elastic.address,
        PublicIpv4Pool: 'amazon',
        NetworkBorderGroup: region,
        Domain: 'vpc',
      };
    },
  }),
  DescribeAddresses: describeNoun('elastic-ip', {
    action: 'DescribeAddresses',
    ids: 'AllocationIds',
    result: ['Addresses', 'addressesSet'],
    pages: false,
    shape: addressShape,
    further: { PublicIps: as('PublicIp', texts) },
    narrow: (input, rows) => {
      const { PublicIps: wanted = [] } = input as { readonly PublicIps?: readonly string[] };
      if (wanted.length === 0) return rows;
      return wanted.map((address) => {
        const found = rows.find((one) => one.address === address);
        if (found === undefined) throw unknownAddress(address);
        return found;
      });
    },
    filters: (_network, { account, region }) => ({
      'allocation-id': ({ id }) => id,
      'association-id': ({ association }) => association?.id,
      'network-interface-id': ({ association }) => association?.interfaceId,
      'network-interface-owner-id': ({ association }) => (association === undefined ? undefined : account),
      'private-ip-address': ({ association }) => association?.privateAddress,
      'public-ip': ({ address }) => address,
      'instance-id': () => undefined,
      'network-border-group': () => region,
      domain: () => 'vpc',
    }),
    view: (scene) => (elastic) => viewAddress(scene, elastic),
  }),
  DescribeAddressesAttribute: describeOperation({
    action: 'DescribeAddressesAttribute',
    ids: 'AllocationIds',
    idOf: ({ id }: ElasticAddressRecord) => id,
    unknown: (id) => notFound('elastic-ip', id),
    result: ['Addresses', 'addressSet'],
    shape: struct('AddressAttribute', { PublicIp: text, AllocationId: text }),
    further: { Attribute: text },
    filtersMember: null,
    narrow: (input, rows) => {
      const { Attribute: attribute } = input as { readonly Attribute?: string };
      if (attribute !== undefined && attribute !== 'domain-name')
        throw invalidValue(attribute, 'attribute', 'Use domain-name.');
      return rows;
    },
    filters: () => ({}),
    rows: (_scene, network) => network.all('elastic-ip'),
    view: () => (elastic) => ({ PublicIp: elastic.address, AllocationId: elastic.id }),
  }),
  AssociateAddress: operation({
    input: struct('AssociateAddressRequest', {
      AllocationId: as('AllocationId', text),
      NetworkInterfaceId: text,
      PrivateIpAddress: text,
      AllowReassociation: flag,
      PublicIp: as('PublicIp', text),
      InstanceId: refused(as('InstanceId', text), 'There are no instances.'),
      DryRun: flag,
    }),
    output: struct('AssociateAddressResult', { AssociationId: text }),
    access: mayOn('AssociateAddress', ({ AllocationId, PublicIp }, network) => [
      ['elastic-ip', AllocationId ?? byAddress(network, PublicIp)?.id],
    ]),
    change: async (input, _scene, draft) => {
      const { AllocationId, PublicIp, NetworkInterfaceId: interfaceId } = input;
      const id = AllocationId ?? byAddress(draft, PublicIp)?.id;
      if (id === undefined) throw PublicIp === undefined ? missingParameter('AllocationId') : unknownAddress(PublicIp);
      if (interfaceId === undefined) throw missingParameter('NetworkInterfaceId');
      const target = await draft.interface(interfaceId);
      if (target === undefined) throw notFound('network-interface', interfaceId);
      if (target.requester !== '') throw unsupported(`An address for ${interfaceId}`, noOwn);
      const { PrivateIpAddress: own = target.address } = input;
      if (own !== target.address) throw invalidValue(own, 'privateIpAddress', `The interface has ${target.address}.`);
      const elastic = find(draft, 'elastic-ip', id);
      if (elastic.association !== undefined && input.AllowReassociation === true) {
        const { association: _before, ...free } = elastic;
        draft.put('elastic-ip', free);
      }
      return { AssociationId: associate(draft, id, interfaceId, own) };
    },
  }),
  DisassociateAddress: operation({
    input: struct('DisassociateAddressRequest', {
      AssociationId: as('AssociationId', text),
      PublicIp: as('PublicIp', text),
      DryRun: flag,
    }),
    output: nothing,
    access: mayOn('DisassociateAddress', (input, network) => [['elastic-ip', holderOf(network, input)?.id]]),
    change: (input, _scene, draft) => {
      const elastic = holderOf(draft, input);
      if (elastic?.association === undefined) throw unknownAssociation(input.AssociationId ?? input.PublicIp);
      const { association, ...free } = elastic;
      const nat = draft.all('natgateway').find(({ interfaceId }) => interfaceId === association.interfaceId);
      if (nat !== undefined)
        throw new AwsError(
          'InvalidIPAddress.InUse',
          `The address ${elastic.address} is that of ${nat.id}: delete the NAT gateway first.`,
        );
      draft.put('elastic-ip', free);
      return {};
    },
  }),
  ReleaseAddress: operation({
    input: struct('ReleaseAddressRequest', {
      AllocationId: as('AllocationId', text),
      PublicIp: as('PublicIp', text),
      NetworkBorderGroup: as('NetworkBorderGroup', text),
      DryRun: flag,
    }),
    output: nothing,
    access: mayOn('ReleaseAddress', ({ AllocationId, PublicIp }, network) => [
      ['elastic-ip', AllocationId ?? byAddress(network, PublicIp)?.id],
    ]),
    change: (input, { region }, draft) => {
      const { AllocationId, PublicIp, NetworkBorderGroup: group = region } = input;
      if (group !== region) throw invalidValue(group, 'networkBorderGroup', `Use ${region}.`);
      const id = AllocationId ?? byAddress(draft, PublicIp)?.id;
      if (id === undefined) throw PublicIp === undefined ? missingParameter('AllocationId') : unknownAddress(PublicIp);
      const elastic = find(draft, 'elastic-ip', id);
      if (elastic.association !== undefined)
        throw new AwsError('InvalidIPAddress.InUse', `Address ${elastic.address} is in use.`);
      draft.remove('elastic-ip', id);
      return {};
    },
  }),
};

const byAddress = (network: Network, address: string | undefined): ElasticAddressRecord | undefined =>
  address === undefined ? undefined : network.all('elastic-ip').find((one) => one.address === address);

const holderOf = (
  network: Network,
  {
    AssociationId: id,
    PublicIp: address,
  }: { readonly AssociationId?: string | undefined; readonly PublicIp?: string | undefined },
): ElasticAddressRecord | undefined =>
  id === undefined
    ? byAddress(network, address)
    : network.all('elastic-ip').find(({ association }) => association?.id === id);

const unknownAddress = (address: string): AwsError =>
  new AwsError('InvalidAddress.NotFound', `Address '${address.slice(0, 100)}' not found.`);

const viewAddress = ({ account, region }: Scene, elastic: ElasticAddressRecord): Of<typeof addressShape> => ({
  AllocationId: elastic.id,
  Domain: 'vpc',
  PublicIp: elastic.address,
  PublicIpv4Pool: 'amazon',
  NetworkBorderGroup: region,
  ...(elastic.association === undefined
    ? {}
    : {
        AssociationId: elastic.association.id,
        NetworkInterfaceId: elastic.association.interfaceId,
        NetworkInterfaceOwnerId: account,
        PrivateIpAddress: elastic.association.privateAddress,
      }),
  Tags: tagList(elastic.tags),
});
