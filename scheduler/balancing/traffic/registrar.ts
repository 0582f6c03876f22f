import type { Fence } from '@slipway/storage/records';

import type { TaskTarget } from '../../state/index.ts';
import { type Balancing, mostInChange, type TargetRecord } from '../records/index.ts';

import type { TrafficOptions } from './ports.ts';
import type { BalancedTask, TargetNote } from './tasks.ts';

/** What is to change for the targets to be what the tasks say. */
export interface Membership {
  /** Registrations that are new; with `deregisteredAt` unset. */
  readonly join: readonly TargetRecord[];
  /** Registrations of tasks that are told to stop, or that ended: those that were never made are made as drained ones, so that what engines may have is waited for. */
  readonly leave: readonly TargetRecord[];
  /** What checks have found since tasks were told. */
  readonly notes: readonly TargetNote[];
}

/**
 * Compares targets with the tasks that they are of. Pure.
 * @param tasks those with a registration that is not over
 */
export function membership(balancing: Balancing, tasks: readonly BalancedTask[]): Membership {
  const join: TargetRecord[] = [];
  const leave: TargetRecord[] = [];
  const notes: TargetNote[] = [];
  for (const task of tasks) {
    for (const target of task.targets) {
      if (target.quietAt !== undefined) continue;
      const row = balancing.get('target', target.id);
      if (!task.isWanted) {
        if (row?.deregisteredAt === undefined) leave.push(row ?? rowOf(task, target));
        continue;
      }
      // One whose group is gone has nowhere to be; its service says so when it is changed.
      if (row === undefined && balancing.get('targetgroup', groupOf(target)) !== undefined)
        join.push(rowOf(task, target));
      if (row === undefined || row.deregisteredAt !== undefined || sameHealth(row.health, target.health)) continue;
      const { state, reason, description } = row.health;
      notes.push({
        cluster: task.cluster,
        task: task.id,
        target: target.id,
        change: {
          health: {
            state,
            ...(reason === undefined ? {} : { reason }),
            ...(description === undefined ? {} : { description }),
          },
        },
      });
    }
  }
  return { join, leave, notes };
}

const groupOf = ({ targetGroupArn }: TaskTarget): string => targetGroupArn.slice(targetGroupArn.lastIndexOf('/') + 1);

const rowOf = ({ cluster, id: task }: BalancedTask, target: TaskTarget): TargetRecord => ({
  id: target.id,
  groupId: groupOf(target),
  targetId: target.targetId,
  port: target.port,
  address: target.address,
  registeredAt: target.registeredAt,
  health: { state: 'initial' },
  task: { cluster, id: task },
  tags: {},
});

const sameHealth = (row: TargetRecord['health'], told: TaskTarget['health']): boolean =>
  row.state === (told?.state ?? 'initial') && row.reason === told?.reason && row.description === told?.description;

/**
 * Registers tasks as targets, and takes them out. Whoever does it holds the lease of whoever looks after targets, and every commit carries
 * its epoch: a task that once was taken out, because somebody had told it to stop, is never put in again by one that has not heard of it.
 */
export class Registrar {
  readonly #options: TrafficOptions;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** Makes targets what the tasks say, and tells the tasks how they are. @returns the records after that */
  async step(fence: Fence): Promise<Balancing> {
    const { account, balancers, tasks } = this.#options;
    // The targets first: what they lack may be of a task that was not there when they were read, never the other way round.
    let balancing = await balancers.read(account);
    const balanced = await tasks.read(account);
    const orphans = await this.#orphans(balancing, balanced);
    const { join, leave } = membership(balancing, balanced);
    if (join.length + leave.length + orphans.length > 0)
      ({ balancing } = await balancers.change(
        account,
        (draft) => {
          const now = membership(draft, balanced);
          const leave = now.leave.map((row) => ({ ...row, deregisteredAt: draft.now }));
          // Those that are too many are for the next step, which this commit begins.
          const rows = [...leave, ...now.join].slice(0, mostInChange);
          for (const row of rows) draft.put('target', row);
          for (const { id, isOver } of orphans.slice(0, mostInChange - rows.length)) {
            const row = draft.get('target', id);
            if (row === undefined) continue;
            if (isOver) draft.remove('target', id);
            else if (row.deregisteredAt === undefined) draft.put('target', { ...row, deregisteredAt: draft.now });
          }
        },
        fence,
      ));
    const { notes } = membership(balancing, balanced);
    if (notes.length > 0) await tasks.note(account, notes);
    return balancing;
  }

  /** Notes that targets are out of rotation for good; their rows go afterwards. */
  async release(done: readonly TargetRecord[]): Promise<void> {
    const { account, clock, tasks } = this.#options;
    const quietAt = clock.now();
    const notes = done.flatMap(({ id, task }): TargetNote[] =>
      task === undefined ? [] : [{ cluster: task.cluster, task: task.id, target: id, change: { quietAt } }],
    );
    if (notes.length > 0) await tasks.note(account, notes);
  }

  /** Targets of tasks that have no registration any more, or that are not there: `isOver` says that it was noted already. */
  async #orphans(
    balancing: Balancing,
    balanced: readonly BalancedTask[],
  ): Promise<readonly { readonly id: string; readonly isOver: boolean }[]> {
    const { account, tasks } = this.#options;
    const known = new Set(balanced.flatMap(({ targets }) => targets.map(({ id }) => id)));
    const orphans: { id: string; isOver: boolean }[] = [];
    for (const { id, task } of balancing.all('target')) {
      if (task === undefined || known.has(id)) continue;
      // A cluster that this server has not heard of yet has tasks too: only its records tell.
      const found = await tasks.find(account, task.cluster, task.id);
      const target = found?.targets.find((one) => one.id === id);
      if (target === undefined) orphans.push({ id, isOver: false });
      else if (target.quietAt !== undefined) orphans.push({ id, isOver: true });
    }
    return orphans;
  }
}
