import { toJson } from '../../state/index.ts';
import { changeGroup } from './change.ts';
import { unsupported, validation } from './errors.ts';
import type { Groups, GroupsPorts } from './groups.ts';
import { groupKeys } from './keys.ts';
import type { GroupRecord, MachineRecord, WarmPoolRecord } from './records.ts';
import { isPooled } from './warm-pool.ts';

type PoolPorts = Pick<GroupsPorts, 'records'>;

/** Gives a group a warm pool, or changes the one that it has. @throws ValidationError, UnsupportedOperation */
export async function putWarmPool(
  { records }: PoolPorts,
  account: string,
  name: string,
  change: (before: WarmPoolRecord | undefined, group: GroupRecord) => WarmPoolRecord,
): Promise<void> {
  await changeGroup(records, account, name, (group) => {
    if (group.deleting === true || group.warm?.deleting === true)
      throw validation(`The warm pool of ${name} is being deleted: wait until DescribeWarmPool shows none.`);
    const after = { ...group, warm: change(group.warm, group) };
    checkPooled(after);
    return after;
  });
}

/** Refuses a warm pool beside what it does not go with. @throws UnsupportedOperation */
export function checkPooled({ warm, types, distribution }: Pick<GroupRecord, 'warm' | 'types' | 'distribution'>): void {
  if (warm !== undefined && (types !== undefined || distribution !== undefined))
    throw unsupported(
      'A warm pool of a group with a MixedInstancesPolicy',
      'Which machine comes into service could not be another type then: name a LaunchTemplate.',
    );
}

/**
 * Has a warm pool go, with its machines.
 * @param force without asking hooks about them any more
 * @throws ValidationError for a group that has none
 */
export async function deleteWarmPool(
  { records }: PoolPorts,
  groups: Pick<Groups, 'machines'>,
  account: string,
  name: string,
  force: boolean,
): Promise<void> {
  const ids = (await groups.machines(account)).filter((machine) => machine.group === name).map(({ id }) => id);
  await changeGroup(records, account, name, async (group, tx) => {
    if (group.warm === undefined) throw validation(`No warm pool found for the Auto Scaling group ${name}.`);
    for (const id of force ? ids : []) {
      const machine = await tx.get<MachineRecord>(groupKeys.machine(id));
      // Nobody is waited for that was asked already.
      if (machine !== undefined && isPooled(machine) && (machine.waits ?? []).length > 0)
        tx.put(groupKeys.machine(id), toJson({ ...machine, waits: [] }));
    }
    return { ...group, warm: { ...group.warm, deleting: true, ...(force ? { forced: true } : {}) } };
  });
}
