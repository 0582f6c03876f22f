import { createHash } from 'node:crypto';

import { formatCidr, lastOf, overlaps, parseCidr } from '../addresses/index.ts';

import type { Network } from './network.ts';
import {
  type DhcpOptionsRecord,
  type NetworkAclRecord,
  type NetworkRecords,
  type NounType,
  prefixes,
  type RouteTableRecord,
  type SecurityGroupRecord,
  type SecurityGroupRuleRecord,
  type SubnetRecord,
  type VpcRecord,
} from './records.ts';

/** A record and the table that it belongs in. */
export type Row = { readonly [T in NounType]: { readonly type: T; readonly record: NetworkRecords[T] } }[NounType];

/**
 * The range of the default network. Not EC2's 172.31.0.0/16: Docker takes its own networks from 172.16.0.0/12, and a host has both.
 */
const defaultCidr = '10.200.0.0/16';
/** The default network's subnets have 4,096 addresses, as in EC2; so there is room for 16 zones. */
const defaultSubnetLength = 20;

/** Makes the ids of one set of records. */
export type NewId = (type: NounType | 'network-interface', what: string) => string;

/**
 * Ids that are the same whoever makes them: two servers that come upon a new account at once make one default network.
 * @param account its region and number, so that no two accounts have the same ids
 */
export const computedIds =
  (region: string, account: string): NewId =>
  (type, what) =>
    `${prefixes[type]}-${createHash('sha256')
      .update(JSON.stringify([region, account, type, what]))
      .digest('hex')
      .slice(0, 17)}`;

/** What every VPC has from the start: a main route table, an ACL and the group `default`, as EC2 makes them. */
export function vpcRows(vpc: VpcRecord, newId: NewId): Row[] {
  const table: RouteTableRecord = {
    id: newId('route-table', vpc.id),
    vpcId: vpc.id,
    routes: [],
    associations: [{ id: associationId('rtbassoc', newId('route-table', `${vpc.id} association`)) }],
    tags: {},
  };
  const acl: NetworkAclRecord = {
    id: newId('network-acl', vpc.id),
    vpcId: vpc.id,
    isDefault: true,
    entries: [true, false].map((egress) => ({ number: 100, egress, cidr: '0.0.0.0/0' })),
    associations: [],
    tags: {},
  };
  const group: SecurityGroupRecord = {
    id: newId('security-group', vpc.id),
    vpcId: vpc.id,
    name: 'default',
    description: 'default VPC security group',
    tags: {},
  };
  const within: SecurityGroupRuleRecord = {
    id: newId('security-group-rule', `${group.id} ingress`),
    groupId: group.id,
    egress: false,
    protocol: '-1',
    peer: { group: group.id },
    tags: {},
  };
  return [
    { type: 'vpc', record: vpc },
    { type: 'route-table', record: table },
    { type: 'network-acl', record: acl },
    { type: 'security-group', record: group },
    { type: 'security-group-rule', record: within },
    { type: 'security-group-rule', record: allOut(group.id, newId('security-group-rule', `${group.id} egress`)) },
  ];
}

/** The rule that every new group has: it may talk to everybody. */
export const allOut = (groupId: string, id: string): SecurityGroupRuleRecord => ({
  id,
  groupId,
  egress: true,
  protocol: '-1',
  peer: { cidr: '0.0.0.0/0' },
  tags: {},
});

/** The id of an association, made from another id's digits. */
export const associationId = (prefix: string, id: string): string => `${prefix}-${id.slice(id.indexOf('-') + 1)}`;

/** The hardware address of an interface, from the digits of its id: locally administered, of one host (IEEE 802). */
export const macOf = (interfaceId: string): string =>
  ['0a', ...(interfaceId.slice(interfaceId.indexOf('-') + 1, 20).match(/../g) ?? []).slice(0, 5)].join(':');

/**
 * The network of an account that nobody made: what tasks get whose owner made no other. It has an internet gateway, so that they
 * reach the outside as on a plain Docker host.
 */
export function defaultNetwork(newId: NewId): Row[] {
  const vpcId = newId('vpc', 'default');
  const options: DhcpOptionsRecord = {
    id: newId('dhcp-options', 'default'),
    configurations: [{ key: 'domain-name-servers', values: ['AmazonProvidedDNS'] }],
    tags: {},
  };
  const vpc: VpcRecord = {
    id: vpcId,
    cidrs: [{ associationId: associationId('vpc-cidr-assoc', vpcId), cidr: defaultCidr }],
    isDefault: true,
    dhcpOptionsId: options.id,
    enableDnsSupport: true,
    enableDnsHostnames: true,
    enableNetworkAddressUsageMetrics: false,
    tags: {},
  };
  const gatewayId = newId('internet-gateway', 'default');
  return [
    { type: 'dhcp-options', record: options },
    { type: 'internet-gateway', record: { id: gatewayId, vpcId, tags: {} } },
    ...vpcRows(vpc, newId).map((row) =>
      row.type === 'route-table'
        ? { ...row, record: { ...row.record, routes: [{ destination: '0.0.0.0/0', target: { gatewayId } }] } }
        : row,
    ),
  ];
}

/**
 * The default network's subnet of a zone: the first part of its range that meets no other subnet.
 * @returns undefined when the range has no more parts
 */
export function defaultSubnet(network: Network, vpc: VpcRecord, zone: string, newId: NewId): SubnetRecord | undefined {
  const range = parseCidr(vpc.cidrs[0]?.cidr ?? '');
  const taken = network.all('subnet').flatMap(({ vpcId, cidr }) => (vpcId === vpc.id ? (parseCidr(cidr) ?? []) : []));
  if (range === undefined) return undefined;
  const size = 2 ** (32 - defaultSubnetLength);
  for (let base = range.base; base <= lastOf(range); base += size) {
    const part = { base, length: defaultSubnetLength };
    if (taken.some((other) => overlaps(other, part))) continue;
    return {
      id: newId('subnet', `default ${zone}`),
      vpcId: vpc.id,
      cidr: formatCidr(part),
      zone,
      isDefault: true,
      mapPublicIpOnLaunch: true,
      tags: {},
    };
  }
  return undefined;
}
