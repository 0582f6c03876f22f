import { AwsError } from '@slipway/auth/contract';

import {
  associationId,
  type Draft,
  type Network,
  type NetworkAclEntryRecord,
  type NetworkAclRecord,
  type SubnetRecord,
} from '../records/index.ts';

import { dependency, invalidCombination, invalidValue, unsupported } from './errors.ts';
import { describeNoun, find, tagList, tagsFor, unknownAssociation } from './noun.ts';
import { type Ec2Operation, type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { checkedCidr, checkedCidr6 } from './permissions.ts';
import { as, flag, list, nothing, number, type Of, required, struct, tags, tagSpecifications, text } from './shapes.ts';

const icmp = struct('IcmpTypeCode', { Code: number, Type: number });
const ports = struct('PortRange', { From: number, To: number });

const aclShape = struct('NetworkAcl', {
  NetworkAclId: text,
  VpcId: text,
  OwnerId: text,
  IsDefault: as('default', flag),
  Entries: as(
    'entrySet',
    list(
      struct('NetworkAclEntry', {
        RuleNumber: number,
        Egress: flag,
        Protocol: text,
        RuleAction: text,
        CidrBlock: text,
        Ipv6CidrBlock: text,
      }),
    ),
  ),
  Associations: as(
    'associationSet',
    list(struct('NetworkAclAssociation', { NetworkAclAssociationId: text, NetworkAclId: text, SubnetId: text })),
  ),
  Tags: tags,
});

const entryInput = struct('NetworkAclEntryRequest', {
  NetworkAclId: required(text),
  RuleNumber: required(number),
  Protocol: required(text),
  RuleAction: required(text),
  Egress: required(flag),
  CidrBlock: text,
  Ipv6CidrBlock: text,
  IcmpTypeCode: as('Icmp', icmp),
  PortRange: ports,
  DryRun: flag,
});

/** As EC2 numbers the entry that every ACL ends with. */
const lastNumber = 32_767;

/**
 * Network ACLs. Hosts enforce security groups, not ACLs: an entry that would keep anything out is refused, so that nobody relies on it.
 * What is left are entries that let everything through, which Terraform's modules put into every VPC.
 */
export const networkAclOperations: Ec2Operations = {
  CreateNetworkAcl: operation({
    input: struct('CreateNetworkAclRequest', {
      VpcId: required(text),
      TagSpecifications: tagSpecifications,
      ClientToken: text,
      DryRun: flag,
    }),
    output: struct('CreateNetworkAclResult', { NetworkAcl: aclShape, ClientToken: text }),
    access: mayCreate('CreateNetworkAcl', 'network-acl', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, scene, draft) => {
      const { id: vpcId } = find(draft, 'vpc', input.VpcId);
      const { ClientToken: token } = input;
      const id = draft.idFor('network-acl', 'CreateNetworkAcl', token);
      const made: NetworkAclRecord = {
        id,
        vpcId,
        isDefault: false,
        entries: [],
        associations: [],
        tags: tagsFor('network-acl', input.TagSpecifications),
      };
      const acl = draft.get('network-acl', id) ?? made;
      if (acl === made) draft.put('network-acl', made);
      return { NetworkAcl: viewAcl(scene, draft, acl), ...(token === undefined ? {} : { ClientToken: token }) };
    },
  }),
  DescribeNetworkAcls: describeNoun('network-acl', {
    action: 'DescribeNetworkAcls',
    ids: 'NetworkAclIds',
    result: ['NetworkAcls', 'networkAclSet'],
    shape: aclShape,
    filters: (network, { account }) => ({
      'network-acl-id': ({ id }) => id,
      'vpc-id': ({ vpcId }) => vpcId,
      'owner-id': () => account,
      default: ({ isDefault }) => isDefault,
      'association.association-id': (acl) => associationsOf(network, acl).map(({ id }) => id),
      'association.network-acl-id': (acl) => associationsOf(network, acl).map(() => acl.id),
      'association.subnet-id': (acl) => associationsOf(network, acl).map(({ subnetId }) => subnetId),
      'entry.cidr': ({ entries }) => entries.map(({ cidr }) => cidr),
      'entry.ipv6-cidr': ({ entries }) => entries.map(({ cidr6 }) => cidr6),
      'entry.egress': ({ entries }) => entries.map(({ egress }) => String(egress)),
      'entry.rule-action': ({ entries }) => ['deny', ...entries.map(() => 'allow')],
      'entry.rule-number': ({ entries }) => [lastNumber, ...entries.map((entry) => entry.number)],
      'entry.protocol': () => '-1',
    }),
    view: (scene, network) => (acl) => viewAcl(scene, network, acl),
  }),
  DeleteNetworkAcl: operation({
    input: struct('DeleteNetworkAclRequest', { NetworkAclId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DeleteNetworkAcl', ({ NetworkAclId }) => [['network-acl', NetworkAclId]]),
    change: (input, _scene, draft) => {
      const acl = find(draft, 'network-acl', input.NetworkAclId);
      if (acl.isDefault)
        throw invalidValue(acl.id, 'networkAclId', 'The default network ACL stays as long as its VPC.');
      if (acl.associations.length > 0)
        throw dependency(`The networkAcl '${acl.id}' has dependencies and cannot be deleted.`);
      draft.remove('network-acl', acl.id);
      return {};
    },
  }),
  CreateNetworkAclEntry: setEntry('CreateNetworkAclEntry', false),
  ReplaceNetworkAclEntry: setEntry('ReplaceNetworkAclEntry', true),
  DeleteNetworkAclEntry: operation({
    input: struct('DeleteNetworkAclEntryRequest', {
      NetworkAclId: required(text),
      RuleNumber: required(number),
      Egress: required(flag),
      DryRun: flag,
    }),
    output: nothing,
    access: mayOn('DeleteNetworkAclEntry', ({ NetworkAclId }) => [['network-acl', NetworkAclId]]),
    change: (input, _scene, draft) => {
      const acl = find(draft, 'network-acl', input.NetworkAclId);
      const { RuleNumber: of, Egress: egress } = input;
      const entries = acl.entries.filter((entry) => entry.number !== of || entry.egress !== egress);
      if (entries.length === acl.entries.length) throw noEntry(acl, of, egress);
      draft.put('network-acl', { ...acl, entries });
      return {};
    },
  }),
  ReplaceNetworkAclAssociation: operation({
    input: struct('ReplaceNetworkAclAssociationRequest', {
      AssociationId: required(text),
      NetworkAclId: required(text),
      DryRun: flag,
    }),
    output: struct('ReplaceNetworkAclAssociationResult', { NewAssociationId: text }),
    access: mayOn('ReplaceNetworkAclAssociation', ({ NetworkAclId }) => [['network-acl', NetworkAclId]]),
    change: (input, _scene, draft) => {
      const to = find(draft, 'network-acl', input.NetworkAclId);
      const subnet = draft.all('subnet').find((one) => associationOf(draft, one).id === input.AssociationId);
      if (subnet === undefined) throw unknownAssociation(input.AssociationId);
      if (subnet.vpcId !== to.vpcId)
        throw invalidValue(
          to.id,
          'networkAclId',
          `Network ACL ${to.id} and subnet ${subnet.id} belong to different networks.`,
        );
      const id = associationId('aclassoc', draft.newId('network-acl', ''));
      leave(draft, subnet);
      const joined = find(draft, 'network-acl', to.id);
      draft.put('network-acl', { ...joined, associations: [...joined.associations, { id, subnetId: subnet.id }] });
      return { NewAssociationId: id };
    },
  }),
};

/** Puts an entry into an ACL: a new one, or another one in the place of that which is there. */
function setEntry(action: string, replaces: boolean): Ec2Operation {
  return operation({
    input: entryInput,
    output: nothing,
    access: mayOn(action, ({ NetworkAclId }) => [['network-acl', NetworkAclId]]),
    change: (input, _scene, draft) => {
      const acl = find(draft, 'network-acl', input.NetworkAclId);
      const entry = entryOf(input);
      const place = acl.entries.findIndex(({ number: of, egress }) => of === entry.number && egress === entry.egress);
      if (replaces && place === -1) throw noEntry(acl, entry.number, entry.egress);
      if (!replaces && place !== -1)
        throw new AwsError(
          'NetworkAclEntryAlreadyExists',
          `The network acl entry identified by ${entry.number} already exists.`,
        );
      const entries = replaces ? acl.entries.with(place, entry) : [...acl.entries, entry];
      draft.put('network-acl', { ...acl, entries });
      return {};
    },
  });
}

/** @throws InvalidParameterValue, InvalidParameterCombination, UnsupportedOperation */
function entryOf(input: Of<typeof entryInput>): NetworkAclEntryRecord {
  const { RuleNumber: of, Egress: egress, CidrBlock: cidr, Ipv6CidrBlock: cidr6 } = input;
  if (!Number.isInteger(of) || of < 1 || of >= lastNumber)
    throw invalidValue(of, 'ruleNumber', `Use 1 to ${lastNumber - 1}.`);
  if ((cidr === undefined) === (cidr6 === undefined))
    throw invalidCombination('An entry has exactly one of CidrBlock and Ipv6CidrBlock.');
  const range = cidr === undefined ? checkedCidr6(cidr6) : checkedCidr(cidr);
  const open =
    input.RuleAction === 'allow' && ['-1', 'all'].includes(input.Protocol) && /^(?:0\.0\.0\.0|::)\/0$/.test(range);
  if (!open)
    throw unsupported(
      'A network ACL entry that lets only some traffic through, or none',
      'Hosts enforce security groups: put the rule into one. Entries may allow all protocols from and to 0.0.0.0/0 or ::/0.',
    );
  return { number: of, egress, ...(cidr === undefined ? { cidr6: range } : { cidr: range }) };
}

const noEntry = ({ id }: NetworkAclRecord, of: number, egress: boolean): AwsError =>
  new AwsError(
    'InvalidNetworkAclEntry.NotFound',
    `Network acl entry with rule number ${of} (${egress ? 'egress' : 'ingress'}) does not exist in ${id}`,
  );

/** How a subnet is associated: with the ACL that has it, or, without being written down, with its VPC's default one. */
function associationOf(network: Network, subnet: SubnetRecord): { readonly id: string } {
  for (const acl of network.all('network-acl')) {
    const found = acl.associations.find(({ subnetId }) => subnetId === subnet.id);
    if (found !== undefined) return found;
  }
  return { id: associationId('aclassoc', subnet.id) };
}

function associationsOf(network: Network, acl: NetworkAclRecord): NetworkAclRecord['associations'] {
  if (!acl.isDefault) return acl.associations;
  const others = new Set(
    network.all('network-acl').flatMap(({ associations }) => associations.map(({ subnetId }) => subnetId)),
  );
  const left = network.all('subnet').filter(({ id, vpcId }) => vpcId === acl.vpcId && !others.has(id));
  return [...acl.associations, ...left.map(({ id }) => ({ id: associationId('aclassoc', id), subnetId: id }))];
}

function leave(draft: Draft, subnet: SubnetRecord): void {
  for (const acl of draft.all('network-acl')) {
    const associations = acl.associations.filter(({ subnetId }) => subnetId !== subnet.id);
    if (associations.length < acl.associations.length) draft.put('network-acl', { ...acl, associations });
  }
}

const viewAcl = (scene: Scene, network: Network, acl: NetworkAclRecord): Of<typeof aclShape> => ({
  NetworkAclId: acl.id,
  VpcId: acl.vpcId,
  OwnerId: scene.account,
  IsDefault: acl.isDefault,
  Entries: [
    ...acl.entries.map(({ number: of, egress, cidr, cidr6 }) => ({
      RuleNumber: of,
      Egress: egress,
      Protocol: '-1',
      RuleAction: 'allow',
      ...(cidr === undefined ? {} : { CidrBlock: cidr }),
      ...(cidr6 === undefined ? {} : { Ipv6CidrBlock: cidr6 }),
    })),
    ...[true, false].map((egress) => ({
      RuleNumber: lastNumber,
      Egress: egress,
      Protocol: '-1',
      RuleAction: 'deny',
      CidrBlock: '0.0.0.0/0',
    })),
  ],
  Associations: associationsOf(network, acl).map(({ id, subnetId }) => ({
    NetworkAclAssociationId: id,
    NetworkAclId: acl.id,
    SubnetId: subnetId,
  })),
  Tags: tagList(acl.tags),
});
