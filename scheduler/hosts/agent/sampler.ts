import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { MessageOf } from '../wire/index.ts';
import { engineCall, EngineError } from './docker.ts';
import type { Counted, KernelStats } from './kernel-stats.ts';
import type { TaskEngine } from './task-engine.ts';

/** The part of Docker's `/containers/{id}/stats` that is used. All but memory are counters, which begin anew with the container. */
export interface Stats {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: Readonly<Record<string, number>> };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes?: number; readonly tx_bytes?: number }>>;
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly { readonly op?: string; readonly value?: number }[] | null;
  };
}

/** `taskMetrics` of a PublishMetricsRequest. */
export type TaskMetrics = NonNullable<MessageOf<'PublishMetricsRequest'>['taskMetrics']>;
type ContainerMetrics = NonNullable<TaskMetrics[number]['containerMetrics']>[number];

interface Reading {
  /** Milliseconds on the monotonic clock. */
  readonly at: number;
  /** Nanoseconds of CPU time, and bytes. */
  readonly cpu: number;
  readonly received: number;
  readonly sent: number;
}

const statistics = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });

/** What a counter has grown by; one that is lower than before began anew, and what it has since is all of it. */
const grown = (before: number, after: number): number => (after < before ? after : after - before);

const mebibyte = 1024 * 1024;

/**
 * What one container has used between two readings, in the units of amazon-ecs-agent: CPU in percent of all that the host has, memory in
 * MiB without the page cache, network in bytes a second, and what its disks have read and written since it began.
 * @param before the reading before; undefined: only what needs none
 * @param cpuUnits CPU units of the host, 1024 a processor
 */
export function metricsBetween(
  before: Reading | undefined,
  after: Reading,
  stats: Stats,
  cpuUnits: number,
): Omit<ContainerMetrics, 'containerName'> {
  const cache = stats.memory_stats?.stats?.['total_inactive_file'] ?? stats.memory_stats?.stats?.['inactive_file'] ?? 0;
  const memory = Math.max(0, (stats.memory_stats?.usage ?? 0) - cache) / mebibyte;
  const disks = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const bytes = (op: string): number =>
    disks.reduce((sum, one) => (one.op?.toLowerCase() === op ? sum + (one.value ?? 0) : sum), 0);
  const steady = {
    memoryStatsSet: statistics(memory),
    storageStatsSet: { readSizeBytes: statistics(bytes('read')), writeSizeBytes: statistics(bytes('write')) },
  };
  if (before === undefined || after.at <= before.at) return steady;
  const seconds = (after.at - before.at) / 1000;
  const processors = grown(before.cpu, after.cpu) / 1e9 / seconds;
  return {
    cpuStatsSet: statistics((processors * 1024 * 100) / cpuUnits),
    ...steady,
    ...(stats.networks === undefined
      ? {}
      : {
          networkStatsSet: {
            rxBytesPerSecond: statistics(grown(before.received, after.received) / seconds),
            txBytesPerSecond: statistics(grown(before.sent, after.sent) / seconds),
          },
        }),
  };
}

/** Measures running containers between one call and the next. */
export class Sampler {
  readonly #docker: Docker;
  readonly #kernel: Pick<KernelStats, 'of'>;
  readonly #clock: Clock;
  readonly #cpuUnits: number;
  readonly #last = new Map<string, Reading>();

  /**
   * @param kernel asked first
   * @param cpuUnits what the host has registered with, 1024 a processor
   */
  constructor(docker: Docker, kernel: Pick<KernelStats, 'of'>, clock: Clock, cpuUnits: number) {
    this.#docker = docker;
    this.#kernel = kernel;
    this.#clock = clock;
    this.#cpuUnits = cpuUnits;
  }

  /** What the containers have used since the last call; see {@link metricsBetween}. */
  async measure(engine: TaskEngine): Promise<TaskMetrics> {
    const containers = engine.containers();
    const measured: { readonly of: (typeof containers)[number]; readonly metrics: Measured }[] = [];
    for (const of of containers) {
      const metrics = await this.#container(of);
      if (metrics !== undefined) measured.push({ of, metrics });
    }
    const running = new Set(containers.map(({ id }) => id));
    for (const id of this.#last.keys()) if (!running.has(id)) this.#last.delete(id);
    return [...Map.groupBy(measured, ({ of }) => of.task.arn).values()].flatMap((all) => {
      const own = all.filter(({ of }) => !of.internal);
      const [first] = own;
      if (first === undefined) return [];
      // Containers that share an interface have no numbers of it: it is its holder's, and told with the first of them.
      const shared = all.find(({ of }) => of.internal)?.metrics.networkStatsSet;
      const { arn, family, version } = first.of.task;
      return [
        {
          taskArn: arn,
          taskDefinitionFamily: family,
          taskDefinitionVersion: version,
          containerMetrics: own.map(({ of, metrics }) => ({
            containerName: of.name,
            ...metrics,
            ...(shared === undefined || of.id !== first.of.id ? {} : { networkStatsSet: shared }),
          })),
        },
      ];
    });
  }

  async #container(counted: Counted): Promise<Measured | undefined> {
    const { id } = counted;
    try {
      const container = this.#docker.getContainer(id);
      const stats =
        (await this.#kernel.of(counted)) ??
        ((await engineCall(() => container.stats({ stream: false, 'one-shot': true }))) as Stats);
      const interfaces = Object.values(stats.networks ?? {});
      const reading: Reading = {
        at: this.#clock.monotonic(),
        cpu: stats.cpu_stats?.cpu_usage?.total_usage ?? 0,
        received: interfaces.reduce((sum, { rx_bytes: bytes = 0 }) => sum + bytes, 0),
        sent: interfaces.reduce((sum, { tx_bytes: bytes = 0 }) => sum + bytes, 0),
      };
      const before = this.#last.get(id);
      this.#last.set(id, reading);
      return metricsBetween(before, reading, stats, this.#cpuUnits);
    } catch (error) {
      // It stopped between the list and the question.
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }
}

type Measured = Omit<ContainerMetrics, 'containerName'>;
