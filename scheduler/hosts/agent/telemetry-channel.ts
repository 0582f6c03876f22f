import { settling, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { sendMessage } from '../wire/index.ts';
import { EngineUnavailable } from './docker.ts';
import type { ResolvedOptions } from './options.ts';
import { Rises } from './rises.ts';
import type { Sampler, TaskMetrics } from './sampler.ts';
import type { TaskEngine } from './task-engine.ts';

/** Tasks in one frame, as amazon-ecs-agent sends them. */
const tasksPerFrame = 10;

export interface TelemetryPorts {
  readonly options: ResolvedOptions;
  readonly engine: TaskEngine;
  readonly sampler: Sampler;
  readonly containerInstanceArn: string;
}

/** The agent's end of the TCS connection: health when it changes and regularly, metrics regularly and when they rise, the state of the Docker engine at once. */
export class TelemetryHandler {
  readonly #ports: TelemetryPorts;
  #due = Promise.withResolvers<void>();

  constructor(ports: TelemetryPorts) {
    this.#ports = ports;
  }

  /** Health or the engine's state changed: publish soon. */
  changed(): void {
    this.#due.resolve();
  }

  serve(ws: WebSocket, signal: AbortSignal): void {
    void this.#publishLoop(ws, signal);
  }

  async #publishLoop(ws: WebSocket, signal: AbortSignal): Promise<void> {
    const { options } = this.#ports;
    const { clock, publishEvery, log } = options;
    const rises = new Rises(publishEvery);
    let nextFull = clock.monotonic();
    while (!signal.aborted) {
      this.#due = Promise.withResolvers();
      try {
        this.#status(ws);
        this.#health(ws);
        if (clock.monotonic() >= nextFull) {
          nextFull = clock.monotonic() + publishEvery;
          const wait = rises.next(await this.#metrics(ws));
          nextFull = Math.min(nextFull, clock.monotonic() + wait);
        }
      } catch (error) {
        if (!(error instanceof EngineUnavailable)) log.warn({ err: error }, 'could not publish telemetry');
      }
      const left = Math.max(0, nextFull - clock.monotonic());
      await waitAtMost(left, settling(this.#due.promise), clock, signal);
      // Several containers often change together.
      await clock.sleep(100, signal).catch(() => undefined);
    }
  }

  #status(ws: WebSocket): void {
    const status = this.#ports.engine.answers ? 'OK' : 'IMPAIRED';
    sendMessage(ws, 'PublishInstanceStatusRequest', {
      metadata: this.#metadata(),
      statuses: [{ type: 'ContainerRuntime', status }],
    });
  }

  #health(ws: WebSocket): void {
    const tasks = this.#ports.engine.health();
    for (let from = 0; from < tasks.length; from += tasksPerFrame) {
      sendMessage(ws, 'PublishHealthRequest', {
        metadata: this.#metadata(),
        tasks: tasks.slice(from, from + tasksPerFrame),
      });
    }
  }

  async #metrics(ws: WebSocket): Promise<TaskMetrics> {
    const tasks = await this.#ports.sampler.measure(this.#ports.engine);
    for (let from = 0; from < tasks.length; from += tasksPerFrame) {
      sendMessage(ws, 'PublishMetricsRequest', {
        metadata: this.#metadata(),
        taskMetrics: tasks.slice(from, from + tasksPerFrame),
        timestamp: this.#ports.options.clock.now(),
      });
    }
    return tasks;
  }

  #metadata(): { readonly cluster: string; readonly containerInstance: string } {
    const { options, containerInstanceArn } = this.#ports;
    return { cluster: options.cluster, containerInstance: containerInstanceArn };
  }
}
