import { isIPv4 } from 'node:net';

import type { NetworkState } from '../../wire/index.ts';
import { type Attachment, linkOf } from './attachment.ts';
import { tunnelIdentifier, tunnelPort } from './peers.ts';
import { run } from './run.ts';

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
const tableOf = (prefix: string): string => `slipway_${prefix}`;

/**
 * The packet filter of a host's tasks as a script for `nft -f`, which replaces the table as a whole or not at all. What no rule
 * of a task's groups lets through is dropped, both where it leaves a task and where it reaches one; answers of what was let
 * through pass (EC2 user guide, security groups: stateful). Tasks of different VPCs never meet, whatever their rules say, and
 * a task sends only from its own address over its own link. Nobody else on the host sends from a task's address either, and
 * nobody but a peer itself sends through the tunnel: what came out of it would have passed a task's groups unseen.
 *
 * Nothing of a rule reaches the script as text: addresses, numbers and ids are checked and written anew.
 *
 * @throws TypeError for an address, range, port or id that is none
 */
export function filterScript(
  prefix: string,
  attachments: readonly Attachment[],
  state: FilterState,
  { endpointPort, engineNetworks, nameServers }: FilterHost,
): string {
  const table = tableOf(prefix);
  const groups = new Map(state.groups.map((group) => [group.id, group]));
  const profiles = new Map<string, { name: string; attachment: Attachment }>();
  const profileOf = (attachment: Attachment): string => {
    const key = JSON.stringify([attachment.vpc, attachment.outside, [...attachment.securityGroups].sort()]);
    let found = profiles.get(key);
    if (found === undefined) profiles.set(key, (found = { name: String(profiles.size), attachment }));
    return found.name;
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
  const lines: string[] = [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...set(
      'blocks',
      'ipv4_addr; flags interval; auto-merge',
      state.blocks.map(({ cidr }) => range(cidr)),
    ),
    ...[...vpcs].flatMap((vpc) => set(word('v', vpc), 'ipv4_addr; flags interval; auto-merge', blocksOf(vpc))),
    ...[...named].flatMap((id) => set(word('m', id), 'ipv4_addr', unique(state.members[id] ?? []).map(address))),
    ...set('engine', 'ipv4_addr; flags interval; auto-merge', engineNetworks.map(range)),
    ...set('resolvers', 'ipv4_addr', nameServers.map(address)),
    ...set(
      'peers',
      'ipv4_addr',
      state.peers.map((peer) => address(peer.address)),
    ),
    ...set(
      'own',
      'ipv4_addr',
      tasks.map((task) => task.address),
    ),
    ...set(
      'senders',
      'ifname . ipv4_addr',
      tasks.map((task) => `${task.link} . ${task.address}`),
    ),
    ...map(
      'egress',
      tasks.map((task) => `${task.address} : goto out_${task.profile}`),
    ),
    ...map(
      'ingress',
      tasks.map((task) => `${task.address} : goto in_${task.profile}`),
    ),
    ...chain('arrive', ['ip daddr vmap @ingress', 'accept']),
    ...[...used].flatMap((id) => {
      const { ingress = [], egress = [] } = groups.get(id) ?? {};
      return [
        ...chain(
          word('i', id),
          ingress.map((rule) => `${matchOf(rule, 'saddr')} accept`),
        ),
        ...chain(
          word('e', id),
          egress.map((rule) => `${matchOf(rule, 'daddr')} goto arrive`),
        ),
      ];
    }),
    ...[...profiles.values()].flatMap(({ name, attachment: { vpc, outside, securityGroups } }) => [
      ...chain(`in_${name}`, [
        `ip saddr @blocks ip saddr != @${word('v', vpc)} drop`,
        ...securityGroups.map((id) => `jump ${word('i', id)}`),
        'drop',
      ]),
      ...chain(`out_${name}`, [
        outside ? `ip daddr @blocks ip daddr != @${word('v', vpc)} drop` : `ip daddr != @${word('v', vpc)} drop`,
        ...securityGroups.map((id) => `jump ${word('e', id)}`),
        'drop',
      ]),
    ]),
    ...chain('sent', [
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
    ...chain('forwarded', [
      'type filter hook forward priority filter - 10; policy accept;',
      `${tunnelled} ip daddr @peers drop`,
      'jump sent',
      'ip saddr vmap @egress',
      'goto arrive',
    ]),
    // Each agent of a host has peers of its own, and one tunnel is there for all of them: what no agent knows is dropped by each.
    // Chains of all tables run in the order of their priorities.
    ...tunnelChain('tunnel_any', 13, [`meta mark set meta mark & ${hex(~knownPeer)}`]),
    ...tunnelChain('tunnel_peer', 12, [`ip saddr @peers meta mark set meta mark | ${hex(knownPeer)}`]),
    ...tunnelChain('tunnel_shut', 11, [`meta mark & ${hex(knownPeer)} == 0 drop`]),
    ...tunnelChain('tunnel_end', 9, [`meta mark set meta mark & ${hex(~knownPeer)}`]),
    ...chain('received', [
      'type filter hook input priority filter - 10; policy accept;',
      `${tunnelled} fib saddr . iif oif missing drop`,
      `iifname != ${links} accept`,
      'jump sent',
      `tcp dport ${port(endpointPort)} ct status dnat accept`,
      // Whoever reaches a Docker engine has its host.
      'tcp dport { 2375, 2376 } drop',
      'ip saddr vmap @egress',
      'drop',
    ]),
    ...chain('from_host', [
      'type filter hook output priority filter - 10; policy accept;',
      'ct state established,related accept',
      'ip daddr vmap @ingress',
    ]),
    // The way out is the host's address; tasks meet each other, on other hosts too, under their own.
    ...chain('leaving', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `ip saddr @own ip daddr != @blocks oifname != ${links} masquerade`,
    ]),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether an agent's table stands: whoever loads rules of his own may have cleared all others. @throws NetworkError */
export async function hasFilter(prefix: string): Promise<boolean> {
  return (await run('nft', ['list', 'tables', 'inet'])).split('\n').includes(`table inet ${tableOf(prefix)}`);
}

/** Puts a script into effect, whole or not at all. @throws NetworkError when nft is missing or refuses it */
export async function applyFilter(script: string): Promise<void> {
  await run('nft', ['-f', '-'], script);
}

/** Takes an agent's table away; nothing where there is none. @throws NetworkError */
export async function removeFilter(prefix: string): Promise<void> {
  const table = tableOf(prefix);
  await run('nft', ['-f', '-'], `table inet ${table}\ndelete table inet ${table}\n`);
}

/** Packets of our tunnel: VXLAN's port, and the network identifier at its place in the header (RFC 7348). */
const tunnelled = `udp dport ${tunnelPort} @th,96,24 ${tunnelIdentifier}`;

/** The bit of a packet's mark that says, while it is received, that it came through the tunnel from an agent's peer. */
const knownPeer = 0x10;

const hex = (bits: number): string => `0x${(bits >>> 0).toString(16)}`;

const tunnelChain = (name: string, before: number, rules: readonly string[]): string[] =>
  chain(name, [
    `type filter hook input priority filter - ${before}; policy accept;`,
    ...rules.map((rule) => `${tunnelled} ${rule}`),
  ]);

const set = (name: string, type: string, elements: readonly string[]): string[] => [
  `set ${name} { type ${type};${elementsOf(unique(elements))} }`,
];

const map = (name: string, elements: readonly string[]): string[] => [
  `map ${name} { type ipv4_addr : verdict;${elementsOf(elements)} }`,
];

const elementsOf = (elements: readonly string[]): string =>
  elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;

const chain = (name: string, rules: readonly string[]): string[] => [`chain ${name} {`, ...rules, '}'];

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
