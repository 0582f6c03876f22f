import type { InstanceRecord, TaskRecord } from '../../state/index.ts';

import type { ContainerUsage, SaidOfContainer } from './records.ts';

/** Memory that a container may be said to use, for each MiB that its host has registered: agents keep some back. */
const memoryRoom = 2;

/** Bytes a second that a host may be said to move, and bytes that disks of a container have. */
const mostRate = 1e11;
const mostBytes = 2 ** 50;

type Host = Pick<InstanceRecord, 'cpu' | 'memory'>;

/**
 * What an agent says of the containers of a task that its instance runs, as far as it can be: of containers that the task has, each
 * once, within what the instance has registered. Numbers that are none (below 0, infinite) are left out, as is what they belong to.
 */
export function boundedUsage(
  task: Pick<TaskRecord, 'containers'>,
  host: Host,
  said: readonly SaidOfContainer[],
): readonly ContainerUsage[] {
  const mine = new Set(task.containers.map(({ name }) => name));
  return said.flatMap((one) => {
    const name = one.containerName ?? '';
    if (!mine.delete(name)) return [];
    const { networkStatsSet: network, storageStatsSet: storage } = one;
    const percent = bounded(average(one.cpuStatsSet), 100);
    return [
      {
        name,
        ...(percent === undefined ? {} : { cpu: (percent / 100) * host.cpu }),
        ...optional('memory', bounded(average(one.memoryStatsSet), host.memory * memoryRoom)),
        ...optional('received', bounded(average(network?.rxBytesPerSecond), mostRate)),
        ...optional('sent', bounded(average(network?.txBytesPerSecond), mostRate)),
        ...optional('read', bounded(storage?.readSizeBytes?.max, mostBytes)),
        ...optional('written', bounded(storage?.writeSizeBytes?.max, mostBytes)),
      },
    ];
  });
}

function average(set: SaidOfContainer['cpuStatsSet']): number | undefined {
  if (set?.sum === undefined || set.sampleCount === undefined || set.sampleCount <= 0) return undefined;
  return set.sum / set.sampleCount;
}

const bounded = (value: number | undefined, most: number): number | undefined =>
  value === undefined || !Number.isFinite(value) || value < 0 ? undefined : Math.min(value, most);

const optional = <Name extends string>(name: Name, value: number | undefined): { [N in Name]?: number } =>
  (value === undefined ? {} : { [name]: value }) as { [N in Name]?: number };
