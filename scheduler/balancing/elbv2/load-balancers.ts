import { AwsError } from '@slipway/auth/contract';

import type { Networks, SubnetRecord } from '../../network/records/index.ts';
import {
  type AddressPool,
  type BalancerType,
  type Balancing,
  type Draft,
  type LoadBalancerRecord,
  readAttribute,
} from '../records/index.ts';

import { invalidConfiguration, notFound, notPermitted, tooMany, unsupported, validation } from './errors.ts';
import { find, findAll, lookUp, pageOf } from './lists.ts';
import { balancerArn, checkName } from './names.ts';
import { type ElbOperations, mayCreate, mayList, mayOn, operation, type Scene, someOf } from './operation.ts';
import type { BalancerState } from './ports.ts';
import { mostBalancers } from './quotas.ts';
import { list, nothing, type Of, paged, refused, required, struct, tags, text, texts, time } from './shapes.ts';
import { elbTags, inOrder } from './tagging.ts';

const oneAddress = 'A load balancer has one address of this installation (SLIPWAY_LB_ADDRESSES).';
const noIpv6 = 'Load balancers have IPv4 addresses.';

const zone = struct('AvailabilityZone', {
  ZoneName: text,
  SubnetId: text,
  LoadBalancerAddresses: list(struct('LoadBalancerAddress', { IpAddress: text, AllocationId: text })),
});
const balancer = struct('LoadBalancer', {
  LoadBalancerArn: text,
  DNSName: text,
  CanonicalHostedZoneId: text,
  CreatedTime: time,
  LoadBalancerName: text,
  Scheme: text,
  VpcId: text,
  State: struct('LoadBalancerState', { Code: text, Reason: text }),
  Type: text,
  AvailabilityZones: list(zone),
  SecurityGroups: texts,
  IpAddressType: text,
});
const subnetMappings = list(
  struct('SubnetMapping', {
    SubnetId: text,
    AllocationId: refused(text, oneAddress),
    PrivateIPv4Address: refused(text, oneAddress),
    IPv6Address: refused(text, noIpv6),
    SourceNatIpv6Prefix: refused(text, noIpv6),
  }),
);

/** Load balancers, where they are and who may reach them. */
export const loadBalancerOperations: ElbOperations = {
  CreateLoadBalancer: operation({
    input: struct('CreateLoadBalancerInput', {
      Name: required(text),
      Subnets: texts,
      SubnetMappings: subnetMappings,
      SecurityGroups: texts,
      Scheme: text,
      Tags: tags,
      Type: text,
      IpAddressType: text,
      CustomerOwnedIpv4Pool: refused(text, oneAddress),
      EnablePrefixForIpv6SourceNat: refused(text, noIpv6),
      IpamPools: refused(struct('IpamPools', { Ipv4IpamPoolId: text }), oneAddress),
    }),
    output: struct('CreateLoadBalancerOutput', { LoadBalancers: list(balancer) }),
    access: mayCreate('CreateLoadBalancer', ({ Name, Type }, scene) => [
      { arn: balancerArn(scene, { type: Type === 'network' ? 'network' : 'application', name: Name, id: '*' }) },
    ]),
    change: async (input, scene, draft) => {
      const { Name: name, Type: type = 'application', Scheme: scheme = 'internet-facing' } = input;
      checkName(name, 'load balancer');
      if (type === 'gateway') throw unsupported('The type gateway', 'Use application or network.');
      checkIpv4(input.IpAddressType);
      const subnets = await subnetsFor(scene, input);
      const settings = {
        name,
        type: type as BalancerType,
        scheme: scheme as LoadBalancerRecord['scheme'],
        vpcId: subnets[0]?.vpcId ?? '',
        subnets: inZones(subnets),
        securityGroups: await groupsFor(scene, type, subnets[0]?.vpcId ?? '', input.SecurityGroups),
        tags: elbTags.parse(input.Tags),
      };
      const other = draft.named('loadbalancer', name);
      if (other !== undefined) {
        if (isSame(other, settings)) return other;
        throw new AwsError('DuplicateLoadBalancerName', 'A load balancer with the specified name already exists.');
      }
      if (draft.all('loadbalancer').filter((one) => one.type === type).length >= mostBalancers)
        throw tooMany('TooManyLoadBalancers', `${type} load balancers`, mostBalancers);
      return create(scene, draft, settings);
    },
    // It is being provisioned for whoever made it, as ELB says; who asks again is told how it stands.
    answer: (record, scene) => ({ LoadBalancers: [viewBalancer(scene, record, { code: 'provisioning' })] }),
  }),
  DescribeLoadBalancers: operation({
    input: struct('DescribeLoadBalancersInput', { LoadBalancerArns: texts, Names: texts, ...paged }),
    output: struct('DescribeLoadBalancersOutput', { LoadBalancers: list(balancer), NextMarker: text }),
    access: mayList('DescribeLoadBalancers'),
    read: async (input, scene, balancing) => {
      const { LoadBalancerArns: arns = [], Names: names = [] } = input;
      if (arns.length > 0 && names.length > 0)
        throw validation('Load balancer names and load balancer ARNs cannot be specified at the same time');
      const records =
        arns.length > 0
          ? findAll(scene, balancing, 'loadbalancer', arns)
          : names.length > 0
            ? namedBy(balancing, names)
            : balancing.all('loadbalancer');
      const stateOf = await scene.api.traffic.states(scene.account, balancing);
      const { items, more } = await pageOf(
        scene,
        ['DescribeLoadBalancers', arns, names],
        input,
        records,
        ({ name }) => name,
        (record) => viewBalancer(scene, record, stateOf(record)),
      );
      return { LoadBalancers: items, ...more };
    },
  }),
  DeleteLoadBalancer: operation({
    input: struct('DeleteLoadBalancerInput', { LoadBalancerArn: required(text) }),
    output: nothing,
    access: mayOn('DeleteLoadBalancer', ({ LoadBalancerArn }) => [LoadBalancerArn]),
    change: ({ LoadBalancerArn: arn }, scene, draft) => {
      const record = lookUp(scene, draft, 'loadbalancer', arn);
      if (record === undefined) return;
      if (readAttribute(record, 'deletion_protection.enabled') === 'true')
        throw notPermitted(`Load balancer '${arn}' cannot be deleted because deletion protection is enabled`);
      for (const listener of draft.listenersOf(record.id)) removeListener(draft, listener.id);
      draft.remove('loadbalancer', record.id);
    },
    answer: settledAnswer,
  }),
  SetSubnets: operation({
    input: struct('SetSubnetsInput', {
      LoadBalancerArn: required(text),
      Subnets: texts,
      SubnetMappings: subnetMappings,
      IpAddressType: text,
      EnablePrefixForIpv6SourceNat: refused(text, noIpv6),
    }),
    output: struct('SetSubnetsOutput', { AvailabilityZones: list(zone), IpAddressType: text }),
    access: mayOn('SetSubnets', ({ LoadBalancerArn }) => [LoadBalancerArn]),
    change: async (input, scene, draft) => {
      const record = find(scene, draft, 'loadbalancer', input.LoadBalancerArn);
      checkIpv4(input.IpAddressType);
      const subnets = await subnetsFor(scene, input);
      if (subnets[0]?.vpcId !== record.vpcId)
        throw new AwsError('InvalidSubnet', `The subnets are not in the load balancer's VPC, ${record.vpcId}`);
      const after = { ...record, subnets: inZones(subnets) };
      draft.put('loadbalancer', after);
      return after;
    },
    answer: (record) => ({ AvailabilityZones: viewZones(record), IpAddressType: 'ipv4' }),
  }),
  SetSecurityGroups: operation({
    input: struct('SetSecurityGroupsInput', {
      LoadBalancerArn: required(text),
      SecurityGroups: required(texts),
      EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: refused(text, 'There are no private links.'),
    }),
    output: struct('SetSecurityGroupsOutput', { SecurityGroupIds: texts }),
    access: mayOn('SetSecurityGroups', ({ LoadBalancerArn }) => [LoadBalancerArn]),
    change: async ({ LoadBalancerArn, SecurityGroups }, scene, draft) => {
      const record = find(scene, draft, 'loadbalancer', LoadBalancerArn);
      if (record.type === 'network' && record.securityGroups.length === 0)
        throw invalidConfiguration(
          'You cannot set security groups on a Network Load Balancer that was created without security groups',
        );
      someOf(SecurityGroups, 'Security groups');
      const after = {
        ...record,
        securityGroups: await groupsFor(scene, record.type, record.vpcId, SecurityGroups),
      };
      draft.put('loadbalancer', after);
      return after;
    },
    answer: ({ securityGroups }) => ({ SecurityGroupIds: securityGroups }),
  }),
  SetIpAddressType: operation({
    input: struct('SetIpAddressTypeInput', { LoadBalancerArn: required(text), IpAddressType: required(text) }),
    output: struct('SetIpAddressTypeOutput', { IpAddressType: text }),
    access: mayOn('SetIpAddressType', ({ LoadBalancerArn }) => [LoadBalancerArn]),
    read: ({ LoadBalancerArn, IpAddressType }, scene, balancing) => {
      find(scene, balancing, 'loadbalancer', LoadBalancerArn);
      checkIpv4(IpAddressType);
      return { IpAddressType: 'ipv4' };
    },
  }),
};

type Settings = Pick<LoadBalancerRecord, 'name' | 'type' | 'scheme' | 'vpcId' | 'subnets' | 'securityGroups' | 'tags'>;

function create({ api }: Scene, draft: Draft, settings: Settings): LoadBalancerRecord {
  const record: LoadBalancerRecord = { ...settings, ...placeFor(api.pool, draft, settings.name), attributes: {} };
  draft.put('loadbalancer', record);
  return record;
}

/** Where a new load balancer is found. @throws InvalidConfigurationRequest when the pool is empty */
export function placeFor(
  pool: AddressPool,
  draft: Draft,
  name: string,
): Pick<LoadBalancerRecord, 'id' | 'address' | 'dnsName' | 'createdAt'> {
  const address = pool.next(draft.carried.all('loadbalancer').map((one) => one.address));
  if (address === undefined)
    throw invalidConfiguration('There is no address for a load balancer: give some in SLIPWAY_LB_ADDRESSES.');
  const id = draft.newId();
  return { id, address, dnsName: `${name}-${id}.${pool.domain}`.toLowerCase(), createdAt: draft.now };
}

/** Whether a load balancer is what another request for the same name asks for. */
const isSame = (one: LoadBalancerRecord, other: Settings): boolean =>
  one.type === other.type &&
  one.scheme === other.scheme &&
  sorted(one.subnets.map(({ id }) => id)) === sorted(other.subnets.map(({ id }) => id)) &&
  sorted(one.securityGroups) === sorted(other.securityGroups) &&
  inOrder(one.tags) === inOrder(other.tags);

const sorted = (texts: readonly string[]): string => JSON.stringify(texts.toSorted());

function checkIpv4(given = 'ipv4'): void {
  if (given !== 'ipv4') throw unsupported(`The IP address type ${given}`, noIpv6);
}

/** What is needed to look subnets and groups up. */
interface NetworkScene {
  readonly api: { readonly networks: Networks };
  readonly account: string;
}

interface SubnetInput {
  readonly Subnets?: readonly string[] | undefined;
  readonly SubnetMappings?: readonly { readonly SubnetId?: string | undefined }[] | undefined;
}

/** The subnets that a request names: one VPC's, each in a zone of its own. @throws ValidationError, SubnetNotFound, InvalidConfigurationRequest */
export async function subnetsFor(
  { api, account }: NetworkScene,
  { Subnets: ids = [], SubnetMappings: mappings = [] }: SubnetInput,
): Promise<readonly SubnetRecord[]> {
  if (ids.length > 0 && mappings.length > 0)
    throw validation('You must specify either subnets or subnet mappings, not both');
  const asked = ids.length > 0 ? ids : mappings.map(({ SubnetId = '' }) => SubnetId);
  const network = await api.networks.read(account);
  const subnets = [...new Set(someOf(asked, 'Subnets'))].map((id) => {
    const subnet = network.get('subnet', id);
    if (subnet === undefined)
      throw new AwsError('SubnetNotFound', `The subnet ID '${id.slice(0, 100)}' does not exist`);
    return subnet;
  });
  if (new Set(subnets.map(({ vpcId }) => vpcId)).size > 1)
    throw new AwsError('InvalidSubnet', 'All subnets of a load balancer must be in one VPC');
  if (new Set(subnets.map((one) => one.zone)).size < subnets.length)
    throw invalidConfiguration('A load balancer cannot be attached to multiple subnets in the same Availability Zone');
  return subnets;
}

export const inZones = (subnets: readonly SubnetRecord[]): LoadBalancerRecord['subnets'] =>
  subnets.map(({ id, zone: name }) => ({ id, zone: name }));

/** The security groups that a load balancer gets: without any, an Application Load Balancer has the VPC's default one. @throws InvalidSecurityGroup */
export async function groupsFor(
  { api, account }: NetworkScene,
  type: string,
  vpcId: string,
  given: readonly string[] = [],
): Promise<readonly string[]> {
  const network = await api.networks.read(account);
  if (given.length === 0) {
    const usual = type === 'application' ? network.defaultGroup(vpcId) : undefined;
    return usual === undefined ? [] : [usual.id];
  }
  const ids = [...new Set(given)];
  for (const id of ids) {
    const group = network.get('security-group', id);
    if (group?.vpcId !== vpcId)
      throw new AwsError('InvalidSecurityGroup', `One or more security groups are invalid: ${id.slice(0, 100)}`);
  }
  return ids;
}

function namedBy(balancing: Balancing, names: readonly string[]): readonly LoadBalancerRecord[] {
  return [...new Set(names)].map((name) => {
    const record = balancing.named('loadbalancer', name);
    if (record === undefined) throw notFound('loadbalancer', 'some');
    return record;
  });
}

/** Removes a listener with its rules; its groups stay. */
export function removeListener(draft: Draft, id: string): void {
  for (const rule of draft.rulesOf(id)) draft.remove('listener-rule', rule.id);
  draft.remove('listener', id);
}

/** An answer without members, once the engines do what was asked for: a port is free again when the answer is there. */
export async function settledAnswer(_made: unknown, { api, account }: Scene, balancing: Balancing): Promise<object> {
  await api.traffic.settled(account, balancing.generation);
  return {};
}

/** The hosted zones that ELB's names are in; tools keep such tables of their own. */
const hostedZones: Readonly<Record<BalancerType, string>> = {
  application: 'Z35SXDOTRQ7X7K',
  network: 'Z26RNL4JYFTOTI',
};

const viewZones = ({ subnets, type, address }: LoadBalancerRecord): Of<typeof zone>[] =>
  subnets.map(({ id, zone: name }) => ({
    ZoneName: name,
    SubnetId: id,
    LoadBalancerAddresses: type === 'network' ? [{ IpAddress: address }] : [],
  }));

const viewBalancer = (scene: Scene, record: LoadBalancerRecord, state: BalancerState): Of<typeof balancer> => ({
  LoadBalancerArn: balancerArn(scene, record),
  DNSName: record.dnsName,
  CanonicalHostedZoneId: hostedZones[record.type],
  CreatedTime: new Date(record.createdAt),
  LoadBalancerName: record.name,
  Scheme: record.scheme,
  VpcId: record.vpcId,
  State: { Code: state.code, ...(state.reason === undefined ? {} : { Reason: state.reason }) },
  Type: record.type,
  AvailabilityZones: viewZones(record),
  SecurityGroups: record.securityGroups,
  IpAddressType: 'ipv4',
});
