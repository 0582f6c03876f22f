import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import type { CopyChannel, CopyStart } from '../../../exec/protocol/index.ts';
import { execLost, type ExecStart } from '../../wire/index.ts';
import { type Dial, UpgradeRefused } from '../channel.ts';
import type { LiveTask } from '../endpoint/index.ts';
import { commandUser, isHeldToUser } from '../file-systems/index.ts';
import type { ArchiveEngine } from './archives.ts';
import { carry } from './carry.ts';
import type { DialCopy } from './copy-dial.ts';
import { CopySession } from './copy-session.ts';
import type { ExecEngine } from './engine.ts';
import { ExecSession } from './session.ts';

/** Sessions at a time on one host; what is asked for beyond them is not served. */
const most = 128;
/** Copies among them. */
const mostCopies = 16;
/** How long the server that has the client is looked for. Milliseconds. */
const search = { longest: 30_000, first: 10, most: 500 } as const;
/** Sessions that were told of, so that none is served twice. */
const remembered = 10_000;

export interface ExecSessionsPorts {
  readonly engine: ExecEngine;
  readonly archives: ArchiveEngine;
  readonly tasks: () => readonly LiveTask[];
  /** The engine's runtime that isolates tasks of Fargate here, if one does. */
  readonly isolation?: string | undefined;
  readonly dial: Dial;
  readonly dialCopy: DialCopy;
  /** Where the connection of a session is opened; with `carried`: one for its client, which came again to another server. */
  readonly url: (sessionId: string, carried: boolean) => Promise<URL>;
  /** Where that of a copy is. */
  readonly copyUrl: (sessionId: string) => Promise<URL>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** What the control plane tells of a session. */
export interface WantedSession {
  readonly sessionId: string;
  readonly taskArn: string;
  /** The client came again, for the so manyeth time, to a server that has not the session. */
  readonly carry?: number | undefined;
  /** The session is to end. */
  readonly end?: boolean | undefined;
  /** Files are copied, no command is run. */
  readonly copies?: boolean | undefined;
}

/** The sessions of ECS Exec on this host: for each a connection to the server that has the client, and a command in a container, or a copy of its files. */
export class ExecSessions {
  readonly #ports: ExecSessionsPorts;
  /** The newest sessions that were told of, and clients of theirs that came again, oldest first. */
  readonly #known = new Set<string>();
  readonly #open = new Map<string, ExecSession | CopySession>();
  #copies = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(ports: ExecSessionsPorts) {
    this.#ports = ports;
  }

  /** A client waits for a session, came again to another server, or the session is to end; being told twice changes nothing. */
  wanted({ sessionId, taskArn, carry: times, end, copies }: WantedSession): void {
    const { log } = this.#ports;
    if (end === true) this.#open.get(sessionId)?.end();
    const name = times === undefined ? sessionId : `${sessionId} ${times}`;
    if (end === true || this.#stopped.signal.aborted || this.#known.has(name)) return;
    if (this.#running.size >= most) {
      log.warn({ session: sessionId, task: taskArn }, 'there are too many sessions on this host');
      return;
    }
    this.#known.add(name);
    const [oldest] = this.#known;
    if (oldest !== undefined && this.#known.size > remembered) this.#known.delete(oldest);
    const begin = (): Promise<void> => (copies === true ? this.#copy(sessionId) : this.#serve(sessionId));
    const run = (times === undefined ? begin() : this.#carry(sessionId))
      .catch((err: unknown) => log.warn({ session: sessionId, task: taskArn, err }, 'a session came to nothing'))
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Ends every session. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#running);
  }

  async #serve(sessionId: string): Promise<void> {
    const { engine, clock, log } = this.#ports;
    const ws = await this.#connect(sessionId);
    if (ws === undefined) return;
    const refusal = (start: ExecStart): string | undefined =>
      start.sessionId === sessionId ? this.#refusal(start) : 'another session was asked for';
    const user = (start: ExecStart): string => this.#userOf(start);
    const session = new ExecSession(ws, { engine, clock, log, refusal, user });
    this.#open.set(sessionId, session);
    try {
      await session.run(this.#stopped.signal);
    } finally {
      this.#open.delete(sessionId);
    }
  }

  async #copy(sessionId: string): Promise<void> {
    const { archives, clock, log } = this.#ports;
    const ws = await this.#connectCopy(sessionId);
    if (ws === undefined) return;
    const isFull = this.#copies >= mostCopies;
    const refusal = (start: CopyStart): string | undefined => {
      if (start.sessionId !== sessionId) return 'another copy was asked for';
      return isFull ? 'there are too many copies on the host; try again later' : this.#copyRefusal(start);
    };
    const session = new CopySession(ws, { archives, clock, log, refusal });
    this.#open.set(sessionId, session);
    this.#copies += 1;
    try {
      await session.run(this.#stopped.signal);
    } finally {
      this.#copies -= 1;
      this.#open.delete(sessionId);
    }
  }

  /** Brings a client that came again to another server to the one that has its session. */
  async #carry(sessionId: string): Promise<void> {
    const client = await this.#connect(sessionId);
    if (client === undefined) return;
    if (!this.#open.has(sessionId)) {
      // Its server was killed, or this agent: else the client waits for what will not come.
      client.resume();
      client.close(execLost);
      return;
    }
    const session = await this.#connect(sessionId, true).catch((error: unknown) => {
      client.terminate();
      throw error;
    });
    if (session === undefined) client.terminate();
    else await carry(client, session, this.#ports, this.#stopped.signal);
  }

  /**
   * Opens the connection. Behind one address there may be several servers, and one of them has the client: who has not says so, and
   * is asked again, until it is another one; so is one that could not be reached or is in trouble, or something else than a server that answers for it.
   */
  #connect(sessionId: string, carried = false): Promise<WebSocket | undefined> {
    const { dial, url } = this.#ports;
    return this.#find(async (signal) => dial(await url(sessionId, carried), signal));
  }

  #connectCopy(sessionId: string): Promise<CopyChannel | undefined> {
    const { dialCopy, copyUrl } = this.#ports;
    return this.#find(async (signal) => dialCopy(await copyUrl(sessionId), signal));
  }

  async #find<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { clock, random } = this.#ports;
    const { signal } = this.#stopped;
    const until = clock.monotonic() + search.longest;
    for (let wait: number = search.first; !signal.aborted; wait = Math.min(wait * 1.3, search.most)) {
      try {
        return await ask(signal);
      } catch (error) {
        if (isRefusal(error) || signal.aborted || clock.monotonic() > until) throw error;
      }
      await clock.sleep(wait * (0.5 + random()), signal).catch(() => undefined);
    }
    return undefined;
  }

  #taskOf(taskArn: string): LiveTask | undefined {
    return this.#ports.tasks().find(({ saved }) => saved.task.arn === taskArn);
  }

  /** Root, as ECS Exec has it, whatever user the container has (ECS Exec, "Considerations"); not where its file systems hold it to that one. */
  #userOf({ taskArn, containerName }: ExecStart): string {
    const task = this.#taskOf(taskArn);
    const container = task?.saved.task.containers.find(({ name }) => name === containerName);
    if (task === undefined || container === undefined) throw new Error('the task is not on this host, or is over');
    return commandUser(task.saved.task, container, task.inspected.get(containerName)?.Config.User ?? '');
  }

  /** The engine copies as root, whoever the container's files are for. */
  #copyRefusal(start: CopyStart): string | undefined {
    const why = this.#refusal(start);
    if (why !== undefined) return why;
    const live = this.#taskOf(start.taskArn);
    const { isolation } = this.#ports;
    if (isolation !== undefined && live?.inspected.get(start.containerName)?.HostConfig?.Runtime === isolation)
      return `the container is isolated by ${isolation}, which sees no files that the engine copies: copy with slipway exec -i and tar`;
    const task = live?.saved.task;
    const container = task?.containers.find(({ name }) => name === start.containerName);
    if (task === undefined || container === undefined || isHeldToUser(task, container))
      return 'file systems of the container hold it to a user that is not root: copy with slipway exec -i and tar, as that user';
    return undefined;
  }

  /** Why a command is not run here, whatever the server says: only in containers of this agent's tasks that were started with ECS Exec. */
  #refusal({ taskArn, containerName, runtimeId }: Pick<ExecStart, Named>): string | undefined {
    const task = this.#taskOf(taskArn);
    if (task === undefined) return 'the task is not on this host, or is over';
    if (task.saved.task.enableExecuteCommand !== true) return 'the task was started without ECS Exec';
    const container = task.inspected.get(containerName);
    const isTasks = task.saved.task.containers.some(({ name }) => name === containerName);
    if (!isTasks || container?.State.Running !== true || container.Id !== runtimeId)
      return `the container ${containerName} does not run, or was started again`;
    return undefined;
  }
}

/** What names the run of a container. */
type Named = 'taskArn' | 'containerName' | 'runtimeId';

/** Whether a server that has the client, or any other one, says that this host gets no connection for the session. */
const isRefusal = (error: unknown): boolean =>
  error instanceof UpgradeRefused &&
  !['SessionNotHereException', ''].includes(error.code) &&
  error.status < 500 &&
  error.status !== 429;
