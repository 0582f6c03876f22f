import type { RecordStore } from '@slipway/storage/records';

import type { AttachmentRecord, InstanceRecord, TaskRecord } from '../../state/index.ts';
import {
  type Cidr,
  formatAddress,
  formatCidr,
  freeAddress,
  freeSlice,
  parseAddress,
  parseCidr,
} from '../addresses/index.ts';
import {
  attachInterface,
  detachInterface,
  type Draft,
  type Network,
  type NetworkInterfaceRecord,
  networkKeys,
  networkPartition,
  type Networks,
  reachesOutside,
  type SliceRecord,
  type SubnetRecord,
} from '../records/index.ts';

/** What interfaces of tasks are made with. */
export interface InterfacePorts {
  readonly records: RecordStore;
  readonly networks: Networks;
}

/** The length of the ranges that hosts take of subnets: sixteen addresses, so that a small subnet serves several hosts. */
const sliceLength = 28;

/** What an instance says of where other hosts reach it. */
export const hostAddressAttribute = 'slipway.address';

/** What an instance says of its end of encrypted tunnels. */
const hostTunnelAttribute = 'slipway.wireguard';

/** As `hosts/wire/network.ts` has it: hosts would refuse a state with another, and `wg` of some a configuration with another port. */
const isTunnelEnd = (text: string): boolean => /^[\w-]{43}:[1-9]\d{0,4}$/.test(text) && Number(text.slice(44)) < 65_536;

/** Why a task gets no interface; what it is stopped with. */
export class NoInterface extends Error {
  override readonly name = 'NoInterface';
}

/** Where a task's host is. */
export interface HostOf {
  readonly account: string;
  readonly cluster: string;
  readonly instance: InstanceRecord;
}

const attributeOf = (instance: InstanceRecord, name: string): string | undefined =>
  instance.attributes.find((attribute) => attribute.name === name)?.value;

/** The id of a task's interface follows from the task's, so that asking twice makes one. */
export const interfaceOf = (taskId: string): string => `eni-${taskId.replaceAll('-', '').slice(0, 17)}`;

/** A MAC address of its own from an address, locally administered. */
const macOf = (address: string): string =>
  `02:53:${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`;

/** How often another address is tried when somebody else was faster. */
const attempts = 20;

/**
 * Gives a task of a host its network interface: an address that nobody has, of a range that only this host hands out. A task that
 * has one keeps it.
 *
 * @throws NoInterface when it cannot have one, now or ever
 */
export async function attachTask(ports: InterfacePorts, host: HostOf, task: TaskRecord): Promise<AttachmentRecord> {
  const { records, networks } = ports;
  const id = interfaceOf(task.id);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const stored = await records.get<NetworkInterfaceRecord>(networkPartition(host.account), networkKeys.interface(id));
    if (stored !== undefined) return attachmentOf(await networks.read(host.account), task, stored.value);
    const { record, slice } = await networks.change(host.account, (draft) => makeInterface(draft, host, task, id));
    const missing = await attachInterface(records, host.account, record, slice);
    if (missing === 'subnet' || missing === 'group') throw new NoInterface(`its ${missing} does not exist any more`);
    if (missing === undefined) return attachmentOf(await networks.read(host.account), task, record);
  }
  throw new NoInterface('others took each address that was free; the subnet is all but full');
}

function attachmentOf(network: Network, task: TaskRecord, record: NetworkInterfaceRecord): AttachmentRecord {
  const subnet = network.get('subnet', record.subnetId);
  const open = task.network?.assignPublicIp === 'ENABLED';
  return {
    id: task.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    networkInterface: record.id,
    subnet: record.subnetId,
    vpc: record.vpcId,
    address: record.address,
    mac: record.mac,
    privateDnsName: `ip-${record.address.replaceAll('.', '-')}.ec2.internal`,
    securityGroups: record.groups,
    outside: subnet !== undefined && reachesOutside(network, subnet, open).reaches,
  };
}

async function makeInterface(
  draft: Draft,
  host: HostOf,
  task: TaskRecord,
  id: string,
): Promise<{ readonly record: NetworkInterfaceRecord; readonly slice: string }> {
  const { subnets = [], securityGroups = [] } = task.network ?? {};
  const zone = attributeOf(host.instance, 'ecs.availability-zone');
  const found = subnets.flatMap((subnet) => draft.get('subnet', subnet) ?? []);
  const here = found.filter((subnet) => subnet.zone === zone);
  if (found.length < subnets.length) throw new NoInterface(`a subnet of ${subnets.join(', ')} does not exist any more`);
  const gone = securityGroups.find((group) => draft.get('security-group', group) === undefined);
  if (gone !== undefined) throw new NoInterface(`the security group '${gone}' does not exist any more`);
  for (const subnet of here) {
    const found = await addressIn(draft, host, subnet);
    if (found === undefined) continue;
    const { address, slice } = found;
    const usual = draft.defaultGroup(subnet.vpcId);
    const record: NetworkInterfaceRecord = {
      id,
      vpcId: subnet.vpcId,
      subnetId: subnet.id,
      zone: subnet.zone,
      address,
      mac: macOf(address),
      groups: securityGroups.length > 0 || usual === undefined ? [...securityGroups] : [usual.id],
      type: 'interface',
      description: `arn:aws:ecs task ${task.id}`,
      requester: 'ecs',
      createdAt: draft.now,
      tags: {},
      task: { cluster: host.cluster, instanceId: host.instance.id, id: task.id },
    };
    return { record, slice };
  }
  throw new NoInterface(
    here.length === 0
      ? `none of the subnets ${subnets.join(', ')} is in the zone ${zone ?? 'of its host'}`
      : `the subnets ${here.map((subnet) => subnet.id).join(', ')} have no free addresses`,
  );
}

/** A free address of a subnet in a slice that the host has, or takes now. */
async function addressIn(
  draft: Draft,
  host: HostOf,
  subnet: SubnetRecord,
): Promise<{ readonly address: string; readonly slice: string } | undefined> {
  const range = parseCidr(subnet.cidr);
  if (range === undefined) return undefined;
  const slices = await draft.slices();
  mendSlices(draft, host, slices);
  const taken = await draft.taken(subnet.id);
  const freeIn = (slice: Cidr): number | undefined =>
    freeAddress(range, slice, (address) => taken.has(formatAddress(address)));
  for (const slice of slices) {
    if (slice.subnetId !== subnet.id || slice.instanceId !== host.instance.id) continue;
    if (slice.orphanedAt !== undefined) continue;
    const part = parseCidr(slice.cidr);
    const address = part && freeIn(part);
    if (address !== undefined) return { address: formatAddress(address), slice: slice.cidr };
  }
  const fresh = freeSlice(
    range,
    sliceLength,
    slices.flatMap(({ cidr }) => parseCidr(cidr) ?? []),
  );
  const address = fresh && freeIn(fresh);
  if (fresh === undefined || address === undefined) return undefined;
  draft.takeSlice({
    cidr: formatCidr(fresh),
    subnetId: subnet.id,
    vpcId: subnet.vpcId,
    cluster: host.cluster,
    instanceId: host.instance.id,
    ...placeOf(host.instance),
  });
  return { address: formatAddress(address), slice: formatCidr(fresh) };
}

/** Where a host says that others reach it, as far as that can be. */
function placeOf(instance: InstanceRecord): Pick<SliceRecord, 'hostAddress' | 'hostTunnel'> {
  const address = attributeOf(instance, hostAddressAttribute);
  const tunnel = attributeOf(instance, hostTunnelAttribute);
  return {
    ...(address === undefined || parseAddress(address) === undefined ? {} : { hostAddress: address }),
    ...(tunnel === undefined || !isTunnelEnd(tunnel) ? {} : { hostTunnel: tunnel }),
  };
}

/** Whether a slice of a host says of it what is not so any more: it moved, or its kernel has another set of tunnels. */
export function isMoved({ hostAddress, hostTunnel, ...slice }: SliceRecord, instance: InstanceRecord): boolean {
  if (slice.instanceId !== instance.id || slice.orphanedAt !== undefined) return false;
  const now = placeOf(instance);
  return now.hostAddress !== undefined && (hostAddress !== now.hostAddress || hostTunnel !== now.hostTunnel);
}

/** Has the slices of a host say where it is now. */
export function mendSlices(draft: Draft, { instance }: HostOf, slices: readonly SliceRecord[]): void {
  for (const slice of slices) {
    if (!isMoved(slice, instance)) continue;
    const { hostAddress: _, hostTunnel: __, ...rest } = slice;
    draft.putSlice({ ...rest, ...placeOf(instance) });
  }
}

/** Ends interfaces of tasks that are surely gone; any number of times. */
export async function detachTasks(records: RecordStore, account: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) await detachInterface(records, account, id);
}
