import type { NetworkState } from '../../hosts/control/index.ts';
import { hostRules, type Network, type NetworkInterfaceRecord, type SliceRecord } from '../records/index.ts';

/**
 * What one host must know of its account's network, from the records alone: all hosts' ranges, the groups of its own tasks, who is in
 * the groups that their rules name, and where the other hosts of its VPCs are. Undefined for a host that has no part of any subnet.
 *
 * @param interfaces those of tasks, on all hosts
 */
export function hostState(
  instanceId: string,
  network: Network,
  slices: readonly SliceRecord[],
  interfaces: readonly NetworkInterfaceRecord[],
): NetworkState | undefined {
  const mine = slices.filter((slice) => slice.instanceId === instanceId);
  if (mine.length === 0) return undefined;
  const rules = hostRules(
    network,
    interfaces.filter(({ task }) => task?.instanceId === instanceId),
    interfaces,
  );
  const tunnels = tunnelsOf(slices);
  const peers = new Map<string, { readonly blocks: string[]; readonly tunnel: string | undefined }>();
  const vpcs = new Set(mine.map(({ vpcId }) => vpcId));
  for (const { instanceId: other, hostAddress, cidr, vpcId } of slices) {
    // Tasks of two VPCs never meet: where those of others are is none of its business.
    if (other === instanceId || hostAddress === undefined || !vpcs.has(vpcId)) continue;
    const { blocks, tunnel } = peers.get(hostAddress) ?? { blocks: [], tunnel: undefined };
    peers.set(hostAddress, { blocks: [...blocks, cidr], tunnel: tunnels.get(other) ?? tunnel });
  }
  const tunnel = tunnels.get(instanceId);
  return {
    address: mine.find(({ hostAddress }) => hostAddress !== undefined)?.hostAddress ?? '127.0.0.1',
    ...(tunnel === undefined ? {} : { tunnel }),
    blocks: slices.map(({ cidr, vpcId }) => ({ cidr, vpc: vpcId })).sort((a, b) => a.cidr.localeCompare(b.cidr)),
    groups: rules.groups.map(({ id, ingress, egress }) => ({ id, ingress: [...ingress], egress: [...egress] })),
    members: Object.fromEntries(Object.entries(rules.members).map(([id, addresses]) => [id, [...addresses]])),
    peers: [...peers].map(([address, peer]) => ({
      address,
      blocks: peer.blocks.sort(),
      ...(peer.tunnel === undefined ? {} : { tunnel: peer.tunnel }),
    })),
  };
}

/**
 * The ends of encrypted tunnels, by their hosts. Agents of one machine say the same address, to which there is one way only; and a key
 * is that of one host, whoever else says it. An address that is said with two ends, and a key that is said for two addresses, is
 * nobody's: such hosts are reached as those are that have no tunnel, and nobody is sent what was sealed for another.
 */
function tunnelsOf(slices: readonly SliceRecord[]): ReadonlyMap<string, string> {
  const ends = new Map<string, { readonly address: string; readonly tunnel: string }>();
  const said = new Map<string, Set<string>>();
  const say = (what: string, more: string): void => {
    said.set(what, (said.get(what) ?? new Set()).add(more));
  };
  for (const { instanceId, hostAddress: address, hostTunnel: tunnel, orphanedAt } of slices) {
    // What is gone from its cluster says nothing of where it is now.
    if (address === undefined || orphanedAt !== undefined) continue;
    say(address, tunnel ?? '');
    if (tunnel === undefined) continue;
    say(keyOf(tunnel), address);
    ends.set(instanceId, { address, tunnel });
  }
  const isClear = ({ address, tunnel }: { address: string; tunnel: string }): boolean =>
    said.get(address)?.size === 1 && said.get(keyOf(tunnel))?.size === 1;
  return new Map([...ends].flatMap(([host, end]) => (isClear(end) ? [[host, end.tunnel] as const] : [])));
}

/** The key of an end, written in one way: its last letter has bits that say nothing. */
const keyOf = (tunnel: string): string => Buffer.from(tunnel.slice(0, 43), 'base64url').toString('base64url');
