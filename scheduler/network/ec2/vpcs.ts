import { AwsError } from '@slipway/auth/contract';

import { contains, formatCidr, overlaps, parseCidr, usable, type Cidr } from '../addresses/index.ts';
import { associationId, type Draft, type Network, type VpcRecord, vpcRows } from '../records/index.ts';

import { dependency, invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { describeNoun, find, tagList, tagsFor, unknownAssociation } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import {
  as,
  attribute,
  flag,
  list,
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

export const noIpv6 = 'There are no IPv6 addresses: give a range of IPv4 addresses alone.';
export const noPools = 'There are no pools of addresses (IPAM): give the range itself.';

const cidrAssociation = struct('VpcCidrBlockAssociation', {
  AssociationId: text,
  CidrBlock: text,
  CidrBlockState: struct('VpcCidrBlockState', { State: text }),
});

export const vpcShape = struct('Vpc', {
  VpcId: text,
  OwnerId: text,
  State: text,
  CidrBlock: text,
  CidrBlockAssociationSet: list(cidrAssociation),
  DhcpOptionsId: text,
  InstanceTenancy: text,
  IsDefault: flag,
  Tags: tags,
});

const rangeMembers = {
  CidrBlock: as('CidrBlock', text),
  Ipv6Pool: refused(text, noIpv6),
  Ipv6CidrBlock: refused(text, noIpv6),
  Ipv4IpamPoolId: refused(text, noPools),
  Ipv4NetmaskLength: refused(number, noPools),
  Ipv6IpamPoolId: refused(text, noPools),
  Ipv6NetmaskLength: refused(number, noPools),
  Ipv6CidrBlockNetworkBorderGroup: refused(text, noIpv6),
  AmazonProvidedIpv6CidrBlock: refused(flag, noIpv6),
} as const;

/** VPCs with their ranges and attributes. */
export const vpcOperations: Ec2Operations = {
  CreateVpc: operation({
    input: struct('CreateVpcRequest', {
      ...rangeMembers,
      InstanceTenancy: text,
      VpcEncryptionControl: refused(
        struct('VpcEncryptionControlConfiguration', { Mode: text }),
        'What hosts send to each other is encrypted by how they are connected, not by VPC.',
      ),
      TagSpecifications: tagSpecifications,
      DryRun: flag,
    }),
    output: struct('CreateVpcResult', { Vpc: vpcShape }),
    access: mayCreate('CreateVpc', 'vpc'),
    change: (input, scene, draft) => {
      const { InstanceTenancy: tenancy = 'default' } = input;
      if (tenancy !== 'default')
        throw invalidValue(tenancy, 'instanceTenancy', 'Hosts are shared by all VPCs here: use default.');
      const cidr = checkedRange(input.CidrBlock);
      const id = draft.newId('vpc', '');
      const vpc: VpcRecord = {
        id,
        cidrs: [{ associationId: associationId('vpc-cidr-assoc', draft.newId('vpc', '')), cidr: formatCidr(cidr) }],
        isDefault: false,
        dhcpOptionsId: defaultOptions(draft),
        enableDnsSupport: true,
        enableDnsHostnames: false,
        enableNetworkAddressUsageMetrics: false,
        tags: tagsFor('vpc', input.TagSpecifications),
      };
      for (const { type, record } of vpcRows(vpc, draft.newId)) draft.put(type, record as never);
      return { Vpc: viewVpc(scene, vpc) };
    },
  }),
  DescribeVpcs: describeNoun('vpc', {
    action: 'DescribeVpcs',
    ids: 'VpcIds',
    result: ['Vpcs', 'vpcSet'],
    shape: vpcShape,
    filters: (_network, { account }) => ({
      'vpc-id': ({ id }) => id,
      cidr: ({ cidrs }) => cidrs[0]?.cidr,
      'cidr-block': ({ cidrs }) => cidrs[0]?.cidr,
      'cidr-block-association.cidr-block': ({ cidrs }) => cidrs.map(({ cidr }) => cidr),
      'cidr-block-association.association-id': ({ cidrs }) => cidrs.map((one) => one.associationId),
      'cidr-block-association.state': () => 'associated',
      'dhcp-options-id': ({ dhcpOptionsId }) => dhcpOptionsId,
      'is-default': ({ isDefault }) => isDefault,
      isDefault: ({ isDefault }) => isDefault,
      'owner-id': () => account,
      state: () => 'available',
    }),
    view: (scene) => (vpc) => viewVpc(scene, vpc),
  }),
  DescribeVpcAttribute: operation({
    input: struct('DescribeVpcAttributeRequest', { VpcId: required(text), Attribute: required(text), DryRun: flag }),
    output: struct('DescribeVpcAttributeResult', {
      VpcId: text,
      EnableDnsSupport: attribute,
      EnableDnsHostnames: attribute,
      EnableNetworkAddressUsageMetrics: attribute,
    }),
    access: mayOn('DescribeVpcAttribute', ({ VpcId }) => [['vpc', VpcId]]),
    read: (input, _scene, network) => {
      const vpc = find(network, 'vpc', input.VpcId);
      const asked = attributes.find(([name]) => name === input.Attribute);
      if (asked === undefined)
        throw invalidValue(input.Attribute, 'Attribute', `Use ${attributes.map(([name]) => name).join(', ')}.`);
      const [name, member] = asked;
      return { VpcId: vpc.id, [member]: { Value: vpc[name] } };
    },
  }),
  ModifyVpcAttribute: operation({
    input: struct('ModifyVpcAttributeRequest', {
      VpcId: required(text),
      EnableDnsSupport: attribute,
      EnableDnsHostnames: attribute,
      EnableNetworkAddressUsageMetrics: attribute,
    }),
    output: nothing,
    access: mayOn('ModifyVpcAttribute', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, _scene, draft) => {
      const vpc = find(draft, 'vpc', input.VpcId);
      const given = attributes.filter(([, member]) => input[member] !== undefined);
      if (given.length !== 1) throw invalidCombination('Fields for multiple attribute types specified');
      const changes = given.map(([name, member]) => [name, input[member]?.Value === true]);
      draft.put('vpc', { ...vpc, ...(Object.fromEntries(changes) as Partial<VpcRecord>) });
      return {};
    },
  }),
  DeleteVpc: operation({
    input: struct('DeleteVpcRequest', { VpcId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DeleteVpc', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, _scene, draft) => {
      const vpc = find(draft, 'vpc', input.VpcId);
      removeVpc(draft, vpc);
      return {};
    },
  }),
  AssociateVpcCidrBlock: operation({
    input: struct('AssociateVpcCidrBlockRequest', { VpcId: required(text), ...rangeMembers }),
    output: struct('AssociateVpcCidrBlockResult', { VpcId: text, CidrBlockAssociation: cidrAssociation }),
    access: mayOn('AssociateVpcCidrBlock', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, _scene, draft) => {
      const vpc = find(draft, 'vpc', input.VpcId);
      const range = checkedRange(input.CidrBlock);
      if (vpc.cidrs.some(({ cidr }) => overlaps(parseCidr(cidr) as Cidr, range)))
        throw new AwsError('InvalidVpc.Range', `The CIDR '${formatCidr(range)}' overlaps with one of the VPC's.`);
      if (vpc.cidrs.length >= mostRanges)
        throw new AwsError(
          'CidrLimitExceeded',
          `This network '${vpc.id}' has met its maximum number of allowed CIDRs: ${mostRanges}`,
        );
      const added = { associationId: associationId('vpc-cidr-assoc', draft.newId('vpc', '')), cidr: formatCidr(range) };
      draft.put('vpc', { ...vpc, cidrs: [...vpc.cidrs, added] });
      return { VpcId: vpc.id, CidrBlockAssociation: viewRange(added) };
    },
  }),
  DisassociateVpcCidrBlock: operation({
    input: struct('DisassociateVpcCidrBlockRequest', { AssociationId: required(text) }),
    output: struct('DisassociateVpcCidrBlockResult', { VpcId: text, CidrBlockAssociation: cidrAssociation }),
    access: mayOn('DisassociateVpcCidrBlock', ({ AssociationId }, network) => [
      ['vpc', holderOf(network, AssociationId)?.id],
    ]),
    change: (input, _scene, draft) => {
      const vpc = holderOf(draft, input.AssociationId);
      const place = vpc?.cidrs.findIndex((one) => one.associationId === input.AssociationId) ?? -1;
      const removed = vpc?.cidrs[place];
      if (vpc === undefined || removed === undefined)
        throw new AwsError(
          'InvalidVpcCidrBlockAssociationID.NotFound',
          unknownAssociation(input.AssociationId).message,
        );
      if (place === 0)
        throw new AwsError('OperationNotPermitted', `The first range of ${vpc.id} stays as long as the VPC does.`);
      const range = parseCidr(removed.cidr) as Cidr;
      const inside = draft
        .all('subnet')
        .find((one) => one.vpcId === vpc.id && contains(range, parseCidr(one.cidr) as Cidr));
      if (inside !== undefined) throw dependency(`The range ${removed.cidr} has the subnet ${inside.id}.`);
      draft.put('vpc', { ...vpc, cidrs: vpc.cidrs.toSpliced(place, 1) });
      return { VpcId: vpc.id, CidrBlockAssociation: viewRange(removed, 'disassociated') };
    },
  }),
};

/** As EC2: five ranges of a VPC. */
const mostRanges = 5;

const attributes = [
  ['enableDnsSupport', 'EnableDnsSupport'],
  ['enableDnsHostnames', 'EnableDnsHostnames'],
  ['enableNetworkAddressUsageMetrics', 'EnableNetworkAddressUsageMetrics'],
] as const;

/** @throws MissingParameter, InvalidParameterValue, InvalidVpc.Range */
function checkedRange(given: string | undefined): Cidr {
  if (given === undefined) throw missingParameter('CidrBlock');
  const range = parseCidr(given);
  if (range === undefined) throw invalidValue(given, 'cidrBlock', 'This is not a valid CIDR block.');
  if (range.length < 16 || range.length > 28)
    throw new AwsError('InvalidVpc.Range', `The CIDR '${given}' is invalid: a VPC has a range from /16 to /28.`);
  if (!usable(range))
    throw new AwsError('InvalidVpc.Range', `The CIDR '${given}' is invalid: no host can have an address in it.`);
  return range;
}

/** The set of options that a new VPC has: that of the default network, which is made again when somebody deleted it. */
function defaultOptions(draft: Draft): string {
  const values = ['AmazonProvidedDNS'];
  const plain = draft
    .all('dhcp-options')
    .find(({ configurations: [only, ...more] }) => more.length === 0 && only?.values[0] === values[0]);
  if (plain !== undefined) return plain.id;
  const id = draft.newId('dhcp-options', '');
  draft.put('dhcp-options', { id, configurations: [{ key: 'domain-name-servers', values }], tags: {} });
  return id;
}

/** Removes a VPC with what it had from the start. @throws DependencyViolation while it has anything else */
function removeVpc(draft: Draft, vpc: VpcRecord): void {
  const inUse = (what: string | undefined): void => {
    if (what !== undefined)
      throw dependency(`The vpc '${vpc.id}' has dependencies and cannot be deleted: delete ${what} first.`);
  };
  const here = (of: { readonly vpcId?: string }): boolean => of.vpcId === vpc.id;
  inUse(draft.all('subnet').find(here)?.id);
  inUse(draft.all('internet-gateway').find(here)?.id);
  inUse(draft.all('natgateway').find((nat) => here(nat) && nat.deletedAt === undefined)?.id);
  const groups = draft.all('security-group').filter(here);
  inUse(groups.find(({ name }) => name !== 'default')?.id);
  const tables = draft.all('route-table').filter(here);
  const main = draft.mainTable(vpc.id);
  inUse(tables.find(({ id }) => id !== main?.id)?.id);
  const acls = draft.all('network-acl').filter(here);
  inUse(acls.find(({ isDefault }) => !isDefault)?.id);
  for (const { id } of groups) {
    for (const rule of draft.rulesOf(id)) draft.remove('security-group-rule', rule.id);
    draft.remove('security-group', id);
  }
  for (const { id } of tables) draft.remove('route-table', id);
  for (const { id } of acls) draft.remove('network-acl', id);
  draft.remove('vpc', vpc.id);
}

const holderOf = (network: Network, id: string | undefined): VpcRecord | undefined =>
  network.all('vpc').find(({ cidrs }) => cidrs.some((one) => one.associationId === id));

const viewRange = (
  { associationId: id, cidr }: VpcRecord['cidrs'][number],
  state = 'associated',
): Of<typeof cidrAssociation> => ({ AssociationId: id, CidrBlock: cidr, CidrBlockState: { State: state } });

export const viewVpc = ({ account }: Scene, vpc: VpcRecord): Of<typeof vpcShape> => ({
  VpcId: vpc.id,
  OwnerId: account,
  State: 'available',
  CidrBlock: vpc.cidrs[0]?.cidr,
  CidrBlockAssociationSet: vpc.cidrs.map((one) => viewRange(one)),
  DhcpOptionsId: vpc.dhcpOptionsId,
  InstanceTenancy: 'default',
  IsDefault: vpc.isDefault,
  Tags: tagList(vpc.tags),
});
