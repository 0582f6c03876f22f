import type { Log } from '@slipway/auth/contract';
import { type Clock, settling, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import type { AgentContainer, AgentTask, LogRefusal } from '../../wire/index.ts';
import type { EngineLogs } from './engine.ts';
import { firstLines } from './first-lines.ts';
import { Follower } from './follower.ts';
import { readPlace } from './place.ts';
import { keyOf, LogSender, type Opened } from './sender.ts';

/** Times in milliseconds. */
const timing = {
  /** How long a start waits for the control plane to say whether the task's log groups are there. */
  check: 10_000,
  /** After a refusal that says no time, the streams are asked for again. */
  refused: 60_000,
  /** How long containers of a task that is over wait for their last lines to be stored, beyond the time they are kept anyway. */
  patience: 6 * 3_600_000,
};

/** Bytes of memory for what is not stored yet: of a container with `blocking`, and of all; each may have its share, or the least. */
const memory = { container: 8 * 1024 * 1024, all: 64 * 1024 * 1024, least: 256 * 1024 };

/** A task must not start, as its log groups are; the message is the reason as ECS says it. */
export class LogSetupRefused extends Error {
  override readonly name = 'LogSetupRefused';
}

export interface LogShippingPorts {
  readonly engine: EngineLogs;
  readonly clock: Clock;
  readonly log: Log;
  /** What the engine calls a container of a task. */
  readonly nameOf: (task: AgentTask, containerName: string) => string;
}

/** What is known of a task's streams. */
interface TaskStreams {
  /** Whether the control plane has said, on this connection, that they are there. */
  ready: boolean;
  /** Why the control plane takes no lines of it. */
  refused: string | undefined;
  answered: PromiseWithResolvers<void>;
  /** Whether it is going to be asked again. */
  asksAgain: boolean;
}

/** Brings what containers with the log driver `awslogs` write to the control plane: reads, holds, sends, and knows what is stored. */
export class LogShipping {
  readonly #ports: LogShippingPorts;
  readonly #followers = new Map<string, Follower>();
  readonly #tasks = new Map<string, TaskStreams>();
  readonly #runs = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  readonly #wanted = Promise.withResolvers<void>();
  #sender: LogSender | undefined;

  constructor(ports: LogShippingPorts) {
    this.#ports = ports;
  }

  /** Resolves when there is something to connect for. */
  get wanted(): Promise<void> {
    return this.#wanted.promise;
  }

  /**
   * Asks, before containers of a task are created, whether its lines will be taken. A control plane that is away keeps no task from
   * starting: its lines wait on the host.
   * @throws LogSetupRefused
   */
  async check(task: AgentTask): Promise<void> {
    const shipped = task.containers.flatMap(({ logs }) => logs ?? []);
    if (shipped.length === 0) return;
    for (const logs of shipped) patternOf(logs);
    const { clock } = this.#ports;
    const deadline = clock.monotonic() + timing.check;
    const known = this.#task(task.arn);
    for (let left: number = timing.check; left > 0; left = deadline - clock.monotonic()) {
      if (known.refused !== undefined) throw new LogSetupRefused(known.refused);
      if (known.ready || this.#stopped.signal.aborted) return;
      await waitAtMost(left, settling(known.answered.promise), clock, this.#stopped.signal);
    }
  }

  /**
   * A container was started, for the first time or again, or was found as an earlier agent left it.
   * @param fresh whether it was never started before, so that nothing of it can be stored
   */
  follow(task: AgentTask, { name, logs }: AgentContainer, fresh: boolean): void {
    if (logs === undefined || this.#stopped.signal.aborted) return;
    const what = { taskArn: task.arn, containerName: name, container: this.#ports.nameOf(task, name), logs };
    const known = this.#followers.get(keyOf(what));
    if (known !== undefined) {
      known.started();
      return;
    }
    const { clock, log, engine } = this.#ports;
    const follower: Follower = new Follower(
      { ...what, starts: patternOf(logs, log) },
      { engine, clock, log, room: () => this.#room(follower), changed: () => this.#changed(follower) },
    );
    this.#followers.set(keyOf(what), follower);
    const streams = this.#task(task.arn);
    if (fresh) follower.open();
    // Its marks may have come before: they are asked for again.
    else if (streams.ready) this.#ask(task.arn);
    const run = follower.run().finally(() => this.#runs.delete(run));
    this.#runs.add(run);
    run.catch((err: unknown) =>
      log.error({ task: task.arn, container: name, err }, 'nobody reads what a container writes'),
    );
  }

  /** A task is over: none of its containers runs again. */
  over(taskArn: string): void {
    for (const follower of this.#of(taskArn)) follower.over();
    if (this.#of(taskArn).length === 0) this.#tasks.delete(taskArn);
  }

  /** Whether containers of a task that is over may go: all that they wrote is stored, is refused, or has waited long enough. */
  mayRemove(taskArn: string, overFor: number): boolean {
    for (const follower of this.#of(taskArn)) {
      const refused = follower.refused ?? this.#tasks.get(taskArn)?.refused;
      const given = refused !== undefined || overFor > timing.patience;
      if (!follower.isDone && !given) return false;
      if (!follower.isDone) {
        const {
          what: { containerName: container },
          queue,
        } = follower;
        this.#ports.log.warn(
          { task: taskArn, container, events: queue.length },
          'lines of a container were never stored',
        );
      }
      follower.stop();
      this.#followers.delete(keyOf(follower.what));
    }
    this.#tasks.delete(taskArn);
    return true;
  }

  /** Serves one log connection until it ends. */
  async serve(ws: WebSocket, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const sender = new LogSender(ws, {
      clock,
      log,
      followers: () => [...this.#followers.values()],
      maySend: ({ isOpen, what, pausedUntil }) =>
        isOpen && this.#tasks.get(what.taskArn)?.ready === true && pausedUntil <= clock.monotonic(),
      opened: (answer) => this.#opened(answer),
      stored: (follower, answer) => this.#stored(follower, answer),
    });
    this.#sender = sender;
    for (const taskArn of this.#tasks.keys()) this.#ask(taskArn);
    await sender.run(signal);
    if (this.#sender === sender) this.#sender = undefined;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const follower of this.#followers.values()) follower.stop();
    await Promise.allSettled(this.#runs);
  }

  /** Something waits to be sent, or nothing ever will again. */
  #changed(follower: Follower): void {
    this.#sender?.changed();
    if (!follower.isDone) return;
    follower.stop();
    this.#followers.delete(keyOf(follower.what));
  }

  #of(taskArn: string): Follower[] {
    return [...this.#followers.values()].filter(({ what }) => what.taskArn === taskArn);
  }

  #task(taskArn: string): TaskStreams {
    const known = this.#tasks.get(taskArn);
    if (known !== undefined) return known;
    const made = { ready: false, refused: undefined, answered: Promise.withResolvers<void>(), asksAgain: false };
    this.#tasks.set(taskArn, made);
    this.#wanted.resolve();
    this.#ask(taskArn);
    return made;
  }

  /** Asks for a task's streams, now or on the next connection. Nothing of it is sent until they are there. */
  #ask(taskArn: string): void {
    const known = this.#tasks.get(taskArn);
    if (known === undefined) return;
    known.ready = false;
    this.#sender?.ask(taskArn);
  }

  #askIn(known: TaskStreams, taskArn: string, milliseconds: number): void {
    if (known.asksAgain) return;
    known.asksAgain = true;
    const { clock, log } = this.#ports;
    const later = async (): Promise<void> => {
      await clock.sleep(milliseconds, this.#stopped.signal).catch(() => undefined);
      known.asksAgain = false;
      if (!this.#stopped.signal.aborted) this.#ask(taskArn);
    };
    later().catch((err: unknown) => log.warn({ err }, 'cannot ask for log streams'));
  }

  #opened({ taskArn, reason, retryAfter, marks }: Opened): void {
    const known = this.#tasks.get(taskArn);
    if (known === undefined) return;
    known.refused = reason;
    if (reason !== undefined || retryAfter !== undefined) {
      if (reason !== undefined) this.#ports.log.warn({ task: taskArn, reason }, 'the lines of a task are not taken');
      this.#askIn(known, taskArn, retryAfter ?? timing.refused);
    } else {
      known.ready = true;
      for (const follower of this.#of(taskArn)) {
        const mark = marks.find(({ containerName }) => containerName === follower.what.containerName);
        const at = mark === undefined ? undefined : readPlace(mark.resume);
        follower.open(mark === undefined || at === undefined ? undefined : { last: mark.last, at });
        follower.sent();
      }
    }
    if (reason !== undefined || retryAfter === undefined) {
      known.answered.resolve();
      known.answered = Promise.withResolvers();
    }
    this.#sender?.changed();
  }

  #stored(
    follower: Follower,
    answer: { last?: number | undefined; refused?: LogRefusal | undefined } | undefined,
  ): void {
    const { taskArn, containerName } = follower.what;
    if (answer?.last !== undefined) {
      follower.queue.acknowledge(answer.last);
      follower.refused = undefined;
      follower.sent();
      this.#changed(follower);
      return;
    }
    follower.queue.again();
    const { refused } = answer ?? {};
    if (refused === undefined) return;
    const { clock, log } = this.#ports;
    follower.pausedUntil = clock.monotonic() + (refused.retryAfter ?? timing.refused);
    if (refused.retryAfter !== undefined) return;
    follower.refused = `${refused.code}: ${refused.message}`;
    log.warn(
      { task: taskArn, container: containerName, reason: follower.refused },
      'the lines of a container are not taken',
    );
    // Its stream may be made anew.
    const known = this.#tasks.get(taskArn);
    if (known !== undefined) this.#askIn(known, taskArn, timing.refused);
  }

  /** Bytes that a container may have waiting. */
  #room({ what: { logs } }: Follower): number {
    const share = Math.max(memory.least, memory.all / Math.max(1, this.#followers.size));
    return Math.min(share, logs.mode === 'blocking' ? memory.container : logs.maxBufferSize);
  }
}

/** What tells the first lines of events; without a log to warn in, a pattern that is none is an error. @throws LogSetupRefused */
function patternOf(logs: NonNullable<AgentContainer['logs']>, log?: Log): ((line: string) => boolean) | undefined {
  try {
    return firstLines(logs);
  } catch (err) {
    if (log === undefined)
      throw new LogSetupRefused(
        `ResourceInitializationError: failed to validate logger args: ${(err as Error).message}`,
        { cause: err },
      );
    log.warn({ err }, 'lines of a container are events of their own');
    return undefined;
  }
}
