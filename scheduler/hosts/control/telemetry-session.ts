import type { WebSocket } from 'ws';

import { type HealthStatus, idOf, newEventId } from '../../state/index.ts';
import type { UsageSession } from '../../signals/usage/index.ts';
import type { ClusterView } from '../../views/index.ts';

import { type InstanceRef, noteRuntime } from './connections.ts';
import type { AgentControlOptions } from './options.ts';
import { timing } from './timing.ts';
import { parseFrame, sendMessage, telemetryBody, telemetryMessage, type TelemetryMessage } from '../wire/index.ts';
import { watchLiveness } from './peer.ts';
import { transformTask } from './submit.ts';
import { applyHealth } from './transitions.ts';

/** What a telemetry connection needs besides the socket. */
export interface TelemetryPorts {
  readonly options: AgentControlOptions;
  readonly ref: InstanceRef;
  readonly view: ClusterView;
  /** Where the numbers of this connection go. */
  readonly usage: UsageSession;
}

/** The control plane's end of one TCS connection: health and runtime status go into the records when they change, numbers to the usage. */
export class TelemetrySession {
  readonly #ports: TelemetryPorts;
  readonly #ws: WebSocket;
  #queue: Promise<void> = Promise.resolve();

  constructor(ws: WebSocket, ports: TelemetryPorts) {
    this.#ws = ws;
    this.#ports = ports;
  }

  /** Serves the connection until it closes. */
  async run(): Promise<void> {
    const { options, ref } = this.#ports;
    const ended = new AbortController();
    this.#ws.on('message', (data, isBinary) => {
      if (isBinary) return;
      // In order: an older health report must not overwrite a newer one.
      this.#queue = this.#queue.then(() => this.#receive((data as Buffer).toString('utf8')));
    });
    this.#ws.on('error', (error) => options.log.info({ instance: ref.id, err: error }, 'telemetry connection failed'));
    this.#ws.once('close', () => ended.abort());
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#ws.resume();
    const live = watchLiveness(this.#ws, options.clock, ended.signal);
    while (!ended.signal.aborted) {
      sendMessage(this.#ws, 'HeartbeatMessage', { healthy: true, messageId: newEventId(options.random) });
      await options.clock.sleep(timing.heartbeat, ended.signal).catch(() => undefined);
    }
    await live;
    await this.#queue;
  }

  async #receive(frame: string): Promise<void> {
    const { options, ref } = this.#ports;
    try {
      const message = parseFrame(telemetryMessage, telemetryBody(frame));
      if (message !== undefined) await this.#apply(message);
    } catch (error) {
      // The agent publishes the same again soon.
      options.log.warn({ instance: ref.id, err: error }, 'could not take in telemetry');
    }
  }

  async #apply(message: TelemetryMessage): Promise<void> {
    const { options, ref } = this.#ports;
    switch (message.type) {
      case 'PublishHealthRequest':
        for (const task of message.message.tasks) {
          await this.#health(
            idOf(task.taskArn),
            new Map(task.containers.map((container) => [container.containerName, container.healthStatus])),
          );
        }
        sendMessage(this.#ws, 'AckPublishHealth', { message: 'OK' });
        return;
      case 'PublishMetricsRequest':
        this.#metrics(message.message);
        sendMessage(this.#ws, 'AckPublishMetric', { message: 'OK' });
        return;
      case 'PublishInstanceStatusRequest': {
        const runtime = message.message.statuses.find((status) => status.type === 'ContainerRuntime');
        if (runtime !== undefined) await noteRuntime(options, ref, runtime.status === 'IMPAIRED');
        sendMessage(this.#ws, 'AckPublishInstanceStatus', { message: 'OK' });
        return;
      }
    }
  }

  async #health(taskId: string, health: ReadonlyMap<string, HealthStatus>): Promise<void> {
    const { options, ref, view } = this.#ports;
    const seen = view.tasks.get(taskId)?.value;
    // A view that lags skips at most one report; the agent repeats it.
    if (seen?.instanceId === ref.id && applyHealth(seen, health) === undefined) return;
    await transformTask(options.records, ref, taskId, (task) =>
      task.instanceId === ref.id ? applyHealth(task, health) : undefined,
    );
  }

  #metrics(message: Extract<TelemetryMessage, { type: 'PublishMetricsRequest' }>['message']): void {
    const { ref, usage, view } = this.#ports;
    const host = view.instances.get(ref.id)?.value;
    // A view that lags skips one report; the next one comes soon.
    if (host === undefined) return;
    usage.take(host, view.liveTasksOn(ref.id), message.taskMetrics, message.timestamp);
  }
}
