import type { PartGauge } from '@slipway/auth/contract';

import type { UsageLedger } from './ledger.ts';
import type { TaskUsage } from './minute.ts';
import type { InstanceName } from './records.ts';

/** Lines of their own that the tasks of a process have, so that a scrape stays small. */
const shown = 1_000;
const others = 'others';
const mebibyte = 1024 * 1024;
const labels = ['account', 'cluster', 'service', 'family', 'task'] as const;

interface Line {
  readonly labels: Readonly<Record<string, string>>;
  readonly tasks: readonly TaskUsage[];
}

/**
 * What tasks use now, for Prometheus, by task and service. Each process tells of the tasks whose agents are connected to it: those of an
 * installation are the sum of its servers. A thousand tasks have lines of their own; those beyond are added up by service as the task
 * `others`, and services beyond another thousand altogether.
 */
export function usageGauges(ledger: Pick<UsageLedger, 'newest'>): readonly PartGauge[] {
  const gauge = (name: string, help: string, of: (usage: TaskUsage) => number | undefined): PartGauge => ({
    name,
    help,
    labels,
    across: 'sum',
    read: async () =>
      linesOf(ledger.newest()).flatMap((line) => {
        const known = line.tasks.flatMap((usage) => of(usage) ?? []);
        return known.length === 0 ? [] : [{ labels: line.labels, value: known.reduce((sum, value) => sum + value, 0) }];
      }),
  });
  return [
    gauge('slipway_task_cpu_units', 'CPU that a task uses, 1024 units a processor', ({ cpu }) => cpu),
    gauge('slipway_task_cpu_reserved_units', 'CPU that a task reserves', ({ task }) => task.reservedCpu),
    gauge('slipway_task_memory_bytes', 'Memory that a task uses, without the page cache', ({ memory }) =>
      memory === undefined ? undefined : memory * mebibyte,
    ),
    gauge(
      'slipway_task_memory_reserved_bytes',
      'Memory that a task reserves',
      ({ task }) => task.reservedMemory * mebibyte,
    ),
    gauge('slipway_task_received_bytes_per_second', 'What a task receives', ({ received }) => received),
    gauge('slipway_task_sent_bytes_per_second', 'What a task sends', ({ sent }) => sent),
  ];
}

function linesOf(newest: readonly { readonly instance: InstanceName; readonly usage: TaskUsage }[]): readonly Line[] {
  const all = newest.toSorted((a, b) => (a.usage.task.arn < b.usage.task.arn ? -1 : 1));
  const own = all.slice(0, shown).map(({ instance, usage }): Line => {
    const { service = '', family, id: task } = usage.task;
    return {
      labels: { account: instance.account, cluster: instance.cluster, service, family, task },
      tasks: [usage],
    };
  });
  const rest = Map.groupBy(all.slice(shown), ({ instance, usage }) =>
    JSON.stringify([instance.account, instance.cluster, usage.task.service ?? '']),
  );
  const services = [...rest].slice(0, shown).map(([key, of]): Line => {
    const [account = '', cluster = '', service = ''] = JSON.parse(key) as string[];
    return { labels: { account, cluster, service, family: '', task: others }, tasks: of.map(({ usage }) => usage) };
  });
  const beyond = [...rest.values()].slice(shown).flatMap((of) => of.map(({ usage }) => usage));
  const last = { account: '', cluster: others, service: '', family: '', task: others };
  return [...own, ...services, ...(beyond.length === 0 ? [] : [{ labels: last, tasks: beyond }])];
}
