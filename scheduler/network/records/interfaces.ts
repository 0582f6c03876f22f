import { type Json, type RecordStore, transact } from '@slipway/storage/records';

import { networkKeys, networkPartition } from './keys.ts';
import type { NetworkInterfaceRecord, SliceRecord } from './records.ts';

/** Why an interface was not made. */
export type Unattached = 'subnet' | 'group' | 'address' | 'slice';

/**
 * Makes an interface, in one commit that stands only while its subnet and its groups are there and nobody has its address: so a subnet
 * or a group that is deleted meanwhile is either kept or seen to be gone, and two never have one address. It does not touch what the
 * nouns' changes depend on: many tasks may start at once. Made again, the same interface is as it was.
 * @param slice the range that its address is of, where hosts have ranges: one whose host is gone gives out no more
 * @returns undefined when it stands; else what is in the way
 */
export async function attachInterface(
  records: RecordStore,
  account: string,
  record: NetworkInterfaceRecord,
  slice?: string,
): Promise<Unattached | undefined> {
  return transact(records, networkPartition(account), async (tx) => {
    const present = await tx.get<NetworkInterfaceRecord>(networkKeys.interface(record.id));
    if (present !== undefined) return present.address === record.address ? undefined : 'address';
    const subnet = networkKeys.noun('subnet', record.subnetId);
    if ((await tx.peek(subnet)) === undefined) return 'subnet';
    tx.require({ key: subnet, exists: true });
    for (const group of record.groups) {
      const key = networkKeys.noun('security-group', group);
      if ((await tx.peek(key)) === undefined) return 'group';
      tx.require({ key, exists: true });
      tx.put(networkKeys.member(group, record.id), true);
    }
    const range = slice === undefined ? undefined : await tx.get<SliceRecord>(networkKeys.slice(slice));
    if (slice !== undefined && (range === undefined || range.orphanedAt !== undefined)) return 'slice';
    if (range !== undefined && range.instanceId !== record.task?.instanceId) return 'slice';
    const address = networkKeys.address(record.subnetId, record.address);
    if ((await tx.get(address)) !== undefined) return 'address';
    tx.put(address, record.id);
    tx.put(networkKeys.interface(record.id), record as unknown as Json);
    return undefined;
  });
}

/** Ends an interface and gives its address back: to be called when what had it is surely gone. One that is not there is gone already. */
export async function detachInterface(records: RecordStore, account: string, id: string): Promise<void> {
  await transact(records, networkPartition(account), async (tx) => {
    const record = await tx.get<NetworkInterfaceRecord>(networkKeys.interface(id));
    if (record === undefined) return;
    tx.remove(networkKeys.interface(id));
    tx.remove(networkKeys.address(record.subnetId, record.address));
    for (const group of record.groups) tx.remove(networkKeys.member(group, id));
  });
}
