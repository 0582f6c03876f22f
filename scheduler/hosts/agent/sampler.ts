import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { MessageOf } from '../wire/index.ts';
import { engineCall, EngineError } from './docker.ts';
import type { TaskEngine } from './task-engine.ts';

interface Sample {
  readonly at: number;
  /** Nanoseconds of CPU time used so far. */
  readonly cpu: number;
}

/** The part of Docker's `/containers/{id}/stats` that is used. */
interface Stats {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: Readonly<Record<string, number>> };
}

/** `taskMetrics` of a PublishMetricsRequest. */
export type TaskMetrics = NonNullable<MessageOf<'PublishMetricsRequest'>['taskMetrics']>;
type ContainerMetrics = NonNullable<TaskMetrics[number]['containerMetrics']>[number];

const statistics = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });

/** Measures CPU and memory of running containers between one call and the next. */
export class Sampler {
  readonly #docker: Docker;
  readonly #clock: Clock;
  readonly #last = new Map<string, Sample>();

  constructor(docker: Docker, clock: Clock) {
    this.#docker = docker;
    this.#clock = clock;
  }

  /** CPU in percent of one vCPU since the last call, memory in MiB without the page cache. */
  async measure(engine: TaskEngine): Promise<TaskMetrics> {
    const containers = engine.containers();
    const tasks = new Map<
      string,
      { task: (typeof containers)[number]['task']; containerMetrics: ContainerMetrics[] }
    >();
    for (const { task, name, id } of containers) {
      const metrics = await this.#container(id);
      if (metrics === undefined) continue;
      const entry = tasks.get(task.arn) ?? { task, containerMetrics: [] };
      tasks.set(task.arn, entry);
      entry.containerMetrics.push({ containerName: name, ...metrics });
    }
    const running = new Set(containers.map(({ id }) => id));
    for (const id of this.#last.keys()) if (!running.has(id)) this.#last.delete(id);
    return [...tasks.values()].map(({ task, containerMetrics }) => ({
      taskArn: task.arn,
      taskDefinitionFamily: task.family,
      taskDefinitionVersion: task.version,
      containerMetrics,
    }));
  }

  async #container(id: string): Promise<Omit<ContainerMetrics, 'containerName'> | undefined> {
    try {
      const container = this.#docker.getContainer(id);
      const stats = (await engineCall(() => container.stats({ stream: false, 'one-shot': true }))) as Stats;
      const sample = { at: this.#clock.monotonic(), cpu: stats.cpu_stats?.cpu_usage?.total_usage ?? 0 };
      const before = this.#last.get(id);
      this.#last.set(id, sample);
      const cache =
        stats.memory_stats?.stats?.['total_inactive_file'] ?? stats.memory_stats?.stats?.['inactive_file'] ?? 0;
      const memory = Math.max(0, (stats.memory_stats?.usage ?? 0) - cache) / (1024 * 1024);
      if (before === undefined || sample.at <= before.at) return { memoryStatsSet: statistics(memory) };
      const percent = ((sample.cpu - before.cpu) / ((sample.at - before.at) * 1e6)) * 100;
      return { cpuStatsSet: statistics(Math.max(0, percent)), memoryStatsSet: statistics(memory) };
    } catch (error) {
      // It stopped between the list and the question.
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }
}
