import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { execCost } from '../../hosts/wire/index.ts';
import {
  BadMessage,
  flags,
  json,
  type Message,
  ownClient,
  parsed,
  payloadType,
  ReliableStream,
  terminateSession,
} from '../protocol/index.ts';

export interface DataChannelPorts {
  readonly clock: Clock;
  readonly random: (size: number) => Uint8Array;
  readonly sessionId: string;
  readonly interactive: boolean;
  /** What the client calls itself; only ours is told exit codes, and whether output is of the one stream or the other. */
  readonly clientVersion: string;
  /** The handshake is over. */
  readonly ready: () => void;
  /** Whether there is room for more input. */
  readonly hasRoom: () => boolean;
  readonly input: (bytes: Buffer) => void;
  readonly inputEnded: () => void;
  readonly resized: (size: { readonly cols: number; readonly rows: number }) => void;
  /** The client asks for the end. */
  readonly terminated: () => void;
  /** So much output has arrived, as {@link execCost} counts it. */
  readonly arrived: (bytes: number) => void;
  /** The client sent what is no message; it is not listened to any more. */
  readonly broken: (reason: string) => void;
}

/** The agent's version that clients are told: the features that go with it are those that are here. */
const agentVersion = '3.1.0.0';
/** Columns and rows of a terminal at most. */
const mostSide = 65_535;
/** Bytes on their way to a client that does not read; what is left out beyond them is sent again, or its message comes again. */
const mostUnread = 4 * 1024 * 1024;

/** The server's side of a data channel: the handshake, then a terminal or three streams. */
export class DataChannel {
  #ws: WebSocket;
  readonly #ports: DataChannelPorts;
  readonly #stream: ReliableStream;
  readonly #began: number;
  #agreed = false;
  /** What was sent, and what of it had arrived when it was last looked, as {@link execCost} counts it. */
  #sent = 0;
  #told = 0;

  constructor(ws: WebSocket, ports: DataChannelPorts) {
    this.#ws = ws;
    this.#ports = ports;
    this.#began = ports.clock.monotonic();
    this.#stream = new ReliableStream({
      clock: ports.clock,
      random: ports.random,
      transmit: (frame) => {
        if (this.#ws.readyState === this.#ws.OPEN && this.#ws.bufferedAmount < mostUnread) this.#ws.send(frame);
      },
      sends: 'output_stream_data',
      receives: 'input_stream_data',
      hasRoom: ports.hasRoom,
      deliver: (message) => this.#deliver(message),
      closed: () => ports.terminated(),
      drained: () => this.#drained(),
    });
  }

  /** Begins the handshake; resolves when the signal aborts, or the client does not answer any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { interactive, broken } = this.#ports;
    this.#send(
      payloadType.handshakeRequest,
      json({
        AgentVersion: agentVersion,
        RequestedClientActions: [
          {
            ActionType: 'SessionType',
            ActionParameters: {
              SessionType: interactive ? 'InteractiveCommands' : 'NonInteractiveCommands',
              Properties: {},
            },
          },
        ],
      }),
    );
    if ((await this.#stream.run(signal)) === 'silent') broken('the client acknowledges nothing any more');
  }

  /** The client goes on over another connection. */
  attach(ws: WebSocket): void {
    this.#ws = ws;
    this.#stream.reopened();
  }

  /** Takes one frame in. */
  receive(frame: Buffer): void {
    this.#heed(() => this.#stream.receive(frame));
  }

  /** There may be room for input again. */
  resume(): void {
    this.#heed(() => this.#stream.resume());
  }

  output(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const own = this.#ports.clientVersion === ownClient;
    this.#send(own && stream === 'stderr' ? payloadType.standardError : payloadType.output, bytes);
  }

  /** The command has ended. The plug-in shows no exit code: what matters of it is written as output. */
  exited(code: number): void {
    if (this.#ports.clientVersion === ownClient) this.#send(payloadType.exitCode, Buffer.from(String(code)));
    else if (code !== 0) this.#send(payloadType.output, Buffer.from(`\r\nexit status ${code}\r\n`));
  }

  /** Whether everything that was sent has arrived. */
  get isDrained(): boolean {
    return this.#stream.isDrained;
  }

  close(output: string): void {
    this.#stream.close(this.#ports.sessionId, output);
    this.#ws.close(1000);
  }

  /** What is no message ends the session whenever it is read: one that waited for room is read when the host makes some. */
  #heed(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#ports.broken(error.message);
    }
  }

  #send(type: number, payload: Buffer): void {
    this.#sent += execCost(payload.length);
    this.#stream.send(type, payload);
  }

  #drained(): void {
    const { bytes, messages } = this.#stream;
    const arrived = this.#sent - bytes - messages * execCost(0);
    const more = arrived - this.#told;
    this.#told = arrived;
    this.#ports.arrived(more);
  }

  #deliver({ payloadType: type, payload, flags: set }: Message): void {
    const { clock, ready, input, inputEnded, resized, terminated, broken } = this.#ports;
    if (type === payloadType.handshakeResponse) {
      if (this.#agreed) return;
      this.#agreed = true;
      const nanoseconds = Math.round((clock.monotonic() - this.#began) * 1e6);
      this.#send(payloadType.handshakeComplete, json({ HandshakeTimeToComplete: nanoseconds, CustomerMessage: '' }));
      ready();
      return;
    }
    if (!this.#agreed) {
      broken('data came before the handshake');
      return;
    }
    switch (type) {
      case payloadType.output:
        if (payload.length > 0) input(payload);
        if ((set & flags.last) !== 0) inputEnded();
        return;
      case payloadType.size: {
        const { cols, rows } = parsed(payload);
        const isSide = (side: unknown): side is number =>
          Number.isInteger(side) && (side as number) > 0 && (side as number) <= mostSide;
        if (isSide(cols) && isSide(rows)) resized({ cols, rows });
        return;
      }
      case payloadType.flag:
        if (payload.length === 4 && payload.readUInt32BE(0) === terminateSession) terminated();
        return;
      default:
    }
  }
}
