import type { Network } from './network.ts';
import type { NetworkInterfaceRecord, RulePeer, RuleTraffic, SecurityGroupRuleRecord } from './records.ts';

/** What a rule lets through, as hosts are told it. Numbers of protocols are numbers. */
export interface HostPermission {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | '-1' | number;
  readonly from?: number;
  readonly to?: number;
  readonly peer: Exclude<RulePeer, { readonly cidr6: string }>;
}

/** A group with what it lets in and out. */
export interface HostGroup {
  readonly id: string;
  readonly ingress: readonly HostPermission[];
  readonly egress: readonly HostPermission[];
}

/** What a host needs to know of security groups in order to enforce them for its tasks. */
export interface HostRules {
  /** Those of the host's interfaces. */
  readonly groups: readonly HostGroup[];
  /** Addresses of the members of groups that their rules name, on all hosts. */
  readonly members: Readonly<Record<string, readonly string[]>>;
}

type Member = Pick<NetworkInterfaceRecord, 'address' | 'groups'>;

/**
 * What a host has to enforce: the rules of the groups that its interfaces are in, and who is in the groups that those name. Rules for
 * IPv6 are left out: nothing has such an address, so they match nothing. Equal networks give equal rules, in order, so that a host
 * that has them needs nothing.
 * @param own the host's interfaces
 * @param all interfaces on all hosts
 */
export function hostRules(network: Network, own: readonly Member[], all: readonly Member[]): HostRules {
  const used = [...new Set(own.flatMap(({ groups }) => groups))].sort();
  const groups = used.map((id): HostGroup => {
    const rules = network.rulesOf(id).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const of = (egress: boolean): HostPermission[] =>
      rules.flatMap((rule) => (rule.egress === egress ? permissionOf(rule) : []));
    return { id, ingress: of(false), egress: of(true) };
  });
  const named = new Set(
    groups.flatMap(({ ingress, egress }) =>
      [...ingress, ...egress].flatMap(({ peer }) => ('group' in peer ? [peer.group] : [])),
    ),
  );
  const addresses = new Map<string, Set<string>>([...named].sort().map((id) => [id, new Set()]));
  for (const { address, groups: of } of all) for (const id of of) addresses.get(id)?.add(address);
  return { groups, members: Object.fromEntries([...addresses].map(([id, them]) => [id, [...them].sort()])) };
}

function permissionOf({ protocol, from, to, peer }: SecurityGroupRuleRecord): HostPermission[] {
  if ('cidr6' in peer || protocol === 'icmpv6') return [];
  const bounds = from === undefined || to === undefined ? {} : { from, to };
  return [{ protocol: protocolOf(protocol), ...bounds, peer }];
}

function protocolOf(protocol: RuleTraffic['protocol']): HostPermission['protocol'] {
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'icmp' || protocol === '-1') return protocol;
  return Number(protocol);
}
