import { isIPv4 } from 'node:net';

import type { NetworkState } from '../../wire/index.ts';
import { NetworkError, run } from './run.ts';
import { sealedOverhead } from './wireguard.ts';

/** Another host that runs tasks with addresses of their own. */
type Peer = NetworkState['peers'][number];

/**
 * How a peer's tasks are reached: over a route of the network that both hosts are in, or through a tunnel, an encrypted one where
 * both have it. `here` is another agent
 * of this very host, whose links have routes of their own.
 */
export type Way = 'route' | 'vxlan' | 'wireguard' | 'here';

/** Marks the routes of agents among others' (rtnetlink(7), rtm_protocol; numbers above 4 are free). */
export const agentProtocol = '197';

/** How often routes are set anew that went away with the tunnel, which another agent of this host took down at that moment. */
const attempts = 5;

/** The tunnel's device: one for all peers, and for all agents of a host, as a kernel has one for each network identifier. */
const device = 'slipway-vxlan';

/** The network identifier of the tunnel, the same on all hosts. */
export const tunnelIdentifier = 4097;

/** The UDP port of the tunnel (RFC 7348). */
export const tunnelPort = 4789;

/** What VXLAN takes of each packet: outer Ethernet, IPv4, UDP and its own header. */
export const tunnelOverhead = 50;

/** A route of the kernel's main table that leads to a peer's block. */
interface Route {
  readonly block: string;
  /** None through a device that knows by itself where what goes. */
  readonly via?: string;
  readonly device?: string;
}

/** What `ip` says of the kernel's route to an address. */
interface Found {
  readonly gateway?: string;
  readonly type?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

async function routeTo(address: string): Promise<Found | undefined> {
  const [found] = JSON.parse(await run('ip', ['-json', 'route', 'get', checked(address)])) as Found[];
  return found;
}

/** Bytes of a packet that links of this host take, by their names. @throws NetworkError */
export async function linkMtus(): Promise<ReadonlyMap<string, number>> {
  const links = JSON.parse((await run('ip', ['-json', 'link', 'show'])) || '[]') as { ifname?: string; mtu?: number }[];
  return new Map(links.map(({ ifname = '', mtu = usualMtu }) => [ifname, mtu]));
}

/** Bytes of a packet on Ethernet, which is taken for what says nothing. */
const usualMtu = 1_500;

/** What a route takes: what is said of it alone, else what its link does. */
const mtuOf = (found: Found | undefined, mtus: ReadonlyMap<string, number>): number =>
  found?.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu ?? mtus.get(found?.dev ?? '') ?? usualMtu;

/** The way to a peer, and how many bytes a packet of a task may have on it. */
export interface WayOf {
  readonly way: Way;
  readonly mtu: number;
  /** Of a tunnel that is this agent's alone. */
  readonly device?: string;
}

/**
 * The way to a peer: a plain route where the host has it as a neighbour (nothing between them has to know the tasks' addresses),
 * else the tunnel, whose headers take their part of a packet.
 *
 * @param mtus of {@link linkMtus}
 * @param sealed the device of an encrypted tunnel that both have
 * @throws NetworkError when the host has no route to it
 */
export async function wayTo(address: string, mtus: ReadonlyMap<string, number>, sealed?: string): Promise<WayOf> {
  const found = await routeTo(address);
  const mtu = mtuOf(found, mtus);
  if (found?.type === 'local') return { way: 'here', mtu };
  if (found?.gateway === undefined) return { way: 'route', mtu };
  if (sealed !== undefined) return { way: 'wireguard', mtu: mtu - sealedOverhead, device: sealed };
  return { way: 'vxlan', mtu: mtu - tunnelOverhead };
}

/** An address of documentation (RFC 5737): the way to it is the way to everybody whom no other route names. */
const elsewhere = '192.0.2.1';

/** This host's address on its way to others; undefined when it has no such way. @throws NetworkError */
export async function ownAddress(): Promise<string | undefined> {
  return (await routeTo(elsewhere))?.prefsrc;
}

/** This host's way to others: its link, where it has such a way, and the bytes of a packet there; Ethernet's where it has none. */
export async function uplinkOf(
  mtus: ReadonlyMap<string, number>,
): Promise<{ device: string | undefined; mtu: number }> {
  const found = await routeTo(elsewhere).catch(() => undefined);
  return { device: found?.dev, mtu: mtuOf(found, mtus) };
}

/**
 * Makes an agent's routes to its peers' tasks these, and no others of its own. The tunnel is made with the first peer that needs it,
 * and goes with the last route through it, whichever agent of this host that was.
 *
 * @param own this host's address, from which it sends to its peers
 * @param metric tells this agent's routes from those of others of this host: {@link metricOf}
 * @throws NetworkError
 */
export async function applyPeers(peers: readonly (Peer & WayOf)[], own: string, metric: number): Promise<void> {
  const tunnelled = peers.filter(({ way }) => way === 'vxlan');
  const wanted = peers.flatMap(({ blocks, address, way, device: sealed }): Route[] =>
    (way === 'here' ? [] : blocks).map((block) => {
      if (way === 'wireguard' && sealed !== undefined) return { block, device: sealed };
      return way === 'route' ? { block, via: address } : { block, via: address, device };
    }),
  );
  const keep = new Set(wanted.map(({ block }) => block));
  const mark = `proto ${agentProtocol} metric ${metric}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (tunnelled.length > 0) await openTunnel(tunnelled, own, metric);
      const now = (await ownRoutes(metric)).map(({ block }) => block);
      await routes([
        ...now.filter((block) => !keep.has(block)).map((block) => `route delete ${block} ${mark}`),
        ...wanted.map(({ block, via, device: through }) => {
          const gateway = via === undefined ? '' : ` via ${checked(via)}`;
          const link = through === undefined ? '' : ` dev ${through}${via === undefined ? '' : ' onlink'}`;
          return `route replace ${block}${gateway}${link} ${mark}`;
        }),
      ]);
      break;
    } catch (error) {
      if (!(error instanceof NetworkError) || attempt === attempts) throw error;
    }
  }
  if (tunnelled.length === 0) await closeTunnel();
}

async function routes(commands: readonly string[]): Promise<void> {
  if (commands.length > 0) await run('ip', ['-batch', '-'], `${commands.join('\n')}\n`);
}

/** A route of an agent of this host to a peer's block. */
interface FoundRoute {
  readonly block: string;
  readonly metric: number;
  readonly device: string;
}

/** Routes of all agents of this host to their peers. */
async function agentRoutes(): Promise<FoundRoute[]> {
  const found = JSON.parse((await run('ip', ['-json', 'route', 'show', 'proto', agentProtocol])) || '[]') as {
    dst?: string;
    metric?: number;
    dev?: string;
  }[];
  return found.map(({ dst = '', metric = 0, dev = '' }) => ({ block: dst, metric, device: dev }));
}

const ownRoutes = async (metric: number): Promise<FoundRoute[]> =>
  (await agentRoutes()).filter((route) => route.metric === metric);

/** Whether the routes to peers, and the tunnel where one of them needs it, are there; costs the same however many peers there are. @throws NetworkError */
export async function arePeersApplied(peers: readonly (Peer & WayOf)[], metric: number): Promise<boolean> {
  const now = new Set((await ownRoutes(metric)).map(({ block }) => block));
  if (!peers.every(({ way, blocks }) => way === 'here' || blocks.every((block) => now.has(block)))) return false;
  return !peers.some(({ way }) => way === 'vxlan') || (await tunnel()) !== undefined;
}

/** A MAC address that every host derives from a peer's address alone, so that nobody has to ask for it. */
const macOf = (address: string): string =>
  `02:53:${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`;

async function openTunnel(peers: readonly (Peer & WayOf)[], own: string, metric: number): Promise<void> {
  const found = await tunnel();
  if (found !== undefined && found.linkinfo?.info_data?.local !== own) {
    // Whoever else sends through it may have been told of another address later, or not yet: the last one lets go of it.
    const through = (await ownRoutes(metric)).filter((route) => route.device === device);
    await routes(through.map(({ block }) => `route delete ${block} proto ${agentProtocol} metric ${metric}`));
    if (await isTunnelUsed()) {
      const local = found.linkinfo?.info_data?.local ?? 'another address';
      throw new NetworkError(
        `another agent of this machine sends to its peers from ${local}, not from ${own}; if that stays so, set SLIPWAY_TASK_NETWORK=off for one of them`,
      );
    }
    await run('ip', ['link', 'delete', device]);
  }
  if (found?.linkinfo?.info_data?.local !== own) {
    // No learning, no flooding: whom a frame goes to is known from the peers alone.
    const link = [
      'vxlan',
      'id',
      String(tunnelIdentifier),
      'dstport',
      String(tunnelPort),
      'local',
      checked(own),
      'nolearning',
    ];
    await run('ip', ['link', 'add', device, 'address', macOf(own), 'type', ...link]);
  }
  // The kernel does not know what it will go through. Whoever sends more is told so (RFC 1191), and what is let through comes back.
  const mtu = Math.min(...peers.map((peer) => peer.mtu));
  await run('ip', ['link', 'set', device, 'mtu', String(mtu), 'up']);
  const entries = peers.map(({ address }) => ({ address: checked(address), mac: macOf(address) }));
  await run(
    'ip',
    ['-batch', '-'],
    entries.map(({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent\n`).join(''),
  );
  await run(
    'bridge',
    ['-batch', '-'],
    entries.map(({ address, mac }) => `fdb replace ${mac} dev ${device} dst ${address} self permanent\n`).join(''),
  );
}

/** Takes the tunnel down unless another agent of this host has routes through it. */
async function closeTunnel(): Promise<void> {
  if ((await tunnel()) === undefined || (await isTunnelUsed())) return;
  try {
    await run('ip', ['link', 'delete', device]);
  } catch (error) {
    // The other agent was faster.
    if ((await tunnel()) !== undefined) throw error;
  }
}

const isTunnelUsed = async (): Promise<boolean> => (await agentRoutes()).some((route) => route.device === device);

/** The tunnel's device as `ip` describes it; undefined when there is none. */
async function tunnel(): Promise<
  { readonly linkinfo?: { readonly info_data?: { readonly local?: string } } } | undefined
> {
  const links = JSON.parse((await run('ip', ['-json', '-details', 'link', 'show', 'type', 'vxlan'])) || '[]') as {
    ifname?: string;
    linkinfo?: { info_data?: { local?: string } };
  }[];
  return links.find(({ ifname }) => ifname === device);
}

function checked(address: string): string {
  if (!isIPv4(address)) throw new TypeError(`${JSON.stringify(address)} is not an IPv4 address`);
  return address;
}
