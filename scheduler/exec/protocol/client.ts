import type { Clock } from '@slipway/storage/clock';

import { idText, type Message, mostPayload, payloadType, terminateSession } from './message.ts';
import { json, parsed, ReliableStream } from './stream.ts';

/** What clients of ours say they are: they take exit codes, and input that ends. */
export const ownClient = 'slipway-1';

/** Bytes of input on their way at most; fewer than the other side keeps when nobody takes them. */
const window = 1024 * 1024;

/** A connection as clients need it. */
export interface ClientSocket {
  send(frame: Buffer | string): void;
}

export interface ExecClientPorts {
  readonly clock: Clock;
  readonly random: (size: number) => Uint8Array;
  readonly socket: ClientSocket;
  /** What the client calls itself; default: {@link ownClient}. */
  readonly version?: string;
  /** What the command writes. */
  readonly output: (bytes: Buffer, stream: 'stdout' | 'stderr') => void;
  /** Whether more of that can be taken; see {@link ExecClient.resume}. */
  readonly hasRoom?: () => boolean;
  /** The session has begun: input is taken from now on. */
  readonly ready: () => void;
  /** There may be room for more input. */
  readonly drained?: () => void;
  readonly exited: (code: number) => void;
  /** The session is over; what the server says of that, if anything. */
  readonly closed: (output: string) => void;
}

/** The client's side of a data channel: what session-manager-plugin does, for our own commands and for tests. */
export class ExecClient {
  readonly #ports: ExecClientPorts;
  readonly #stream: ReliableStream;

  constructor(ports: ExecClientPorts) {
    this.#ports = ports;
    this.#stream = new ReliableStream({
      ...ports,
      transmit: (frame) => ports.socket.send(frame),
      sends: 'input_stream_data',
      receives: 'output_stream_data',
      hasRoom: () => ports.hasRoom?.() ?? true,
      deliver: (message) => this.#deliver(message),
      drained: () => ports.drained?.(),
    });
  }

  /** Whether more input may be written now. */
  get hasRoom(): boolean {
    return this.#stream.bytes < window;
  }

  /** Opens the channel with the token of ExecuteCommand, and keeps what was sent coming until the signal aborts. */
  run(tokenValue: string, signal: AbortSignal): Promise<'ended' | 'silent'> {
    this.#open(tokenValue);
    return this.#stream.run(signal);
  }

  /** Goes on over another connection with the token of ResumeSession: nothing that was on its way is lost, or comes twice. */
  reopen(tokenValue: string): void {
    this.#open(tokenValue);
    this.#stream.reopened();
  }

  #open(tokenValue: string): void {
    const { socket, random, version = ownClient } = this.#ports;
    const id = (): string => idText(Buffer.from(random(16)));
    socket.send(
      JSON.stringify({
        MessageSchemaVersion: '1.0',
        RequestId: id(),
        TokenValue: tokenValue,
        ClientId: id(),
        ClientVersion: version,
      }),
    );
  }

  /** Takes one binary frame in. @throws BadMessage */
  receive(frame: Buffer): void {
    this.#stream.receive(frame);
  }

  /** There may be room for output again. */
  resume(): void {
    this.#stream.resume();
  }

  write(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; from += mostPayload)
      this.#stream.send(payloadType.output, bytes.subarray(from, from + mostPayload));
  }

  /** There is no more input. */
  end(): void {
    this.#stream.send(payloadType.output, Buffer.alloc(0), true);
  }

  resize(cols: number, rows: number): void {
    this.#stream.send(payloadType.size, json({ cols, rows }));
  }

  /** Ends the session, and the command with it. */
  terminate(): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(terminateSession);
    this.#stream.send(payloadType.flag, payload);
  }

  #deliver({ payloadType: type, payload }: Message): void {
    const { output, exited, ready, version = ownClient } = this.#ports;
    switch (type) {
      case payloadType.output:
        output(payload, 'stdout');
        return;
      case payloadType.standardError:
        output(payload, 'stderr');
        return;
      case payloadType.handshakeRequest: {
        const actions = parsed(payload)['RequestedClientActions'];
        const asked = Array.isArray(actions) ? (actions as { ActionType?: string }[]) : [];
        this.#stream.send(
          payloadType.handshakeResponse,
          json({
            ClientVersion: version,
            ProcessedClientActions: asked.map(({ ActionType }) => ({ ActionType, ActionStatus: 1 })),
            Errors: [],
          }),
        );
        return;
      }
      case payloadType.handshakeComplete:
        ready();
        return;
      case payloadType.exitCode:
        exited(Number(payload.toString('utf8')));
        return;
      default:
    }
  }
}
