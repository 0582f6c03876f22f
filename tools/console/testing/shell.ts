import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { json, parsed, payloadType, ReliableStream } from '@slipway/scheduler/exec/protocol';
import { systemClock } from '@slipway/storage/clock';
import { type WebSocket, WebSocketServer } from 'ws';

/** The server's side of a data channel without a container: what a page types is kept, and what a test says comes out. */
export class Shell implements AsyncDisposable {
  /** Tokens that connections were opened with. */
  readonly tokens: string[] = [];
  readonly sizes: { readonly cols: number; readonly rows: number }[] = [];
  typed = '';
  terminated = false;
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #over = new AbortController();
  #socket: WebSocket | undefined;
  readonly #stream = new ReliableStream({
    clock: systemClock,
    random: randomBytes,
    transmit: (frame) => this.#socket?.send(frame),
    sends: 'output_stream_data',
    receives: 'input_stream_data',
    hasRoom: () => true,
    deliver: ({ payloadType: type, payload }) => {
      if (type === payloadType.output) this.typed += payload.toString('utf8');
      else if (type === payloadType.size) this.sizes.push(parsed(payload) as unknown as (typeof this.sizes)[number]);
      else if (type === payloadType.flag) this.terminated = true;
      else if (type === payloadType.handshakeResponse) this.#stream.send(payloadType.handshakeComplete, json({}));
    },
    closed: () => undefined,
    drained: () => undefined,
  });

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.#server.handleUpgrade(request, socket, head, (ws) => this.#accept(ws));

  #accept(ws: WebSocket): void {
    const isFirst = this.#socket === undefined;
    this.#socket = ws;
    ws.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return this.#stream.receive(data);
      this.tokens.push((JSON.parse(data.toString('utf8')) as { TokenValue: string }).TokenValue);
      if (!isFirst) return this.#stream.reopened();
      const actions = [{ ActionType: 'SessionType', ActionParameters: { SessionType: 'InteractiveCommands' } }];
      this.#stream.send(payloadType.handshakeRequest, json({ AgentVersion: '3', RequestedClientActions: actions }));
      this.#stream.run(this.#over.signal).catch(() => undefined);
    });
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  says(text: string): void {
    this.#stream.send(payloadType.output, Buffer.from(text));
  }

  /** The connection breaks; the session does not. */
  cut(): void {
    this.#socket?.terminate();
  }

  exits(code: number): void {
    this.#stream.send(payloadType.exitCode, Buffer.from(String(code)));
    this.#stream.close('session', '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
