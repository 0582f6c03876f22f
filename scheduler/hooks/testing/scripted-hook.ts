import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';

import { issue } from '../../balancing/testing/authority.ts';

/** One call as it came. */
export interface HeardCall {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly payload: { readonly executionId: string; readonly hookDetails: object; readonly [member: string]: unknown };
}

export const hookHost = 'hooks.example.com';

/** A receiver of hooks behind TLS that answers as a test says. Dispose it. */
export class ScriptedHook implements AsyncDisposable {
  readonly heard: HeardCall[] = [];
  /** PEM of the authority that vouches for it. */
  readonly ca: string;
  /** Answers a call. */
  answer: (response: ServerResponse, call: HeardCall) => void = (response) =>
    response.end('{"hookStatus":"SUCCEEDED"}');
  readonly #server: Server;

  private constructor({ certificate, key }: ReturnType<typeof issue>) {
    this.ca = certificate;
    this.#server = createServer({ cert: certificate, key }, (request, response) => {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      this.#take(request, response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<ScriptedHook> {
    const hook = new ScriptedHook(
      issue({ name: hookHost, names: [], extensions: [`subjectAltName=DNS:${hookHost},IP:127.0.0.1`] }),
    );
    hook.#server.listen(0, '127.0.0.1');
    await once(hook.#server, 'listening');
    return hook;
  }

  get url(): string {
    return `https://${hookHost}:${this.#port}/approve`;
  }

  /** The same by its address, for whoever resolves names for real. */
  get localUrl(): string {
    return `https://127.0.0.1:${this.#port}/approve`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Answers with a value as JSON. */
  says(value: (call: HeardCall) => unknown): void {
    this.answer = (response, call) => response.end(JSON.stringify(value(call)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    const payload = JSON.parse(body.toString()) as HeardCall['payload'];
    const call = { method: request.method ?? '', headers: request.headers, body, payload };
    this.heard.push(call);
    this.answer(response, call);
  }
}
