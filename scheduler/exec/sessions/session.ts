import type { Log } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { brokenOff, execCost, execEnded, execLimits } from '../../hosts/wire/index.ts';
import { arns, type RandomBytes } from '../../state/index.ts';

import { mostPayload } from '../protocol/index.ts';
import { type AllowedPorts, type Asked, refusal } from './allowed.ts';
import { DataChannel } from './data-channel.ts';
import { HostLink } from './host-link.ts';
import type { Recorder } from './recorder.ts';

/** Times in milliseconds. */
const timing = {
  /** A session in which nothing is typed or written for so long is over, as on AWS. */
  idle: 20 * 60_000,
  longest: 24 * 3_600_000,
  /** How often it is looked whether the session may go on. */
  look: 30_000,
  /** How long a command waits for the size of its terminal. */
  size: 300,
  /** How long the last output may take to arrive. */
  last: 60_000,
  /** How long a client whose connection broke may be away. */
  away: 30_000,
} as const;

export interface SessionPorts extends AllowedPorts {
  readonly random: RandomBytes;
  readonly log: Log;
}

/** What the row of a session is told and says. */
export interface SessionRow {
  /** The session lasts. @returns whether somebody has asked for its end */
  readonly keep: () => Promise<boolean>;
}

const terminated = 'The session was terminated.';

/** What a session is made of: who asked for what, and the connections to both sides. */
export interface SessionParts extends Asked, SessionRow {
  readonly clientVersion: string;
  readonly client: WebSocket;
  readonly host: WebSocket;
  /** Where the output is kept, if it is. */
  readonly recorder: Recorder | undefined;
}

/** One session: what the client types goes to the host, what the command writes to the client, neither faster than the other side takes it. */
export class Session {
  readonly #ports: SessionPorts;
  readonly #parts: SessionParts;
  readonly #channel: DataChannel;
  readonly #link: HostLink;
  readonly #over = new AbortController();
  readonly #began: number;
  #active: number;
  #client: WebSocket;
  /** The client that was away has come again. */
  #came: () => void = () => undefined;
  #size = { cols: 80, rows: 24 };
  readonly #sized = Promise.withResolvers<void>();
  #started = false;
  /** Output that has arrived and that the host has not been given room for again. */
  #ungranted = 0;
  #exited = false;

  constructor(ports: SessionPorts, parts: SessionParts) {
    this.#ports = ports;
    this.#parts = parts;
    const { session, clientVersion } = parts;
    this.#began = ports.clock.monotonic();
    this.#active = this.#began;
    this.#client = parts.client;
    this.#channel = new DataChannel(parts.client, {
      ...ports,
      sessionId: session.id,
      interactive: session.interactive,
      clientVersion,
      ready: () => {
        this.#start().catch((err: unknown) => ports.log.error({ session: session.id, err }, 'a session did not start'));
      },
      hasRoom: () => this.#started && this.#link.room >= execCost(mostPayload),
      input: (bytes) => {
        this.#active = ports.clock.monotonic();
        this.#link.input(bytes);
      },
      inputEnded: () => this.#link.endInput(),
      resized: (size) => {
        this.#size = size;
        this.#sized.resolve();
        if (this.#started) this.#link.resize(size);
      },
      terminated: () => this.#end(''),
      arrived: (bytes) => {
        this.#ungranted += bytes;
        this.#grant();
        this.#finish();
      },
      broken: (reason) => this.#end(reason),
    });
    this.#link = new HostLink(parts.host, {
      output: (stream, bytes) => {
        this.#active = ports.clock.monotonic();
        this.#channel.output(stream, bytes);
        parts.recorder?.write(bytes);
      },
      exited: (code) => {
        // It ends once, whatever the host says.
        if (this.#exited) return;
        this.#exited = true;
        this.#channel.exited(code);
        this.#finish();
      },
      refused: (reason) => this.#end(`The command could not be run: ${reason}.`),
      drained: () => this.#channel.resume(),
      closed: (status) => {
        if (status === execEnded) this.#end(terminated);
        else if (!this.#exited) this.#end('The connection to the host of the task was lost.');
      },
    });
  }

  /** Serves the session until it ends. */
  async run(stopped: AbortSignal): Promise<void> {
    const { client, host, recorder } = this.#parts;
    const { signal } = this.#over;
    const stop = (): void => this.#end('The server is stopping; run the command again.');
    stopped.addEventListener('abort', stop, { once: true });
    if (stopped.aborted) stop();
    this.#listen(client);
    if (host.readyState !== host.OPEN) this.#end('The connection to the host of the task was lost.');
    if (recorder !== undefined) {
      recorder.drained = () => this.#grant();
      recorder.failure.then(
        (why) => this.#end(`The session cannot be logged any more: ${why}`),
        () => undefined,
      );
    }
    await Promise.all([this.#channel.run(signal), this.#watch()]);
    stopped.removeEventListener('abort', stop);
    await recorder?.end();
  }

  /** The client goes on over another connection; the one that it had is given up, if it was not yet. */
  attach(client: WebSocket): void {
    if (this.#over.signal.aborted) {
      // What is not read would not see the answer to that.
      client.resume();
      client.close(1000);
      return;
    }
    const before = this.#client;
    // First: this one may have broken already, and is waited for then.
    this.#came();
    this.#listen(client);
    before.terminate();
    this.#channel.attach(client);
  }

  #listen(client: WebSocket): void {
    this.#client = client;
    const is = (): boolean => client === this.#client && !this.#over.signal.aborted;
    client.on('message', (data, isBinary) => {
      if (isBinary && is()) this.#channel.receive(data as Buffer);
    });
    const left = (status: number): void => {
      if (!is()) return;
      if (status === brokenOff) this.#await(client).catch(() => this.#end(''));
      else this.#end('');
    };
    client.once('close', left);
    if (client.readyState !== client.OPEN) left(brokenOff);
    client.resume();
  }

  /** Waits for a client that is away; when it does not come, the session is over. */
  async #await(left: WebSocket): Promise<void> {
    await waitAtMost(timing.away, (wake) => void (this.#came = wake), this.#ports.clock, this.#over.signal);
    if (this.#client === left) this.#end('');
  }

  async #start(): Promise<void> {
    const { session, ref } = this.#parts;
    const { clock, region } = this.#ports;
    if (session.interactive) await waitAtMost(timing.size, settling(this.#sized.promise), clock, this.#over.signal);
    this.#started = true;
    this.#link.start({
      ...this.#size,
      sessionId: session.id,
      taskArn: arns.task(region, ref.account, ref.cluster, session.taskId),
      containerName: session.containerName,
      runtimeId: session.runtimeId,
      command: [...session.command],
      tty: session.interactive,
    });
    this.#channel.resume();
  }

  /** Gives the host room for as much as has arrived, when that is worth it, unless what keeps the output is behind. */
  #grant(): void {
    if (this.#ungranted < execLimits.creditBytes || this.#parts.recorder?.isFull === true) return;
    this.#link.grant(this.#ungranted);
    this.#ungranted = 0;
  }

  /** Ends the session once the last output has arrived. */
  #finish(): void {
    if (this.#exited && this.#channel.isDrained) this.#end('');
  }

  #end(output: string): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#channel.close(output);
    this.#link.close('the session is over');
  }

  async #watch(): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#over;
    let exitedAt: number | undefined;
    while (!signal.aborted) {
      await clock.sleep(timing.look, signal).catch(() => undefined);
      if (signal.aborted) return;
      const now = clock.monotonic();
      if (this.#exited) exitedAt ??= now;
      if (exitedAt !== undefined && now - exitedAt > timing.last) this.#end('');
      else if (now - this.#active > timing.idle) this.#end('The session was idle for 20 minutes.');
      else if (now - this.#began > timing.longest) this.#end('The session lasted for a day.');
      else {
        // While nobody can tell, it goes on.
        const [why, ends] = await Promise.all([
          refusal(this.#ports, this.#parts).catch(() => undefined),
          this.#parts.keep().catch(() => false),
        ]);
        if (why !== undefined) this.#end(why);
        else if (ends) this.#end(terminated);
      }
    }
  }
}
