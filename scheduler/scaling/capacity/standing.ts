import type { CapacityHost, CapacityPlan } from '../rules/index.ts';
import type { SizedGroup } from './ports.ts';

/** What a look at a group has seen and come to. */
export interface Seen {
  readonly group: SizedGroup;
  readonly hosts: readonly CapacityHost[];
  /** Hosts that somebody else drains. */
  readonly drained: number;
  /** Tasks. */
  readonly waiting: number;
  /** Tasks that no new host of the group could take. */
  readonly impossible: number;
  /** Empty hosts for those that wait. */
  readonly needed: number;
  readonly plan: CapacityPlan;
}

/** How a capacity provider stands and why, for people: the same text as long as nothing changes. */
export function standingOf({ group, hosts, drained, waiting, impossible, needed, plan }: Seen): string {
  const count = (state: CapacityHost['state']): number => hosts.filter((host) => host.state === state).length;
  const ready = hosts.filter(({ state }) => state === 'ready');
  const busy = ready.filter(({ tasks }) => tasks > 0).length;
  const parts = [
    `${group.name}: ${ready.length} hosts take tasks, ${busy} of them have some; ${count('coming')} come, ${count('emptying')} are emptied${drained === 0 ? '' : `, ${drained} are drained by somebody else`}.`,
    waiting === 0 ? 'No task waits.' : `${waiting} tasks wait, for ${needed} hosts.`,
    ...(impossible === 0
      ? []
      : [`${impossible} of them no host of the group could take: their size or their constraints are not for it.`]),
    `${plan.wanted} hosts are right, of ${group.min} to ${group.max}; ${plan.desired + drained} are wanted.`,
    ...(plan.wanted === group.max && waiting - impossible > 0 && plan.desired + drained >= group.max
      ? ['The group is at its maximum: raise MaxSize for more.']
      : []),
    ...(plan.surplusSince === undefined ? [] : ['Some are too many, and go when that stays so.']),
  ];
  return parts.join(' ');
}
