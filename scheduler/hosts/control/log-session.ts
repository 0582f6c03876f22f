import { AwsError, type Call } from '@slipway/auth/contract';
import type { WebSocket } from 'ws';

import { LogsThrottled, type LogWriter } from '../../signals/logs/index.ts';
import { newEventId } from '../../state/index.ts';

import {
  decodeLogBatch,
  type LogEntry,
  LogFrameRefused,
  type LogMark,
  type LogRefusal,
  logRequest,
  parseFrame,
  sendMessage,
} from '../wire/index.ts';
import type { InstanceRef } from './connections.ts';
import { timing } from './timing.ts';
import type { LogStreams, TaskLogStreams } from './log-streams.ts';
import type { AgentControlOptions } from './options.ts';
import { watchLiveness } from './peer.ts';
import type { Turns } from './turns.ts';

/** What became of lines that agents had, since this process began. */
export interface LogCounts {
  /** Stored. */
  shipped: number;
  /** Given up by agents: a buffer was full, or nobody would take them. */
  dropped: number;
  /** Times that an engine had removed lines before its agent read them. */
  gaps: number;
  /** Left out: too old, or too far ahead. */
  leftOut: number;
}

export interface LogSessionPorts {
  readonly options: AgentControlOptions;
  readonly ref: InstanceRef;
  readonly call: Call;
  readonly streams: LogStreams;
  /** Shared by all hosts: each has few frames on their way, and waits for its turn. */
  readonly turns: Turns;
  readonly counts: LogCounts;
}

/** Frames of one host that are worked on at a time; more are not read from its connection. */
const framesAtOnce = 2;
/** When an agent comes again after an error that may pass, milliseconds. */
const comeAgain = 1_000;

const unavailable = {
  code: 'ServiceUnavailableException',
  message: 'The lines cannot be stored now.',
  retryAfter: comeAgain,
};

/**
 * The control plane's end of one log connection. Lines are acknowledged when they are durable; what is lost on the way, the agent sends
 * again, and the store takes each once.
 */
export class LogSession {
  readonly #ws: WebSocket;
  readonly #ports: LogSessionPorts;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #ended = new AbortController();

  constructor(ws: WebSocket, ports: LogSessionPorts) {
    this.#ws = ws;
    this.#ports = ports;
  }

  /** Serves the connection until it closes. */
  async run(): Promise<void> {
    const { options, ref } = this.#ports;
    this.#ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      this.#waiting.push(isBinary ? () => this.#batch(bytes) : () => this.#request(bytes.toString('utf8')));
      this.#next();
    });
    this.#ws.on('error', (error) => options.log.info({ instance: ref.id, err: error }, 'log connection failed'));
    this.#ws.once('close', () => this.#ended.abort());
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#ws.resume();
    const live = watchLiveness(this.#ws, options.clock, this.#ended.signal);
    while (!this.#ended.signal.aborted) {
      sendMessage(this.#ws, 'HeartbeatMessage', { messageId: newEventId(options.random) });
      await options.clock.sleep(timing.heartbeat, this.#ended.signal).catch(() => undefined);
    }
    this.#waiting.length = 0;
    await live;
    await Promise.all(this.#running);
  }

  #next(): void {
    while (this.#running.size < framesAtOnce) {
      const work = this.#waiting.shift();
      if (work === undefined) break;
      const run = this.#ports.turns
        .take(() => this.#guarded(work))
        .finally(() => {
          this.#running.delete(run);
          this.#next();
        });
      this.#running.add(run);
    }
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#waiting.length > 0) this.#ws.pause();
    else if (this.#ws.isPaused) this.#ws.resume();
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const { options, ref } = this.#ports;
    try {
      await work();
    } catch (error) {
      // What an agent is not answered it sends again, on its next connection.
      options.log.warn({ instance: ref.id, err: error }, 'could not take in logs');
      // A reason has 123 bytes at most, and what another error says may have parts of the frame in it.
      if (error instanceof LogFrameRefused) this.#ws.close(1008, error.message);
      else this.#ws.close(1011, 'a frame could not be taken in');
    }
  }

  async #batch(frame: Buffer): Promise<void> {
    const { id, entries } = await decodeLogBatch(frame);
    const answers = await Promise.all(entries.map((entry) => this.#entry(entry)));
    sendMessage(this.#ws, 'LogAnswer', { id, entries: answers });
  }

  async #entry(entry: LogEntry) {
    const { options, ref, counts } = this.#ports;
    const { taskArn, containerName, first, events, resume, dropped = 0, gap = false } = entry;
    const answer = { taskArn, containerName };
    try {
      const task = await this.#ports.streams.of(taskArn);
      const to = task.containers.get(containerName);
      if (to === undefined) throw new AwsError('AccessDeniedException', `${containerName} has no log driver awslogs.`);
      if (to.stream === undefined)
        return { ...answer, refused: { ...unavailable, message: 'The id of the container is not known yet.' } };
      const { mark, leftOut } = await options.taskLogs.ship(
        this.#writer(task),
        { ...to, stream: to.stream },
        { first, events, resume },
      );
      counts.shipped += events.length - leftOut;
      counts.leftOut += leftOut;
      if (dropped > 0 || gap) {
        counts.dropped += dropped;
        counts.gaps += gap ? 1 : 0;
        options.log.warn(
          { task: taskArn, container: containerName, instance: ref.id, dropped, gap },
          'lines of a container were lost before they could be sent',
        );
      }
      // No mark means that nothing was ever stored, and that there is nothing to store: an entry that only tells of lost lines must not come again.
      return { ...answer, last: mark?.last ?? first - 1 };
    } catch (error) {
      return { ...answer, refused: this.#refusal(error) };
    }
  }

  async #request(text: string): Promise<void> {
    const request = parseFrame(logRequest, text);
    if (request === undefined) return;
    const { id, taskArn } = request.message;
    sendMessage(this.#ws, 'LogOpenAnswer', { id, taskArn, marks: [], ...(await this.#open(taskArn)) });
  }

  /** Makes the streams of a task. */
  async #open(taskArn: string): Promise<{ marks?: LogMark[]; reason?: string; retryAfter?: number }> {
    const { options } = this.#ports;
    const marks: LogMark[] = [];
    let task: TaskLogStreams | undefined;
    // Docker's driver tries for ever where it does not hold the container up, which runs meanwhile.
    let mayWait = false;
    const answer = (error: unknown): { retryAfter?: number; reason?: string } => {
      const { retryAfter, code, message } = this.#refusal(error);
      if (retryAfter !== undefined) return { retryAfter };
      return mayWait ? {} : { reason: reasonOf(task?.launchType, `${code}: ${message}`) };
    };
    try {
      task = await this.#ports.streams.of(taskArn);
    } catch (error) {
      return { marks, ...answer(error) };
    }
    for (const [containerName, to] of task.containers) {
      mayWait = !to.blocking;
      try {
        const mark = await options.taskLogs.open(this.#writer(task), to);
        if (mark !== undefined) marks.push({ containerName, ...mark });
      } catch (error) {
        const why = answer(error);
        if (why.reason !== undefined || why.retryAfter !== undefined) return { marks, ...why };
      }
    }
    return { marks };
  }

  #writer({ principal }: TaskLogStreams): LogWriter {
    return { principal, call: this.#ports.call };
  }

  /** What an error means to an agent: that it comes again, or that what it has will never be taken. */
  #refusal(error: unknown): LogRefusal {
    if (error instanceof AwsError && error.status < 500 && error.code !== 'ThrottlingException')
      return { code: error.code, message: error.message.slice(0, 4096) };
    if (error instanceof LogsThrottled) return { ...unavailable, retryAfter: Math.ceil(error.retryAfter) };
    const { options, ref } = this.#ports;
    options.log.warn({ instance: ref.id, err: error }, 'cannot store lines of containers now');
    return unavailable;
  }
}

/**
 * Why a task does not start, as Fargate says it, and as container instances do, where it is Docker that creates the stream (troubleshooting
 * "ResourceInitializationError", "CannotStartContainerError").
 */
function reasonOf(launchType: TaskLogStreams['launchType'] | undefined, error: string): string {
  const create = `failed to create Cloudwatch log stream: ${error}`;
  const reason =
    launchType === 'EC2' || launchType === 'EXTERNAL'
      ? `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: ${create}`
      : `ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: ${create}`;
  return reason.slice(0, 1024);
}
