import { AwsError } from '@slipway/auth/contract';

import { formatCidr, parseCidr } from '../addresses/index.ts';
import type { Network, RulePeer, RuleTraffic, SecurityGroupRecord, SecurityGroupRuleRecord } from '../records/index.ts';

import { invalidValue, missingParameter, unsupported } from './errors.ts';
import { notFound } from './noun.ts';
import { as, list, number, type Of, struct, text } from './shapes.ts';

/** `IpPermissions` in and out: protocol and ports, with everything that has them. */
export const permission = struct('IpPermission', {
  IpProtocol: text,
  FromPort: number,
  ToPort: number,
  UserIdGroupPairs: as(
    'groups',
    list(
      struct('UserIdGroupPair', {
        Description: text,
        UserId: text,
        GroupName: text,
        GroupId: text,
        VpcId: text,
        VpcPeeringConnectionId: text,
        PeeringStatus: text,
      }),
    ),
  ),
  IpRanges: list(struct('IpRange', { Description: text, CidrIp: text })),
  Ipv6Ranges: list(struct('Ipv6Range', { Description: text, CidrIpv6: text })),
  PrefixListIds: list(struct('PrefixListId', { Description: text, PrefixListId: text })),
});
export type Permission = Of<typeof permission>;

/** What a rule says, without who it belongs to. */
export interface RuleBody extends RuleTraffic {
  readonly peer: RulePeer;
  readonly description?: string;
}

const names: Readonly<Record<string, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', all: '-1' };
const withPorts = new Set(['tcp', 'udp']);
const withTypes = new Set(['icmp', 'icmpv6']);

/**
 * The rules of permissions as they are asked for, one for each peer.
 * @param group whose rules they are; groups that they name are of its VPC
 * @throws InvalidParameterValue, InvalidPermission.Malformed, InvalidGroup.NotFound
 */
export function rulesFrom(
  network: Network,
  group: SecurityGroupRecord,
  permissions: readonly Permission[],
): readonly RuleBody[] {
  return permissions.flatMap((given) => {
    const traffic = trafficOf(given);
    const peers = peersOf(network, group, given);
    if (peers.length === 0)
      throw new AwsError(
        'InvalidPermission.Malformed',
        'A permission names ranges or groups: IpRanges, Ipv6Ranges, UserIdGroupPairs.',
      );
    return peers.map((peer) => ({ ...traffic, ...peer }));
  });
}

/** @throws InvalidParameterValue */
export function trafficOf({
  IpProtocol: protocol,
  FromPort: from,
  ToPort: to,
}: Pick<Permission, 'IpProtocol' | 'FromPort' | 'ToPort'>): RuleTraffic {
  if (protocol === undefined) throw missingParameter('IpProtocol');
  const name = names[protocol.toLowerCase()] ?? protocol.toLowerCase();
  if (withPorts.has(name)) {
    const first = portOf(from, 'fromPort');
    const last = portOf(to, 'toPort');
    if (first > last) throw invalidValue(`${first}-${last}`, 'portRange', 'The from port is greater than the to port.');
    return { protocol: name, from: first, to: last };
  }
  if (withTypes.has(name)) return { protocol: name, from: codeOf(from), to: codeOf(to) };
  if (name !== '-1' && !(/^(?:0|[1-9][0-9]{0,2})$/.test(name) && Number(name) <= 255))
    throw invalidValue(protocol, 'ipProtocol', 'Use tcp, udp, icmp, icmpv6, the number of a protocol, or -1 for all.');
  return { protocol: name };
}

function portOf(port: number | undefined, parameter: string): number {
  if (port === undefined) throw missingParameter(parameter);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalidValue(port, parameter, 'Ports are numbers from 0 to 65535.');
  return port;
}

function codeOf(code: number | undefined): number {
  if (code === undefined) return -1;
  if (!Number.isInteger(code) || code < -1 || code > 255)
    throw invalidValue(code, 'icmpTypeCode', 'Types and codes are numbers from 0 to 255, or -1 for all.');
  return code;
}

type Peer = Pick<RuleBody, 'peer' | 'description'>;

function peersOf(network: Network, group: SecurityGroupRecord, given: Permission): readonly Peer[] {
  const { PrefixListIds: prefixLists = [] } = given;
  if (prefixLists[0] !== undefined) throw noPrefixLists(prefixLists[0].PrefixListId);
  return [
    ...(given.IpRanges ?? []).map(({ CidrIp, Description }) => peer({ cidr: checkedCidr(CidrIp) }, Description)),
    ...(given.Ipv6Ranges ?? []).map(({ CidrIpv6, Description }) =>
      peer({ cidr6: checkedCidr6(CidrIpv6) }, Description),
    ),
    ...(given.UserIdGroupPairs ?? []).map((pair) => {
      if (pair.VpcPeeringConnectionId !== undefined)
        throw unsupported('VpcPeeringConnectionId', 'VPCs are not connected to each other.');
      if (pair.UserId !== undefined && pair.UserId !== '' && pair.UserId !== network.account)
        throw notFound('security-group', pair.GroupId ?? pair.GroupName);
      return peer({ group: groupIn(network, group.vpcId, pair.GroupId, pair.GroupName).id }, pair.Description);
    }),
  ];
}

const peer = (of: RulePeer, description: string | undefined): Peer => ({
  peer: of,
  ...(description === undefined || description === '' ? {} : { description: checkedDescription(description) }),
});

/** There are no prefix lists, so each is unknown. */
export const noPrefixLists = (id: string | undefined): AwsError =>
  new AwsError(
    'InvalidPrefixListID.NotFound',
    `The prefix list ID '${(id ?? '').slice(0, 100)}' does not exist: there are no prefix lists here, name the ranges themselves.`,
  );

/** A group of a VPC by its id or its name. @throws InvalidGroup.NotFound */
export function groupIn(
  network: Network,
  vpcId: string,
  id: string | undefined,
  name: string | undefined,
): SecurityGroupRecord {
  const found =
    id !== undefined && id !== ''
      ? network.get('security-group', id)
      : network.all('security-group').find((one) => one.vpcId === vpcId && one.name === name);
  if (found === undefined) throw notFound('security-group', id ?? name);
  if (found.vpcId !== vpcId)
    throw new AwsError(
      'InvalidGroup.NotFound',
      `You have specified two resources that belong to different networks: ${found.id} is not in ${vpcId}.`,
    );
  return found;
}

/** A range with its host bits cleared, as EC2 keeps it. @throws InvalidParameterValue */
export function checkedCidr(given: string | undefined): string {
  const range = parseCidr(given ?? '');
  if (range === undefined) throw malformed(given);
  return formatCidr(range);
}

/** A range of IPv6 addresses as it was written: nothing here has such an address, so no two need to be compared. @throws InvalidParameterValue */
export function checkedCidr6(given: string | undefined): string {
  const [, address = '', length = ''] = /^([0-9a-fA-F:]{2,39})\/(0|[1-9][0-9]{0,2})$/.exec(given ?? '') ?? [];
  const groups = address.split(':');
  const isWhole =
    groups.every((group) => group.length <= 4) &&
    (address.split('::').length === 2 ? groups.length <= 9 : groups.length === 8 && !groups.includes(''));
  if (!isWhole || Number(length) > 128 || address.includes(':::')) throw malformed(given);
  return `${address.toLowerCase()}/${length}`;
}

const malformed = (given: string | undefined): AwsError =>
  new AwsError('InvalidParameterValue', `CIDR block ${(given ?? '').slice(0, 100)} is malformed`);

/** @throws InvalidParameterValue */
export function checkedDescription(description: string): string {
  if (description.length > 255 || !/^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]*$/.test(description))
    throw new AwsError(
      'InvalidParameterValue',
      'Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*',
    );
  return description;
}

/** What two rules have in common that let the same through: descriptions and tags do not matter. */
export const identity = ({ protocol, from, to, peer: of }: RuleBody): string =>
  JSON.stringify([protocol, from, to, Object.entries(of)]);

/** Rules as DescribeSecurityGroups shows them: gathered by protocol and ports. */
export function permissionsOf(network: Network, rules: readonly SecurityGroupRuleRecord[]): Permission[] {
  const gathered = Map.groupBy(rules, ({ protocol, from, to }) => JSON.stringify([protocol, from, to]));
  return [...gathered.values()].map((same) => {
    const { protocol, from, to } = same[0] as SecurityGroupRuleRecord;
    const described = ({ description }: SecurityGroupRuleRecord): { Description?: string } =>
      description === undefined ? {} : { Description: description };
    return {
      IpProtocol: protocol,
      ...(from === undefined ? {} : { FromPort: from, ToPort: to }),
      IpRanges: same.flatMap((rule) => ('cidr' in rule.peer ? [{ CidrIp: rule.peer.cidr, ...described(rule) }] : [])),
      Ipv6Ranges: same.flatMap((rule) =>
        'cidr6' in rule.peer ? [{ CidrIpv6: rule.peer.cidr6, ...described(rule) }] : [],
      ),
      PrefixListIds: [],
      UserIdGroupPairs: same.flatMap((rule) =>
        'group' in rule.peer ? [{ GroupId: rule.peer.group, UserId: network.account, ...described(rule) }] : [],
      ),
    };
  });
}
