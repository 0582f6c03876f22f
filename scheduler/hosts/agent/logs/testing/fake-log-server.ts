import { EventEmitter } from 'node:events';

import type { WebSocket } from 'ws';

import { decodeLogBatch, type LogBatch, type LogEntry, type LogRefusal } from '../../../wire/index.ts';
import type { LogShipping } from '../shipping.ts';

/** What becomes of a batch: it is stored and answered; the connection ends before it is stored, or before it is answered. */
export type Fate = 'answered' | 'lost' | 'unanswered';

interface Mark {
  readonly last: number;
  readonly resume: string;
}

/** A control plane that keeps events and marks as the real one does, and fails where a test says so. */
export class FakeLogServer {
  /** Messages by `TASK CONTAINER`, as they were stored. */
  readonly stored = new Map<string, LogEntry['events']>();
  readonly marks = new Map<string, Mark>();
  readonly entries: LogEntry[] = [];
  /** Lines that agents said they dropped, and whether there were gaps. */
  dropped = 0;
  gaps = 0;
  fate: (batch: LogBatch) => Fate = () => 'answered';
  /** What an open is answered with beside the marks. */
  open: (taskArn: string) => { reason?: string; retryAfter?: number } = () => ({});
  refuse: (entry: LogEntry) => LogRefusal | undefined = () => undefined;
  /** Batches wait for it: a store that is slow. */
  ready: Promise<void> = Promise.resolve();
  asked = 0;
  #ended: (() => void) | undefined;

  /** Gives an agent a connection; ends the one before. */
  connect(shipping: LogShipping): void {
    this.end();
    const ended = new AbortController();
    const ws = Object.assign(new EventEmitter(), {
      OPEN: 1,
      readyState: 1,
      send: (data: string | Buffer) => {
        if (ws.readyState === 1)
          this.#receive(data, (answer) => ws.emit('message', Buffer.from(JSON.stringify(answer)), false)).catch(end);
      },
      close: () => end(),
    });
    const end = (): void => {
      ws.readyState = 3;
      ended.abort();
    };
    this.#ended = end;
    shipping.serve(ws as unknown as WebSocket, ended.signal).catch(end);
  }

  /** Whether an agent is connected. */
  get connected(): boolean {
    return this.#ended !== undefined;
  }

  end(): void {
    this.#ended?.();
    this.#ended = undefined;
  }

  /** What a container's stream holds. */
  of(taskArn: string, containerName: string): string[] {
    return (this.stored.get(`${taskArn} ${containerName}`) ?? []).map(({ message }) => message);
  }

  async #receive(data: string | Buffer, send: (answer: object) => void): Promise<void> {
    const end = this.#ended;
    if (typeof data === 'string') {
      const { id, taskArn } = (JSON.parse(data) as { message: { id: number; taskArn: string } }).message;
      this.asked++;
      const marks = [...this.marks]
        .filter(([key]) => key.startsWith(`${taskArn} `))
        .map(([key, mark]) => ({ containerName: key.slice(taskArn.length + 1), ...mark }));
      // As on a network: not before the request was sent.
      setImmediate(() => send({ type: 'LogOpenAnswer', message: { id, taskArn, marks, ...this.open(taskArn) } }));
      return;
    }
    const batch = await decodeLogBatch(data);
    await this.ready;
    const fate = this.fate(batch);
    if (fate === 'lost') {
      if (end === this.#ended) this.end();
      return;
    }
    const answers = batch.entries.map((entry) => this.#store(entry));
    if (fate === 'answered') send({ type: 'LogAnswer', message: { id: batch.id, entries: answers } });
    else if (end === this.#ended) this.end();
  }

  #store(entry: LogEntry): object {
    const { taskArn, containerName, first, events, resume } = entry;
    const refused = this.refuse(entry);
    if (refused !== undefined) return { taskArn, containerName, refused };
    this.entries.push(entry);
    const key = `${taskArn} ${containerName}`;
    const before = this.marks.get(key)?.last ?? 0;
    const last = Math.max(before, first + events.length - 1);
    const fresh = events.slice(Math.max(0, before + 1 - first));
    if (events.length === 0 || fresh.length > 0) {
      this.stored.set(key, [...(this.stored.get(key) ?? []), ...fresh]);
      if (fresh.length > 0) this.marks.set(key, { last, resume });
      this.dropped += entry.dropped ?? 0;
      if (entry.gap === true) this.gaps++;
    }
    return { taskArn, containerName, last };
  }
}
