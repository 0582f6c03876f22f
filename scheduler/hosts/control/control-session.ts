import { waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { arns, idOf, type InstanceRecord, isWanted, newEventId, type TaskRecord } from '../../state/index.ts';
import type { ClusterView } from '../../views/index.ts';

import { firstSequence, type InstanceRef } from './connections.ts';
import type { AgentControlOptions } from './options.ts';
import { credentialMargin } from './credentials.ts';
import { agentMessage, parseFrame, sendMessage, type SentTask } from '../wire/index.ts';
import { installationId, verifyStops } from './stops.ts';
import { type Destination, type PayloadSource, SecretsUnread, Unrenderable } from './payloads.ts';
import { NetworkTeller } from './network-teller.ts';
import { watchLiveness } from './peer.ts';
import { renderStop } from './render.ts';
import { secretsAttribute } from './secret-needs.ts';
import { SessionCalls } from './session-calls.ts';
import { transformTask } from './submit.ts';
import { timing } from './timing.ts';
import { applyTaskChange, deprovisioned, giveUp } from './transitions.ts';

/** Tasks in one payload; keeps frames far below the agents' limit. */
const tasksPerPayload = 10;

interface Sent {
  readonly desired: TaskRecord['desiredStatus'];
  readonly messageId: string;
  readonly at: number;
  acknowledged: boolean;
  /** When the first of the credentials that were sent ends, milliseconds since the epoch. */
  expiresAt: number | undefined;
  /** When they were last renewed, on the monotonic clock. */
  renewedAt?: number;
}

const earliest = (credentials: readonly { readonly expiration: string }[]): number | undefined =>
  credentials.length === 0 ? undefined : Math.min(...credentials.map(({ expiration }) => Date.parse(expiration)));

/** What a session needs besides the socket. */
export interface SessionPorts {
  readonly options: AgentControlOptions;
  readonly ref: InstanceRef;
  readonly connectionId: string;
  readonly generation: number;
  readonly endpoint: string;
  readonly view: ClusterView;
  readonly payloads: PayloadSource;
}

/**
 * The control plane's end of one ACS connection. Level-triggered: at every change and every tick it compares what the
 * records want of the instance with what it has told the agent, and tells the difference again until the records show
 * that it happened. Losing any message, the connection or this process costs time, never correctness.
 */
export class ControlSession {
  readonly #ports: SessionPorts;
  readonly #ws: WebSocket;
  #destination: Destination;
  readonly #instanceArn: string;
  readonly #installation: string;
  readonly #sent = new Map<string, Sent>();
  readonly #network: NetworkTeller;
  readonly #sessions: SessionCalls;
  readonly #manifests = new Map<string, ReadonlySet<string>>();
  readonly #ended = new AbortController();
  #sequence: number;
  #manifestAt: number | undefined;
  #undecided = false;
  /** Since when the records have not shown this connection, on the monotonic clock. */
  #unknownSince: number | undefined;
  #working = false;
  #again = false;
  /** When the next look is due though nothing changes, and until when the session sleeps, on the monotonic clock. */
  #lookAt = 0;
  #sleepsUntil = 0;
  #wake: () => void = () => undefined;

  constructor(ws: WebSocket, ports: SessionPorts) {
    const { options, ref } = ports;
    this.#ports = ports;
    this.#ws = ws;
    this.#network = new NetworkTeller(ports);
    this.#sessions = new SessionCalls(ports, ws);
    this.#sequence = firstSequence(ports.generation);
    this.#installation = installationId(options);
    this.#instanceArn = arns.containerInstance(options.region, ref.account, ref.cluster, ref.id);
    this.#destination = {
      account: ref.account,
      clusterArn: arns.cluster(options.region, ref.account, ref.cluster),
      endpoint: ports.endpoint,
      takesSecrets: false,
      shipsLogs: false,
    };
  }

  /** Serves the connection until it closes. */
  async run(): Promise<void> {
    const { options, ref, view } = this.#ports;
    const unwatchNetwork = options.networks.watch(ref.account, () => this.#poke());
    const unwatchTasks = view.watch(ref.id, () => this.#poke());
    const unwatch = (): void => {
      unwatchNetwork();
      unwatchTasks();
    };
    this.#ws.on('message', (data, isBinary) => {
      if (!isBinary) this.#receive((data as Buffer).toString('utf8'));
    });
    this.#ws.on('error', (error) => options.log.info({ instance: ref.id, err: error }, 'control connection failed'));
    const closed = new Promise<void>((resolve) => this.#ws.once('close', () => resolve()));
    void closed.then(() => this.#ended.abort());
    if (this.#ws.readyState !== this.#ws.OPEN) {
      unwatch();
      return;
    }
    this.#ws.resume();
    this.#poke();
    await Promise.all([
      closed,
      watchLiveness(this.#ws, options.clock, this.#ended.signal),
      this.#every(timing.heartbeat, () => this.#heartbeat()),
      this.#lookWhenDue(),
    ]);
    unwatch();
  }

  /** Ends the connection; the agent connects again at once unless its instance is gone. */
  close(reason: string): void {
    this.#ws.close(1000, reason);
  }

  async #every(interval: number, work: () => void): Promise<void> {
    const { clock } = this.#ports.options;
    while (!this.#ended.signal.aborted) {
      work();
      await clock.sleep(interval, this.#ended.signal).catch(() => undefined);
    }
  }

  /**
   * Looks when a message is to be repeated, credentials end, or the manifest is due; with most hosts nothing is for minutes, and there
   * are many hosts. At most once a tick.
   */
  async #lookWhenDue(): Promise<void> {
    const { clock } = this.#ports.options;
    while (!this.#ended.signal.aborted) {
      const wait = Math.max(timing.tick, this.#lookAt - clock.monotonic());
      this.#sleepsUntil = clock.monotonic() + wait;
      await waitAtMost(wait, (wake) => void (this.#wake = wake), clock, this.#ended.signal);
      if (clock.monotonic() >= this.#lookAt) this.#poke();
    }
  }

  /** Notes when the next look is due. */
  #lookBy(time: number): void {
    this.#lookAt = time;
    if (Math.max(time, this.#ports.options.clock.monotonic() + timing.tick) < this.#sleepsUntil) this.#wake();
  }

  #heartbeat(): void {
    sendMessage(this.#ws, 'HeartbeatMessage', { healthy: true, messageId: newEventId(this.#ports.options.random) });
  }

  /** One pass at a time; a change during a pass causes another. */
  #poke(): void {
    this.#again = true;
    if (this.#working) return;
    this.#working = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    const { options, ref } = this.#ports;
    try {
      while (this.#again && !this.#ended.signal.aborted) {
        this.#again = false;
        this.#lookBy(await this.#pass());
      }
    } catch (error) {
      // The next tick tries again; the records say what is left to do.
      this.#lookBy(options.clock.monotonic() + timing.tick);
      options.log.warn({ instance: ref.id, err: error }, 'could not send tasks to the agent');
    } finally {
      this.#working = false;
    }
  }

  /** Tells the agent what it was not told yet, and again what is due. @returns when the next look is, on the monotonic clock */
  async #pass(): Promise<number> {
    const { ref, view, connectionId, options, payloads } = this.#ports;
    const instance = view.instances.get(ref.id)?.value;
    if (instance?.connectionId !== connectionId || instance.status === 'INACTIVE') {
      // The view may be older than this connection; only a newer generation or the end of the instance counts at once.
      const older = instance === undefined || (instance.channelGeneration ?? 0) < this.#ports.generation;
      this.#unknownSince ??= options.clock.monotonic();
      const next = options.clock.monotonic() + timing.tick;
      if (older && options.clock.monotonic() - this.#unknownSince < timing.unknown) return next;
      this.close(older ? 'the store does not know this connection' : 'superseded');
      return next;
    }
    this.#unknownSince = undefined;
    const takesSecrets = instance.attributes.some(({ name }) => name === secretsAttribute);
    // amazon-ecs-agent shows no secret of its host, and ships nothing.
    const shipsLogs = instance.secretHash !== undefined;
    this.#destination = { ...this.#destination, takesSecrets, shipsLogs };
    const tasks = view.liveTasksOn(ref.id);
    const live = new Set(tasks.map((task) => task.id));
    for (const id of this.#sent.keys()) {
      if (live.has(id)) continue;
      this.#sent.delete(id);
      await payloads.release(arns.task(options.region, ref.account, ref.cluster, id));
    }
    await this.#attach(instance, tasks);
    await options.networks.keep(ref, instance, live);
    await this.#deprovision(tasks);
    // Before the tasks: a host that does not know the network yet lets none of them start.
    this.#network.tell({
      whole: (messageId, state) =>
        sendMessage(this.#ws, 'NetworkStateMessage', { ...this.#command(messageId), ...state }),
      change: (messageId, after, change) =>
        sendMessage(this.#ws, 'NetworkChangeMessage', { ...this.#command(messageId), after, change }),
    });
    await this.#send(tasks.filter((task) => this.#dueAt(task) <= options.clock.monotonic()));
    for (const task of tasks) if (this.#renewAt(task) <= options.clock.monotonic()) await this.#renew(task);
    const now = options.clock.monotonic();
    const every = this.#undecided ? timing.undecided : timing.manifest;
    if (this.#manifestAt === undefined || now - this.#manifestAt >= every) {
      this.#manifestAt = now;
      this.#sendManifest(tasks);
    }
    let next = Math.min(this.#manifestAt + every, this.#network.dueAt, this.#sessions.tell());
    for (const task of tasks) next = Math.min(next, this.#dueAt(task), this.#renewAt(task));
    return next;
  }

  /** Gives the tasks that wait for it their network interface; the change of their records brings the next pass. */
  async #attach(instance: InstanceRecord, tasks: readonly TaskRecord[]): Promise<void> {
    const { options, ref } = this.#ports;
    for (const task of tasks) {
      if (task.network === undefined || task.attachment !== undefined || task.desiredStatus === 'STOPPED') continue;
      let given;
      try {
        given = await options.networks.attach(ref, instance, task);
      } catch (err) {
        // The next tick tries again; the other tasks of the host need not wait for it.
        options.log.warn({ task: task.arn, err }, 'cannot give a task its network interface yet');
        continue;
      }
      await transformTask(options.records, ref, task.id, (current) => {
        if (current.attachment !== undefined || current.lastStatus === 'STOPPED') return undefined;
        if ('refused' in given) {
          const reason = `ResourceInitializationError: ${given.refused}`;
          return applyTaskChange(current, { status: 'STOPPED', reason, containers: [] }, options.clock.now());
        }
        const lastStatus = current.lastStatus === 'PROVISIONING' ? 'PENDING' : current.lastStatus;
        return { ...current, attachment: given, lastStatus, version: current.version + 1 };
      });
    }
  }

  /** Gives the interfaces back of tasks whose agent has said that their containers are gone. */
  async #deprovision(tasks: readonly TaskRecord[]): Promise<void> {
    const { options, ref } = this.#ports;
    for (const task of tasks) {
      if (task.lastStatus !== 'DEPROVISIONING' || task.attachment === undefined) continue;
      await options.networks.release(ref, task.attachment.networkInterface);
      await transformTask(options.records, ref, task.id, (current) => deprovisioned(current, options.clock.now()));
    }
  }

  /** What the agent is told of a task: one that requests may still reach runs on. */
  #told(task: TaskRecord): TaskRecord['desiredStatus'] {
    return isWanted(task, this.#ports.options.clock.now()) ? 'RUNNING' : 'STOPPED';
  }

  /** When the agent is to be told of a task, on the monotonic clock; before now: it is due. */
  #dueAt(task: TaskRecord): number {
    const told = this.#told(task);
    // One that waits for its network interface has nothing to start with yet.
    if (task.network !== undefined && task.attachment === undefined && told === 'RUNNING') return Infinity;
    const sent = this.#sent.get(task.id);
    if (sent?.desired !== told) return -Infinity;
    // What runs as wanted is told once a connection, so that an agent that lost everything says so.
    const runs = task.lastStatus === 'RUNNING' || task.lastStatus === 'DEACTIVATING';
    if (told === 'RUNNING' && runs && sent.acknowledged)
      return task.desiredStatus === 'STOPPED' ? this.#ports.options.clock.monotonic() + timing.held : Infinity;
    return sent.at + (sent.acknowledged ? timing.resendAcknowledged : timing.resendUnacknowledged);
  }

  /** When the credentials that the agent was given for a task are to be replaced, on the monotonic clock. */
  #renewAt(task: TaskRecord): number {
    const { clock } = this.#ports.options;
    const { expiresAt, renewedAt } = this.#sent.get(task.id) ?? {};
    if (expiresAt === undefined || this.#told(task) === 'STOPPED') return Infinity;
    const near = clock.monotonic() + expiresAt - credentialMargin - clock.now();
    return renewedAt === undefined ? near : Math.max(near, renewedAt + timing.renewCredentials);
  }

  async #renew(task: TaskRecord): Promise<void> {
    const { options, payloads, ref } = this.#ports;
    const sent = this.#sent.get(task.id);
    if (sent === undefined) return;
    sent.renewedAt = options.clock.monotonic();
    try {
      const all = await payloads.credentials(task, ref.account);
      for (const { roleType, ...roleCredentials } of all) {
        sendMessage(this.#ws, 'IAMRoleCredentialsMessage', {
          messageId: newEventId(options.random),
          taskArn: task.arn,
          taskClusterArn: this.#destination.clusterArn,
          roleType,
          roleCredentials,
        });
      }
      sent.expiresAt = earliest(all);
    } catch (error) {
      if (!(error instanceof Unrenderable)) throw error;
      // It runs on with what it has; its role may be allowed again before that ends.
      options.log.warn({ task: task.arn, reason: error.message }, "cannot renew the credentials of a task's roles");
    }
  }

  async #send(tasks: readonly TaskRecord[]): Promise<void> {
    const { options } = this.#ports;
    for (let from = 0; from < tasks.length; from += tasksPerPayload) {
      const batch = tasks.slice(from, from + tasksPerPayload);
      const rendered = await Promise.all(batch.map((task) => this.#render(task)));
      const messageId = newEventId(options.random);
      const payload = rendered.filter((task) => task !== undefined);
      if (payload.length === 0) continue;
      for (const task of payload) {
        this.#sent.set(idOf(task.arn), {
          desired: task.desiredStatus,
          messageId,
          at: options.clock.monotonic(),
          acknowledged: false,
          expiresAt: earliest([task.roleCredentials, task.executionRoleCredentials].flatMap((given) => given ?? [])),
        });
      }
      sendMessage(this.#ws, 'PayloadMessage', {
        ...this.#command(messageId),
        tasks: payload,
        generatedAt: options.clock.now(),
      });
    }
  }

  async #render(task: TaskRecord): Promise<SentTask | undefined> {
    const { options, ref, payloads } = this.#ports;
    if (this.#told(task) === 'STOPPED') return renderStop(task, this.#destination.clusterArn, options.clock.now());
    try {
      return await payloads.start(task, this.#destination);
    } catch (error) {
      if (error instanceof SecretsUnread) {
        // Due still, at the next tick; the other tasks of the host, their credentials and the manifest do not wait for it.
        options.log.warn({ task: task.arn, err: error }, 'cannot read the secrets of a task yet');
        return undefined;
      }
      if (!(error instanceof Unrenderable)) throw error;
      const reason = error.message;
      if (task.lastStatus === 'RUNNING' || task.lastStatus === 'DEACTIVATING') {
        // It runs on; what cannot be rendered any more is only the reminder.
        options.log.warn({ task: task.arn, reason }, 'cannot describe a running task to its agent');
        const at = options.clock.monotonic();
        this.#sent.set(task.id, { desired: 'RUNNING', messageId: '', at, acknowledged: true, expiresAt: undefined });
        return undefined;
      }
      await transformTask(options.records, ref, task.id, (current) => giveUp(current, reason, options.clock.now()));
      return undefined;
    }
  }

  #sendManifest(tasks: readonly TaskRecord[]): void {
    const messageId = newEventId(this.#ports.options.random);
    const wanted = tasks.filter((task) => this.#told(task) === 'RUNNING').map((task) => task.arn);
    this.#manifests.clear();
    this.#undecided = false;
    this.#manifests.set(messageId, new Set(wanted));
    sendMessage(this.#ws, 'TaskManifestMessage', {
      ...this.#command(messageId),
      tasks: tasks.map((task) => ({
        taskArn: task.arn,
        taskClusterArn: this.#destination.clusterArn,
        desiredStatus: this.#told(task),
      })),
      generatedAt: this.#ports.options.clock.now(),
    });
  }

  /** What stands in every command, each newer than the one before. */
  #command(messageId: string) {
    this.#sequence += 1;
    return {
      messageId,
      clusterArn: this.#destination.clusterArn,
      containerInstanceArn: this.#instanceArn,
      seqNum: this.#sequence,
      timeline: this.#sequence,
      installation: this.#installation,
    };
  }

  #receive(text: string): void {
    const { options, ref } = this.#ports;
    let message;
    try {
      message = parseFrame(agentMessage, text);
    } catch {
      options.log.warn({ instance: ref.id }, 'the agent sent text that is not JSON');
      return;
    }
    if (message?.type === 'AckRequest') this.#acknowledged(message.message.messageId);
    else if (message?.type === 'NackRequest') {
      options.log.warn({ instance: ref.id, reason: message.message.reason }, 'the agent refused a message');
    } else if (message?.type === 'TaskStopVerificationMessage') {
      this.#verifyStops(message.message).catch((err: unknown) =>
        // The next manifest makes the agent ask again.
        options.log.warn({ instance: ref.id, err }, 'could not say which tasks the agent may stop'),
      );
    }
  }

  #acknowledged(messageId: string): void {
    for (const sent of this.#sent.values()) if (sent.messageId === messageId) sent.acknowledged = true;
    this.#network.acknowledged(messageId);
  }

  /** Confirms only what neither the manifest nor the records want: a task placed since the manifest stays. */
  async #verifyStops(message: { messageId: string; stopCandidates: readonly { taskArn: string }[] }): Promise<void> {
    const { options, ref, view } = this.#ports;
    const wanted = this.#manifests.get(message.messageId);
    if (wanted === undefined) return;
    this.#manifests.delete(message.messageId);
    const live = new Set(
      view
        .liveTasksOn(ref.id)
        .filter((task) => this.#told(task) === 'RUNNING')
        .map((task) => task.arn),
    );
    // Until it is answered, also when the store fails.
    this.#undecided = true;
    // The next manifest is due earlier now.
    this.#poke();
    const candidates = message.stopCandidates.map(({ taskArn }) => taskArn);
    const unwanted = candidates.filter((arn) => !wanted.has(arn) && !live.has(arn));
    const { stop, undecided } = await verifyStops(options, ref, unwanted, (id) => view.awayFor(id));
    this.#undecided = undecided;
    sendMessage(this.#ws, 'TaskStopVerificationAck', {
      messageId: message.messageId,
      generatedAt: options.clock.now(),
      stopTasks: stop.map((taskArn) => ({
        taskArn,
        taskClusterArn: this.#destination.clusterArn,
        desiredStatus: 'STOPPED' as const,
      })),
    });
  }
}
