import type { NetworkState } from '../../hosts/control/index.ts';
import { hostRules, type Network, type NetworkInterfaceRecord, type SliceRecord } from '../records/index.ts';

/**
 * What one host must know of its account's network, from the records alone: all hosts' ranges, the groups of its own tasks, who is in
 * the groups that their rules name, and where the other hosts are. Undefined for a host that has no part of any subnet.
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
  const peers = new Map<string, { readonly blocks: string[]; readonly tunnel: string | undefined }>();
  for (const { instanceId: other, hostAddress, hostTunnel, cidr } of slices) {
    if (other === instanceId || hostAddress === undefined) continue;
    const { blocks, tunnel } = peers.get(hostAddress) ?? { blocks: [], tunnel: undefined };
    peers.set(hostAddress, { blocks: [...blocks, cidr], tunnel: hostTunnel ?? tunnel });
  }
  const tunnel = mine.find(({ hostTunnel }) => hostTunnel !== undefined)?.hostTunnel;
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
