import { AwsError } from '@slipway/auth/contract';
import { scanAll } from '@slipway/storage/records';

import { toJson } from '../../state/index.ts';
import { changeGroup } from './change.ts';
import { validation } from './errors.ts';
import type { GroupsPorts } from './groups.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import { resultOf, transitionOf } from './lifecycle.ts';
import type { ActionResult, GroupRecord, HookRecord, HookWait, MachineRecord } from './records.ts';

/** Hooks of a group (EC2 Auto Scaling quotas), and characters that their metadata may have together: the group is read as a whole. */
export const mostHooks = 50;
export const mostMetadata = 32_768;

type HookPorts = Pick<GroupsPorts, 'records' | 'clock'>;

/** The group with more hooks, or others in the place of those of the same names. @throws ValidationError, LimitExceeded */
export function withHooks<G extends { readonly name: string; readonly hooks?: readonly HookRecord[] }>(
  group: G,
  added: readonly HookRecord[],
): G {
  const hooks = new Map((group.hooks ?? []).map((hook) => [hook.name, hook]));
  for (const hook of added) {
    const before = hooks.get(hook.name);
    if (before !== undefined && before.transition !== hook.transition)
      throw validation(
        `The lifecycle hook ${hook.name} has another LifecycleTransition, which cannot be changed: delete it first.`,
      );
    hooks.set(hook.name, hook);
  }
  const all = [...hooks.values()];
  if (all.length > mostHooks)
    throw new AwsError('LimitExceeded', `A group has at most ${mostHooks} lifecycle hooks: delete one first.`);
  if (all.reduce((sum, { metadata = '' }) => sum + metadata.length, 0) > mostMetadata)
    throw new AwsError(
      'LimitExceeded',
      `The NotificationMetadata of a group's lifecycle hooks have at most ${mostMetadata} characters together.`,
    );
  return all.length === 0 ? group : { ...group, hooks: all };
}

/** Changes the hooks of a group. Machines that wait already wait by the hooks as they are now. */
export async function changeHooks(
  { records }: HookPorts,
  account: string,
  name: string,
  change: (group: GroupRecord) => GroupRecord,
): Promise<void> {
  await changeGroup(records, account, name, change);
}

/** The group without a hook. @throws ValidationError for one that it does not have */
export function withoutHook({ hooks = [], ...group }: GroupRecord, hook: string): GroupRecord {
  const left = hooks.filter(({ name }) => name !== hook);
  if (left.length === hooks.length)
    throw validation(`No Lifecycle Hook found with name: ${hook.slice(0, 255)} for ASG: ${group.name}`);
  return left.length === 0 ? group : { ...group, hooks: left };
}

/** Which lifecycle action is meant: by its token, or by its machine. */
export interface NamedAction {
  readonly group: string;
  readonly hook: string;
  readonly token?: string | undefined;
  readonly instance?: string | undefined;
}

/**
 * Answers a lifecycle action, or has it go on (without an answer): its time begins anew, within what all of it may take.
 * @throws ValidationError for one that is over, or that is not there
 */
export async function answerAction(
  { records, clock }: HookPorts,
  account: string,
  { group: name, hook, token, instance }: NamedAction,
  answer: ActionResult | undefined,
): Promise<void> {
  if (token === undefined && instance === undefined)
    throw validation('Name the lifecycle action by LifecycleActionToken or by InstanceId.');
  await changeGroup(records, account, name, async (group, tx) => {
    const settings = group.hooks?.find((one) => one.name === hook);
    if (settings === undefined)
      throw validation(`No Lifecycle Hook found with name: ${hook.slice(0, 255)} for ASG: ${name}`);
    const now = clock.now();
    for (const id of instance === undefined ? await idsOf(records, account, name) : [instance]) {
      const machine = await tx.get<MachineRecord>(groupKeys.machine(id));
      const transition = machine === undefined ? undefined : transitionOf(machine);
      if (machine?.group !== name || transition === undefined) continue;
      const isMeant = (wait: HookWait): boolean => wait.hook === hook && (token === undefined || wait.token === token);
      const found = machine.waits?.find(isMeant);
      // Whether its time is over is the keeper's to say, by its own clock: until it has acted on that, an answer counts.
      if (found === undefined || resultOf(group, transition, found, -Infinity) !== 'waits') continue;
      const longer = Math.max(found.deadline, now + settings.timeout * 1000);
      const changed: HookWait =
        answer === undefined ? { ...found, deadline: Math.min(found.until, longer) } : { ...found, answer };
      const waits = machine.waits?.map((wait) => (wait === found ? changed : wait));
      tx.put(groupKeys.machine(id), toJson({ ...machine, waits }));
      return group;
    }
    throw validation(
      token === undefined
        ? `No active Lifecycle Action found with instance ID ${(instance ?? '').slice(0, 50)}`
        : `No active Lifecycle Action found with token ${token.slice(0, 50)}`,
    );
  });
}

async function idsOf(records: GroupsPorts['records'], account: string, group: string): Promise<string[]> {
  const rows = await scanAll<MachineRecord>(records, groupsPartition(account), {
    prefix: groupKeys.machines,
    limit: 1000,
  });
  return rows.flatMap(({ value }) => (value.group === group ? [value.id] : []));
}
