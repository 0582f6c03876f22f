import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';

import type { NetworkState } from '../../wire/index.ts';
import { type Attachment, linkOf } from './attachment.ts';
import type { FilterChain, FilterSet, FilterTable } from './filter-table.ts';
import { tunnelIdentifier, tunnelPort } from './peers.ts';

/** What a rule of a security group lets through. */
type Permission = NetworkState['groups'][number]['ingress'][number];

/** The part of the network's state that the packet filter enforces. */
export type FilterState = Pick<NetworkState, 'blocks' | 'groups' | 'members' | 'peers'>;

/** What of the host itself the packet filter keeps tasks from, or lets them reach. */
export interface FilterHost {
  /** Where the credentials endpoint listens on the host, which every task may reach by its own address. */
  readonly endpointPort: number;
  /** Ranges of the Docker engine's own networks: tasks reach only what is published of them. */
  readonly engineNetworks: readonly string[];
  /** Servers of names that tasks ask; no group and no missing route keeps them from it (EC2 user guide: security groups do not filter the resolver). */
  readonly nameServers: readonly string[];
}

/** The table of the agent whose links begin with `prefix`. */
export const tableOf = (prefix: string): string => `slipway_${prefix}`;

/**
 * The packet filter of a host's tasks. What no rule of a task's groups lets through is dropped, both where it leaves a task and where it
 * reaches one; answers of what was let through pass (EC2 user guide, security groups: stateful). Tasks of different VPCs never meet, whatever
 * their rules say, and a task sends only from its own address over its own link. Nobody else on the host sends from a task's address either,
 * and nobody but a peer itself sends through the tunnel: what came out of it would have passed a task's groups unseen.
 *
 * Nothing of a rule reaches the table as text: addresses, numbers and ids are checked and written anew.
 *
 * @throws TypeError for an address, range, port or id that is none
 */
export function filterTable(
  prefix: string,
  attachments: readonly Attachment[],
  state: FilterState,
  { endpointPort, engineNetworks, nameServers }: FilterHost,
): FilterTable {
  const groups = new Map(state.groups.map((group) => [group.id, group]));
  const profiles = new Map<string, Attachment>();
  const profileOf = (attachment: Attachment): string => {
    const key = JSON.stringify([attachment.vpc, attachment.outside, [...attachment.securityGroups].sort()]);
    // By what it is, not by its place: tasks that come and go change nothing for the others.
    const name = createHash('sha256').update(key).digest('hex').slice(0, 16);
    profiles.set(name, attachment);
    return name;
  };
  // By their names, not by a list: a link that is not known here is shut, not open.
  const links = `"${checkedPrefix(prefix)}*"`;
  const tasks = attachments.map((attachment) => ({
    address: address(attachment.address),
    link: `"${linkOf(prefix, attachment.id)}"`,
    profile: profileOf(attachment),
  }));
  const used = new Set(attachments.flatMap(({ securityGroups }) => securityGroups));
  const named = new Set(
    [...used].flatMap((id) => {
      const { ingress = [], egress = [] } = groups.get(id) ?? {};
      return [...ingress, ...egress].flatMap(({ peer }) => ('group' in peer ? [peer.group] : []));
    }),
  );
  const vpcs = new Set([...state.blocks, ...attachments].map(({ vpc }) => vpc));
  const blocksOf = (vpc: string): string[] =>
    state.blocks.filter((block) => block.vpc === vpc).map(({ cidr }) => range(cidr));
  const sets = [
    ranges(
      'blocks',
      state.blocks.map(({ cidr }) => range(cidr)),
    ),
    ...[...vpcs].map((vpc) => ranges(word('v', vpc), blocksOf(vpc))),
    ...[...named].map((id) => set(word('m', id), (state.members[id] ?? []).map(address))),
    ranges('engine', engineNetworks.map(range)),
    set('resolvers', nameServers.map(address)),
    set(
      'peers',
      state.peers.map((peer) => address(peer.address)),
    ),
    set(
      'own',
      tasks.map((task) => task.address),
    ),
    set(
      'senders',
      tasks.map((task) => `${task.link} . ${task.address}`),
      'ifname . ipv4_addr',
    ),
  ];
  const maps = new Map([
    ['egress', tasks.map((task) => `${task.address} : goto out_${task.profile}`)],
    ['ingress', tasks.map((task) => `${task.address} : goto in_${task.profile}`)],
  ]);
  const chains = [
    chain('arrive', ['ip daddr vmap @ingress', 'accept']),
    ...[...used].flatMap((id) => {
      const { ingress = [], egress = [] } = groups.get(id) ?? {};
      return [
        allowing(
          word('i', id),
          ingress.map((rule) => `${matchOf(rule, 'saddr')} accept`),
        ),
        allowing(
          word('e', id),
          egress.map((rule) => `${matchOf(rule, 'daddr')} goto arrive`),
        ),
      ];
    }),
    ...[...profiles].flatMap(([name, { vpc, outside, securityGroups }]) => [
      chain(`in_${name}`, [
        `ip saddr @blocks ip saddr != @${word('v', vpc)} drop`,
        ...securityGroups.map((id) => `jump ${word('i', id)}`),
        'drop',
      ]),
      chain(`out_${name}`, [
        outside ? `ip daddr @blocks ip daddr != @${word('v', vpc)} drop` : `ip daddr != @${word('v', vpc)} drop`,
        ...securityGroups.map((id) => `jump ${word('e', id)}`),
        'drop',
      ]),
    ]),
    chain('sent', [
      `iifname ${links} meta nfproto ipv6 drop`,
      `iifname ${links} iifname . ip saddr != @senders drop`,
      // From where the answer would go: neither another container nor another machine sends as a task.
      'ip saddr @blocks fib saddr . iif oif missing drop',
      ...['udp', 'tcp'].map(
        (protocol) => `iifname ${links} ip daddr != @blocks ip daddr @resolvers ${protocol} dport 53 accept`,
      ),
      // The host itself asks a task from its end of the link.
      'ct state established,related accept',
      `iifname ${links} ip daddr { 127.0.0.0/8, 169.254.0.0/16 } drop`,
      `iifname ${links} ip daddr @engine ct status & dnat != dnat drop`,
    ]),
    hooked('forwarded', 'type filter hook forward priority filter - 10; policy accept;', [
      `${tunnelled} ip daddr @peers drop`,
      'jump sent',
      'ip saddr vmap @egress',
      'goto arrive',
    ]),
    // Each agent of a host has peers of its own, and one tunnel is there for all of them: what no agent knows is dropped by each.
    // Chains of all tables run in the order of their priorities.
    tunnelChain('tunnel_any', 13, [`meta mark set meta mark & ${hex(~knownPeer)}`]),
    tunnelChain('tunnel_peer', 12, [`ip saddr @peers meta mark set meta mark | ${hex(knownPeer)}`]),
    tunnelChain('tunnel_shut', 11, [`meta mark & ${hex(knownPeer)} == 0 drop`]),
    tunnelChain('tunnel_end', 9, [`meta mark set meta mark & ${hex(~knownPeer)}`]),
    hooked('received', 'type filter hook input priority filter - 10; policy accept;', [
      `${tunnelled} fib saddr . iif oif missing drop`,
      `iifname != ${links} accept`,
      'jump sent',
      `tcp dport ${port(endpointPort)} ct status dnat accept`,
      // Whoever reaches a Docker engine has its host.
      'tcp dport { 2375, 2376 } drop',
      'ip saddr vmap @egress',
      'drop',
    ]),
    hooked('from_host', 'type filter hook output priority filter - 10; policy accept;', [
      'ct state established,related accept',
      'ip daddr vmap @ingress',
    ]),
    // The way out is the host's address; tasks meet each other, on other hosts too, under their own.
    hooked('leaving', 'type nat hook postrouting priority srcnat; policy accept;', [
      `ip saddr @own ip daddr != @blocks oifname != ${links} masquerade`,
    ]),
  ];
  return { name: tableOf(prefix), sets: new Map(sets), maps, chains: new Map(chains) };
}

/** Packets of our tunnel: VXLAN's port, and the network identifier at its place in the header (RFC 7348). */
const tunnelled = `udp dport ${tunnelPort} @th,96,24 ${tunnelIdentifier}`;

/** The bit of a packet's mark that says, while it is received, that it came through the tunnel from an agent's peer. */
const knownPeer = 0x10;

const hex = (bits: number): string => `0x${(bits >>> 0).toString(16)}`;

const tunnelChain = (name: string, before: number, rules: readonly string[]): [string, FilterChain] =>
  hooked(
    name,
    `type filter hook input priority filter - ${before}; policy accept;`,
    rules.map((rule) => `${tunnelled} ${rule}`),
  );

const set = (name: string, elements: readonly string[], type = 'ipv4_addr'): [string, FilterSet] => [
  name,
  { type, elements: unique(elements), isOfRanges: false },
];

const ranges = (name: string, elements: readonly string[]): [string, FilterSet] => [
  name,
  { type: 'ipv4_addr; flags interval; auto-merge', elements: unique(elements), isOfRanges: true },
];

const chain = (name: string, rules: readonly string[]): [string, FilterChain] => [name, { rules, isUnordered: false }];

const hooked = (name: string, hook: string, rules: readonly string[]): [string, FilterChain] => [
  name,
  { hook, rules, isUnordered: false },
];

/** What a group lets through. */
const allowing = (name: string, rules: readonly string[]): [string, FilterChain] => [
  name,
  { rules: unique(rules), isUnordered: true },
];

const unique = (texts: readonly string[]): string[] => [...new Set(texts)];

/** The condition of a permission; `side` is where the other end's address stands in the packet. */
function matchOf({ protocol, from, to, peer }: Permission, side: 'saddr' | 'daddr'): string {
  const other =
    'cidr' in peer
      ? peer.cidr === '0.0.0.0/0'
        ? []
        : [`ip ${side} ${range(peer.cidr)}`]
      : [`ip ${side} @${word('m', peer.group)}`];
  return [...(other.length === 0 ? ['meta nfproto ipv4'] : other), ...protocolMatch(protocol, from, to)].join(' ');
}

function protocolMatch(protocol: Permission['protocol'], from?: number, to?: number): string[] {
  if (protocol === '-1') return [];
  if (protocol === 'tcp' || protocol === 'udp') {
    return from === undefined || to === undefined || (from <= 0 && to === 65_535)
      ? [`meta l4proto ${protocol}`]
      : [`${protocol} dport ${port(from)}-${port(to)}`];
  }
  if (protocol === 'icmp') {
    const type = from === undefined || from === -1 ? [] : [`icmp type ${byte(from)}`];
    const code = to === undefined || to === -1 || type.length === 0 ? [] : [`icmp code ${byte(to)}`];
    return ['meta l4proto icmp', ...type, ...code];
  }
  return [`meta l4proto ${byte(protocol)}`];
}

/** An identifier of nft from an id of EC2, unlike any other's. @throws TypeError */
function word(kind: string, id: string): string {
  if (!/^[a-z]+-[0-9a-z]{1,40}$/.test(id)) throw new TypeError(`${JSON.stringify(id)} is not an id`);
  return `${kind}_${id.replace('-', '_')}`;
}

function checkedPrefix(prefix: string): string {
  if (!/^[a-z][0-9a-z]{1,14}$/.test(prefix)) throw new TypeError(`${JSON.stringify(prefix)} begins no names of links`);
  return prefix;
}

function address(text: string): string {
  if (!isIPv4(text)) throw new TypeError(`${JSON.stringify(text)} is not an IPv4 address`);
  return text;
}

function range(text: string): string {
  const [base = '', bits = '', ...rest] = text.split('/');
  if (!isIPv4(base) || !/^(?:[12]?\d|3[0-2])$/.test(bits) || rest.length > 0) {
    throw new TypeError(`${JSON.stringify(text)} is not a range of IPv4 addresses`);
  }
  return `${base}/${bits}`;
}

const whole = (value: number, most: number, what: string): number => {
  if (!Number.isInteger(value) || value < 0 || value > most) throw new TypeError(`${value} is not ${what}`);
  return value;
};
const port = (value: number): number => whole(value, 65_535, 'a port');
const byte = (value: number): number => whole(value, 255, 'a protocol, type or code');
