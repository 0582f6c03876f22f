import { AwsError } from '@slipway/auth/contract';
import { scanAll, type Transaction } from '@slipway/storage/records';

import { newEventId, toJson } from '../../state/index.ts';
import { changeGroup } from './change.ts';
import { noGroup, unsupported } from './errors.ts';
import type { GroupsPorts } from './groups.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { GroupRecord, MadeFrom, RefreshPreferences, RefreshRecord } from './records.ts';
import { back } from './refresh.ts';

/** Refreshes of a group that are told of: the oldest are forgotten first. */
export const mostRefreshes = 100;

/** What a refresh is to be. */
export interface RefreshDraft {
  readonly preferences: RefreshPreferences;
  readonly desired?: GroupRecord['template'];
  readonly target: MadeFrom;
  readonly origin?: MadeFrom;
}

/** Writes how a refresh stands; one that is over goes to what is told of, and with success the group is what it was to be. */
export function withRefresh(
  tx: Pick<Transaction, 'put'>,
  group: GroupRecord,
  after: RefreshRecord | undefined,
): GroupRecord {
  if (after === undefined) return group;
  if (after.endedAt === undefined) return { ...group, refresh: after };
  tx.put(groupKeys.refresh(group.name, after.startedAt, after.id), toJson(after));
  const { refresh: _, ...others } = group;
  return after.status === 'Successful' && after.desired !== undefined ? { ...others, template: after.desired } : others;
}

/** Begins a refresh. @returns its id @throws InstanceRefreshInProgress, ValidationError, UnsupportedOperation */
export async function startRefresh(
  { records, clock, random }: GroupsPorts,
  account: string,
  name: string,
  draft: RefreshDraft,
): Promise<string> {
  const id = newEventId(random);
  await change(records, account, name, (group) => {
    if (group.refresh !== undefined)
      throw new AwsError(
        'InstanceRefreshInProgress',
        'An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.',
      );
    if (group.weights !== undefined)
      throw unsupported(
        'An instance refresh of a group whose machines weigh something',
        'End machines one after another (TerminateInstanceInAutoScalingGroup).',
      );
    const now = clock.now();
    return {
      ...group,
      refresh: {
        ...draft,
        id,
        status: 'Pending',
        startedAt: now,
        total: 0,
        left: 0,
        percent: 0,
        movedAt: now,
        passed: 0,
        waitsUntil: 0,
      },
    };
  });
  await forget(records, account, name);
  return id;
}

/** Has a refresh end where it is. @returns its id @throws ActiveInstanceRefreshNotFound */
export async function cancelRefresh({ records }: GroupsPorts, account: string, name: string): Promise<string> {
  return change(records, account, name, (group) => ({
    ...group,
    refresh: { ...active(group), status: 'Cancelling', reason: 'Cancelled due to user request.' },
  }));
}

/** Has a refresh go back to what the group was made from. @returns its id @throws ActiveInstanceRefreshNotFound, IrreversibleInstanceRefresh */
export async function rollBack({ records, clock }: GroupsPorts, account: string, name: string): Promise<string> {
  return change(records, account, name, (group) => {
    const refresh = active(group);
    if (refresh.status === 'RollbackInProgress') return group;
    if (refresh.origin === undefined || refresh.status === 'Cancelling')
      throw new AwsError(
        'IrreversibleInstanceRefresh',
        'The instance refresh cannot be rolled back: it has no desired configuration, or the group was not made from a numbered version of a launch template.',
      );
    return { ...group, refresh: back(refresh, 'Rolled back due to user request.', clock.now()) };
  });
}

/** The refreshes of a group, the newest first. @throws ValidationError for a group that is not there */
export async function refreshesOf(
  { records }: GroupsPorts,
  account: string,
  name: string,
): Promise<readonly RefreshRecord[]> {
  const group = (await records.get<GroupRecord>(groupsPartition(account), groupKeys.group(name)))?.value;
  if (group === undefined) throw noGroup(name);
  const past = await scanAll<RefreshRecord>(records, groupsPartition(account), {
    prefix: groupKeys.refreshesOf(name),
    limit: 1000,
  });
  const own = past.map(({ value }) => value).filter(({ startedAt }) => startedAt >= group.createdAt);
  return [...(group.refresh === undefined ? [] : [group.refresh]), ...own];
}

function active({ refresh, name }: GroupRecord): RefreshRecord {
  if (refresh === undefined)
    throw new AwsError(
      'ActiveInstanceRefreshNotFound',
      `No in progress or pending Instance Refresh found for Auto Scaling group ${name}`,
    );
  return refresh;
}

async function change(
  records: GroupsPorts['records'],
  account: string,
  name: string,
  to: (group: GroupRecord) => GroupRecord,
): Promise<string> {
  const { refresh } = await changeGroup(records, account, name, (group) => {
    if (group.deleting === true) throw noGroup(name);
    return to(group);
  });
  return refresh?.id ?? '';
}

async function forget(records: GroupsPorts['records'], account: string, name: string): Promise<void> {
  const partition = groupsPartition(account);
  const past = await scanAll(records, partition, { prefix: groupKeys.refreshesOf(name), limit: 1000 });
  const remove = past.slice(mostRefreshes).map(({ key }) => key);
  if (remove.length > 0) await records.commit(partition, { remove });
}
