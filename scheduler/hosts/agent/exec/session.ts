import type { Log } from '@slipway/auth/contract';
import { type Clock, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import {
  execCost,
  execEnded,
  execLimits,
  execOrder,
  type ExecOrder,
  type ExecStart,
  parseFrame,
  sendMessage,
} from '../../wire/index.ts';
import type { ExecEngine, ExecProcess } from './engine.ts';
import { watchServer } from './watch-server.ts';

export interface ExecSessionPorts {
  readonly engine: ExecEngine;
  readonly clock: Clock;
  readonly log: Log;
  /** Why a command is not run, if it is not. */
  readonly refusal: (start: ExecStart) => string | undefined;
  /** As whom a command is run that is not refused. */
  readonly user: (start: ExecStart) => string;
}

interface Size {
  readonly cols: number;
  readonly rows: number;
}

/**
 * One session: a command in a container, and the connection to the server that has its client. Neither side sends more than the other
 * has given it room for; when the connection ends, the command does.
 */
export class ExecSession {
  readonly #ws: WebSocket;
  readonly #ports: ExecSessionPorts;
  readonly #ended = new AbortController();
  #began = false;
  #process: ExecProcess | undefined;
  /** The newest size that was asked for, and the one that the terminal was given last. */
  #size: Size | undefined;
  #given: Size | undefined;
  #resizing = false;
  /** Input that the command has not taken, as {@link execCost} counts it. */
  #waiting = 0;
  /** What it has taken, and the server was not told of. */
  #taken = 0;
  #inputEnded = false;
  #writing: Promise<void> = Promise.resolve();
  /** Output that the server takes now, as {@link execCost} counts it. */
  #room: number = execLimits.outputBytes;
  #roomCame: () => void = () => undefined;

  constructor(ws: WebSocket, ports: ExecSessionPorts) {
    this.#ws = ws;
    this.#ports = ports;
  }

  /** Serves the session until it ends. */
  async run(stopped: AbortSignal): Promise<void> {
    const ws = this.#ws;
    const { clock } = this.#ports;
    const stop = (): void => ws.close(1001, 'the agent is stopping');
    stopped.addEventListener('abort', stop, { once: true });
    const closed = Promise.withResolvers<void>();
    ws.once('close', () => {
      this.#ended.abort();
      closed.resolve();
    });
    let work: Promise<void> = Promise.resolve();
    ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      if (isBinary) {
        this.#input(bytes);
        return;
      }
      const started = this.#order(bytes);
      if (started !== undefined) work = started;
    });
    ws.resume();
    if (stopped.aborted) stop();
    await Promise.all([closed.promise, watchServer(ws, clock, this.#ended.signal)]);
    stopped.removeEventListener('abort', stop);
    await this.#kill();
    await work;
  }

  /** Ends the command, as somebody asked for. */
  end(): void {
    this.#ws.close(execEnded, 'the session was terminated');
  }

  /** @returns what the order began */
  #order(bytes: Buffer): Promise<void> | undefined {
    let order: ExecOrder | undefined;
    try {
      order = parseFrame(execOrder, bytes.toString('utf8'));
    } catch {
      this.#ws.close(1008, 'that is not JSON');
    }
    if (order === undefined) return undefined;
    switch (order.type) {
      case 'ExecStart':
        if (this.#began) return undefined;
        this.#began = true;
        sendMessage(this.#ws, 'ExecCredit', { bytes: execLimits.inputBytes - execLimits.firstInputBytes });
        return this.#start(order.message).catch((error: unknown) => this.#refuse(error));
      case 'ExecResize':
        this.#size = order.message;
        this.#resize();
        return undefined;
      case 'ExecInputEnd':
        if (this.#inputEnded) return undefined;
        this.#inputEnded = true;
        this.#write(async (process) => process.endInput());
        return undefined;
      case 'ExecCredit':
        this.#room = Math.min(this.#room + order.message.bytes, execLimits.outputBytes);
        this.#roomCame();
        return undefined;
    }
  }

  async #kill(): Promise<void> {
    await this.#process?.kill().catch((err: unknown) => this.#ports.log.warn({ err }, 'a command could not be ended'));
  }

  #refuse(error: unknown): void {
    // What breaks off because the session is over is no news.
    if (this.#ended.signal.aborted) return;
    this.#ports.log.warn({ err: error }, 'a command could not be run');
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 1024);
    sendMessage(this.#ws, 'ExecRefused', { reason });
  }

  async #start(start: ExecStart): Promise<void> {
    const { engine, refusal, user, log } = this.#ports;
    const why = refusal(start);
    if (why !== undefined) throw new Error(why);
    const size = this.#size;
    const process = await engine.start({ ...start, ...size }, user(start));
    this.#process = process;
    if (this.#ended.signal.aborted) return this.#kill();
    this.#given = size;
    this.#resize();
    log.info(
      { session: start.sessionId, task: start.taskArn, container: start.containerName },
      'a command of ECS Exec runs in a container',
    );
    this.#write(async () => undefined);
    // Beside the output: a command may end without having read everything.
    for await (const { stream, bytes } of process.output) await this.#output(stream, bytes);
    if (this.#ended.signal.aborted) return;
    sendMessage(this.#ws, 'ExecExit', { code: await process.exitCode() });
  }

  /** Gives the terminal the newest size, one call after the other: clients may say many, also while the command is being started. */
  #resize(): void {
    const size = this.#size;
    const process = this.#process;
    if (process === undefined || size === undefined || size === this.#given || this.#resizing) return;
    this.#resizing = true;
    this.#given = size;
    const goOn = (): void => {
      this.#resizing = false;
      this.#resize();
    };
    process.resize(size.cols, size.rows).then(goOn, goOn);
  }

  async #output(stream: number, bytes: Buffer): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#ended;
    for (let from = 0; from < bytes.length;) {
      while (this.#room < execCost(1) && !signal.aborted)
        await waitAtMost(Infinity, (wake) => void (this.#roomCame = wake), clock, signal);
      if (signal.aborted) return;
      const part = bytes.subarray(from, from + Math.min(execLimits.chunkBytes, this.#room - execCost(0)));
      from += part.length;
      this.#room -= execCost(part.length);
      if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(Buffer.concat([Buffer.of(stream), part]));
    }
  }

  #input(bytes: Buffer): void {
    const cost = execCost(bytes.length);
    this.#waiting += cost;
    if (this.#waiting > execLimits.inputBytes || this.#inputEnded) {
      this.#ws.close(1008, 'that is more input than there is room for');
      return;
    }
    this.#write(async (process) => {
      await process.write(bytes);
      this.#waiting -= cost;
      this.#taken += cost;
      if (this.#taken < execLimits.creditBytes) return;
      sendMessage(this.#ws, 'ExecCredit', { bytes: this.#taken });
      this.#taken = 0;
    });
  }

  /** Does something with the input of the command, after what was to be done before, once it runs. */
  #write(work: (process: ExecProcess) => Promise<void>): void {
    this.#queued.push(work);
    const process = this.#process;
    if (process === undefined) return;
    const now = this.#queued.splice(0);
    this.#writing = this.#writing.then(async () => {
      for (const each of now) if (!this.#ended.signal.aborted) await each(process);
    });
    this.#writing.catch(() => this.#ws.close(1011, 'input could not be written'));
  }

  readonly #queued: ((process: ExecProcess) => Promise<void>)[] = [];
}
