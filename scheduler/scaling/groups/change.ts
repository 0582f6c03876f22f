import { type RecordStore, transact, type Transaction } from '@slipway/storage/records';

import { toJson } from '../../state/index.ts';
import { noGroup } from './errors.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { GroupRecord } from './records.ts';

/** Others that change the group, or its machines, meanwhile: a change is tried so often. */
const attempts = 100;

/**
 * Changes a group, and what belongs to it, in one commit.
 * @param change what the group becomes; the same one to leave it as it is
 * @returns what it is then
 * @throws ValidationError for one that is not there
 */
export function changeGroup(
  records: RecordStore,
  account: string,
  name: string,
  change: (group: GroupRecord, tx: Transaction) => GroupRecord | Promise<GroupRecord>,
): Promise<GroupRecord> {
  return transact(
    records,
    groupsPartition(account),
    async (tx) => {
      const group = await tx.get<GroupRecord>(groupKeys.group(name));
      if (group === undefined) throw noGroup(name);
      const after = await change(group, tx);
      if (after !== group) tx.put(groupKeys.group(name), toJson(after));
      return after;
    },
    { attempts },
  );
}
