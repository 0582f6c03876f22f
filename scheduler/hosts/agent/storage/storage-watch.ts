import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { AgentTask } from '../../wire/index.ts';
import { EngineUnavailable } from '../docker.ts';
import type { TaskStoragePort } from './port.ts';

/** A task as the watch sees it. */
export interface Watched {
  readonly task: AgentTask;
  readonly desired: 'RUNNING' | 'STOPPED';
  readonly inspected: ReadonlyMap<string, Docker.ContainerInspectInfo>;
  /** Notes how many bytes its files take. */
  noteStorage(bytes: number): void;
  stopTask(reason: string): Promise<void>;
}

export interface StorageWatchOptions {
  readonly storage: TaskStoragePort;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds from one look to the next. */
  readonly every: number;
  /** The tasks that are not over. */
  readonly tasks: () => readonly Watched[];
  /** The Docker volumes that are a task's own, by name. */
  readonly volumesOf: (task: AgentTask) => readonly string[];
}

const gibibyte = 2 ** 30;

/**
 * Counts what tasks write, and stops those whose files take more than their ephemeral storage. Where the engine holds containers to
 * sizes it stops those whose containers do so together, or with volumes; elsewhere this is the only limit, and a soft one: what is
 * written between two looks is there.
 */
export class StorageWatch {
  readonly #options: StorageWatchOptions;

  constructor(options: StorageWatchOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, every } = this.#options;
    while (!signal.aborted) {
      for (const task of this.#options.tasks()) {
        if (signal.aborted) return;
        await this.#look(task);
      }
      await clock.sleep(every, signal).catch(() => undefined);
    }
  }

  async #look(watched: Watched): Promise<void> {
    const { storage, log, volumesOf } = this.#options;
    const { task } = watched;
    const { ephemeralStorage: size } = task;
    if (size === undefined || watched.desired === 'STOPPED' || watched.inspected.size === 0) return;
    try {
      const bytes = await storage.used([...watched.inspected.values()], volumesOf(task));
      watched.noteStorage(bytes);
      if (bytes <= size * gibibyte) return;
      const reason = `ContainerRuntimeError: no space left on device: the files of the task take ${(bytes / gibibyte).toFixed(2)} GiB, and its ephemeral storage is ${size} GiB`;
      log.warn({ task: task.arn, bytes, reason }, 'stopping a task that filled its ephemeral storage');
      await watched.stopTask(reason);
    } catch (error) {
      if (!(error instanceof EngineUnavailable))
        log.warn({ task: task.arn, err: error }, 'cannot count what a task has written; trying again');
    }
  }
}
