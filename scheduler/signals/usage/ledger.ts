import type { InstanceRecord, TaskRecord } from '../../state/index.ts';

import { boundedUsage } from './bounded.ts';
import { TaskMinute, type TaskUsage } from './minute.ts';
import { type InstanceName, nameOf, type SaidOfContainer, type TaskName } from './records.ts';

/** One telemetry connection of an agent. */
export interface UsageSession {
  /**
   * Takes in what an agent says of tasks.
   * @param host the record of its instance
   * @param tasks those of its instance that run; what is said of others counts for nothing
   * @param saidAt the time of its message, by its own clock
   */
  take(
    host: Pick<InstanceRecord, 'cpu' | 'memory'>,
    tasks: readonly TaskRecord[],
    said: readonly { readonly taskArn: string; readonly containerMetrics: readonly SaidOfContainer[] }[],
    saidAt: number | undefined,
  ): void;
  close(): void;
}

/** What the tasks of one instance used over a period. */
export interface InstanceUsage {
  readonly instance: InstanceName;
  readonly tasks: readonly TaskUsage[];
}

/** What is said of a task counts as what it uses now for as long; milliseconds. */
const freshFor = 60_000;

/** What is said of a task counts as what was just measured for as long, milliseconds: amazon-ecs-agent tells every 20 s. */
const newFor = 25_000;

/** Milliseconds that a task takes to begin, in which it uses what it will not use later: compilers, caches, migrations. */
const beginsFor = 60_000;

interface Entry {
  readonly instance: InstanceName;
  readonly tasks: Map<string, TaskMinute>;
  /** Of the newest connection; undefined once it has ended. */
  session: object | undefined;
}

/**
 * What the agents that are connected to this process say of their tasks, until somebody takes it away. Memory is bounded by the
 * records: an entry for each instance, and in it the tasks that are placed there.
 */
export class UsageLedger {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** An agent's telemetry connection was opened; an older one of the same agent counts no more. */
  open(instance: InstanceName): UsageSession {
    const entry = this.#entries.getOrInsertComputed(keyOf(instance), () => ({
      instance,
      tasks: new Map<string, TaskMinute>(),
      session: undefined,
    }));
    const session = {};
    entry.session = session;
    return {
      take: (host, tasks, said, saidAt) => {
        if (entry.session !== session) return;
        const mine = new Map(tasks.map((task) => [task.arn, task]));
        for (const { taskArn, containerMetrics } of said) {
          const task = mine.get(taskArn);
          if (task === undefined || task.lastStatus !== 'RUNNING') continue;
          const name = nameOf(task);
          entry.tasks
            .getOrInsertComputed(taskArn, () => new TaskMinute(name, task.startedAt ?? 0))
            .take(name, boundedUsage(task, host, containerMetrics), saidAt, this.#now());
        }
        for (const arn of entry.tasks.keys()) if (!mine.has(arn)) entry.tasks.get(arn)!.gone = true;
      },
      close: () => {
        if (entry.session === session) entry.session = undefined;
      },
    };
  }

  /**
   * Takes away what was used since the last call; of an instance whose agent is connected also that nothing was. Instances that have
   * gone and left nothing are forgotten.
   */
  cut(): readonly InstanceUsage[] {
    const all: InstanceUsage[] = [];
    for (const [key, entry] of this.#entries) {
      const tasks: TaskUsage[] = [];
      for (const [arn, minute] of entry.tasks) {
        const usage = minute.cut();
        if (usage !== undefined) tasks.push(usage);
        else if (minute.gone || this.#now() - minute.seenAt > freshFor) entry.tasks.delete(arn);
      }
      if (tasks.length > 0 || entry.session !== undefined) all.push({ instance: entry.instance, tasks });
      else this.#entries.delete(key);
    }
    return all;
  }

  /** The last looks at each task of a service that has run for a while, and whose agent is connected here and has said something just now. */
  recent(): readonly { readonly instance: InstanceName; readonly task: TaskName; readonly last: TaskMinute['last'] }[] {
    const now = this.#now();
    return [...this.#entries.values()].flatMap(({ instance, tasks, session }) =>
      session === undefined
        ? []
        : [...tasks.values()].flatMap(({ newest: { task }, last, seenAt, startedAt, gone }) =>
            gone ||
            task.service === undefined ||
            Math.abs(now - seenAt) > newFor ||
            Math.abs(now - startedAt) < beginsFor
              ? []
              : [{ instance, task, last }],
          ),
    );
  }

  /** The newest look at each task whose agent is connected here. */
  newest(): readonly { readonly instance: InstanceName; readonly usage: TaskUsage }[] {
    const now = this.#now();
    return [...this.#entries.values()].flatMap(({ instance, tasks, session }) =>
      session === undefined
        ? []
        : [...tasks.values()].flatMap(({ newest: usage, seenAt, gone }) =>
            gone || now - seenAt > freshFor ? [] : [{ instance, usage }],
          ),
    );
  }
}

const keyOf = ({ account, cluster, id }: InstanceName): string => `${account}/${cluster}/${id}`;
