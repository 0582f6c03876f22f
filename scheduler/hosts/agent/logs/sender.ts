import type { Log } from '@slipway/auth/contract';
import { type Clock, settling, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import {
  encodeLogBatch,
  logAnswer,
  type LogAnswer,
  type LogEntry,
  logLimits,
  parseFrame,
  sendMessage,
  sizeOf,
} from '../../wire/index.ts';
import type { Follower } from './follower.ts';

/** Milliseconds that events wait for others. */
const linger = 100;

type Answer<T extends LogAnswer['type']> = Extract<LogAnswer, { type: T }>['message'];
export type Opened = Answer<'LogOpenAnswer'>;
type Stored = Answer<'LogAnswer'>['entries'][number];

export interface SenderPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Those that may have something to send, in a lasting order. */
  readonly followers: () => readonly Follower[];
  /** Whether a follower may send now: its streams are there, and nobody said to wait. */
  readonly maySend: (follower: Follower) => boolean;
  readonly opened: (answer: Opened) => void;
  /** What the server said of an entry of a follower; undefined when nothing: send it again. */
  readonly stored: (follower: Follower, answer: Stored | undefined) => void;
}

interface Gathered {
  readonly entries: LogEntry[];
  readonly followers: Follower[];
  bytes: number;
}

/** One connection on which events are sent: some of each container in turn, and no more than the server acknowledges. */
export class LogSender {
  readonly #ports: SenderPorts;
  readonly #ws: WebSocket;
  readonly #flying = new Map<number, { readonly followers: readonly Follower[]; readonly bytes: number }>();
  #bytes = 0;
  #id = 0;
  /** Who is first in turn. */
  #turn = 0;
  #due = Promise.withResolvers<void>();

  constructor(ws: WebSocket, ports: SenderPorts) {
    this.#ws = ws;
    this.#ports = ports;
  }

  /** Asks for a task's streams. */
  ask(taskArn: string): void {
    sendMessage(this.#ws, 'LogOpenRequest', { id: ++this.#id, taskArn });
  }

  /** There may be something to send. */
  changed(): void {
    this.#due.resolve();
  }

  /** Sends until the connection ends. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    this.#ws.on('message', (data, isBinary) => {
      try {
        if (!isBinary) this.#receive((data as Buffer).toString('utf8'));
      } catch (error) {
        log.warn({ err: error }, 'the control plane answered on the log connection what nobody can read');
        this.#ws.close(1008);
      }
    });
    while (!signal.aborted) {
      this.#due = Promise.withResolvers();
      const gathered = this.#gather();
      if (gathered.entries.length > 0) await this.#send(gathered);
      else await waitAtMost(1_000, settling(this.#due.promise), clock, signal);
      // What is written together goes together.
      if (gathered.bytes < logLimits.entryBytes / 2) await clock.sleep(linger, signal).catch(() => undefined);
    }
    for (const { followers } of this.#flying.values())
      for (const follower of followers) this.#ports.stored(follower, undefined);
  }

  /** What goes next: of each container that has something the same share, and the rest of what fits to whoever has more. */
  #gather(): Gathered {
    const gathered: Gathered = { entries: [], followers: [], bytes: 0 };
    if (logLimits.unacknowledgedBytes - this.#bytes < logLimits.entryBytes) return gathered;
    const all = this.#ports.followers();
    const waiting = all.filter((one) => !one.queue.isEmpty && !one.queue.flies && this.#ports.maySend(one));
    const first = waiting.length === 0 ? 0 : this.#turn++ % waiting.length;
    const inTurn = [...waiting.slice(first), ...waiting.slice(0, first)].slice(0, logLimits.entries);
    let events: number = logLimits.events;
    for (const [place, follower] of inTurn.entries()) {
      const others = inTurn.length - place;
      const left = logLimits.entryBytes - gathered.bytes;
      const { taskArn, containerName } = follower.what;
      const entry = follower.queue.take(left / others, Math.floor(events / others), left);
      if (entry === undefined) continue;
      gathered.bytes += sizeOf(entry.events);
      events -= entry.events.length;
      gathered.entries.push({ taskArn, containerName, ...entry });
      gathered.followers.push(follower);
    }
    return gathered;
  }

  async #send({ entries, followers, bytes }: Gathered): Promise<void> {
    const id = ++this.#id;
    this.#flying.set(id, { followers, bytes });
    this.#bytes += bytes;
    const frame = await encodeLogBatch({ id, entries });
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(frame);
  }

  #receive(frame: string): void {
    const answer = parseFrame(logAnswer, frame);
    if (answer?.type === 'LogOpenAnswer') this.#ports.opened(answer.message);
    if (answer?.type !== 'LogAnswer') return;
    const { id, entries } = answer.message;
    const batch = this.#flying.get(id);
    if (batch === undefined) return;
    this.#flying.delete(id);
    this.#bytes -= batch.bytes;
    const said = new Map(entries.map((entry) => [keyOf(entry), entry]));
    for (const follower of batch.followers) this.#ports.stored(follower, said.get(keyOf(follower.what)));
    this.changed();
  }
}

/** A container among all. */
export const keyOf = ({
  taskArn,
  containerName,
}: {
  readonly taskArn: string;
  readonly containerName: string;
}): string => `${taskArn} ${containerName}`;
