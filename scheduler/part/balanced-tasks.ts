import { type RecordStore, transact } from '@slipway/storage/records';

import type { BalancedTask, BalancedTasks, TargetNote } from '../balancing/traffic/index.ts';
import type { ControlPlane } from '../control/index.ts';
import { clusterKeys, clusterPartition, type TaskRecord, type TaskTarget, toJson } from '../state/index.ts';

/** Tasks in one commit. */
const atOnce = 200;

/** The tasks of the clusters that this server follows, as load balancing sees them and writes to them. */
export function balancedTasks(records: RecordStore, control: ControlPlane): BalancedTasks {
  return {
    async read(account) {
      const names = control.clusters().flatMap(({ view }) => (view.account === account ? [view.name] : []));
      const views = await Promise.all(names.map((name) => control.view(account, name)));
      return views.flatMap((view) =>
        view === undefined
          ? []
          : [...view.balanced].flatMap((id) => {
              const task = view.tasks.get(id)?.value;
              return task === undefined ? [] : [balancedTask(view.name, task)];
            }),
      );
    },
    async find(account, cluster, id) {
      const stored = await records.get<TaskRecord>(clusterPartition(account, cluster), clusterKeys.task(id));
      return stored && balancedTask(cluster, stored.value);
    },
    watch: (account, changed) => control.watchTasks(account, changed),
    async note(account, notes) {
      for (const [cluster, own] of Map.groupBy(notes, (note) => note.cluster)) {
        const byTask = [...Map.groupBy(own, ({ task }) => task)];
        for (let from = 0; from < byTask.length; from += atOnce)
          await noteAll(records, clusterPartition(account, cluster), byTask.slice(from, from + atOnce));
      }
    },
  };
}

const balancedTask = (cluster: string, { id, desiredStatus, lastStatus, targets = [] }: TaskRecord): BalancedTask => ({
  cluster,
  id,
  isWanted: desiredStatus === 'RUNNING' && lastStatus !== 'STOPPED',
  targets,
});

function noteAll(
  records: RecordStore,
  partition: string,
  byTask: readonly (readonly [string, readonly TargetNote[]])[],
): Promise<void> {
  return transact(
    records,
    partition,
    async (tx) => {
      for (const [id, notes] of byTask) {
        const key = clusterKeys.task(id);
        const task = await tx.get<TaskRecord>(key);
        if (task?.targets === undefined) continue;
        const targets = task.targets.map((target) => noted(task, target, notes));
        if (targets.every((target, place) => target === task.targets?.[place])) continue;
        tx.put(key, toJson({ ...task, targets, version: task.version + 1 }));
      }
    },
    { attempts: 20 },
  );
}

function noted(task: TaskRecord, target: TaskTarget, notes: readonly TargetNote[]): TaskTarget {
  let next = target;
  for (const { target: id, change } of notes) {
    if (id !== target.id) continue;
    // Out of rotation for good is only what is never wanted again.
    if ('quietAt' in change && (task.desiredStatus !== 'STOPPED' || next.quietAt !== undefined)) continue;
    next = { ...next, ...change };
  }
  return next;
}
