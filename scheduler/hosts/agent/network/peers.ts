import { isIPv4 } from 'node:net';

import type { NetworkState } from '../../wire/index.ts';
import { run } from './run.ts';

/** Another host that runs tasks with addresses of their own. */
type Peer = NetworkState['peers'][number];

/**
 * How a peer's tasks are reached: over a route of the network that both hosts are in, or through a tunnel. `here` is another agent
 * of this very host, whose links have routes of their own.
 */
export type Way = 'route' | 'vxlan' | 'here';

/** Marks our routes among others' (rtnetlink(7), rtm_protocol; numbers above 4 are free). */
const protocol = '197';

/** The tunnel's device: one for all peers. */
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
  readonly via: string;
  readonly device?: string;
}

/**
 * The way to a peer: a plain route where the host has it as a neighbour (nothing between them has to know the tasks' addresses),
 * else the tunnel. @throws NetworkError when the host has no route to it
 */
export async function wayTo(address: string): Promise<Way> {
  const [found] = JSON.parse(await run('ip', ['-json', 'route', 'get', checked(address)])) as {
    gateway?: string;
    type?: string;
  }[];
  if (found?.type === 'local') return 'here';
  return found?.gateway === undefined ? 'route' : 'vxlan';
}

/** An address of documentation (RFC 5737): the way to it is the way to everybody whom no other route names. */
const elsewhere = '192.0.2.1';

/** This host's address on its way to others; undefined when it has no such way. @throws NetworkError */
export async function ownAddress(): Promise<string | undefined> {
  const [found] = JSON.parse(await run('ip', ['-json', 'route', 'get', elsewhere])) as { prefsrc?: string }[];
  return found?.prefsrc;
}

/**
 * Makes the host's routes to its peers' tasks these, and no others of ours. The tunnel is made with the first peer that needs
 * it, and goes with the last.
 *
 * @param own this host's address, from which it sends to its peers
 * @throws NetworkError
 */
export async function applyPeers(peers: readonly (Peer & { readonly way: Way })[], own: string): Promise<void> {
  const tunnelled = peers.filter(({ way }) => way === 'vxlan');
  if (tunnelled.length > 0) await openTunnel(tunnelled, own);
  const wanted = peers.flatMap(({ blocks, address, way }): Route[] =>
    (way === 'here' ? [] : blocks).map((block) =>
      way === 'route' ? { block, via: address } : { block, via: address, device },
    ),
  );
  const now = await ownRoutes();
  const keep = new Set(wanted.map(({ block }) => block));
  const commands = [
    ...now.filter((block) => !keep.has(block)).map((block) => `route delete ${block} proto ${protocol}`),
    ...wanted.map((route) =>
      route.device === undefined
        ? `route replace ${route.block} via ${checked(route.via)} proto ${protocol}`
        : `route replace ${route.block} via ${checked(route.via)} dev ${route.device} onlink proto ${protocol}`,
    ),
  ];
  if (commands.length > 0) await run('ip', ['-batch', '-'], `${commands.join('\n')}\n`);
  if (tunnelled.length === 0) await closeTunnel();
}

async function ownRoutes(): Promise<string[]> {
  const found = JSON.parse((await run('ip', ['-json', 'route', 'show', 'proto', protocol])) || '[]') as {
    dst?: string;
  }[];
  return found.flatMap(({ dst }) => (dst === undefined ? [] : [dst]));
}

/** Whether the routes to peers, and the tunnel where one of them needs it, are there; costs the same however many peers there are. @throws NetworkError */
export async function arePeersApplied(peers: readonly (Peer & { readonly way: Way })[]): Promise<boolean> {
  const now = new Set(await ownRoutes());
  if (!peers.every(({ way, blocks }) => way === 'here' || blocks.every((block) => now.has(block)))) return false;
  return !peers.some(({ way }) => way === 'vxlan') || (await tunnel()) !== undefined;
}

/** A MAC address that every host derives from a peer's address alone, so that nobody has to ask for it. */
const macOf = (address: string): string =>
  `02:53:${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`;

async function openTunnel(peers: readonly Peer[], own: string): Promise<void> {
  const found = await tunnel();
  if (found !== undefined && found.linkinfo?.info_data?.local !== own) await run('ip', ['link', 'delete', device]);
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
  await run('ip', ['link', 'set', device, 'up']);
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

async function closeTunnel(): Promise<void> {
  if ((await tunnel()) !== undefined) await run('ip', ['link', 'delete', device]);
}

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
