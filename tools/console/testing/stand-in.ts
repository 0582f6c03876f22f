import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import type { Call } from '@slipway/auth/contract';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { watchPage } from '../../testbed/browser.ts';
import { consoleService } from '../service.ts';

/** What an operation or a route answers; an {@link Refused} is a refusal, a {@link Failed} another error. */
export type Answers = Readonly<Record<string, (input: never, request: IncomingMessage) => unknown>>;

/** What a policy refuses. */
export class Refused {
  readonly action: string;
  readonly requestId: string | undefined;
  constructor(action: string, requestId?: string) {
    this.action = action;
    this.requestId = requestId;
  }
}

/** What fails otherwise. */
export class Failed {
  readonly code: string;
  readonly message: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    this.code = code;
    this.message = message;
    this.status = status;
  }
}

const arn = 'arn:aws:iam::000000000000:user/admin';

/**
 * A server that gives the console's own pages and made-up answers: what the pages do with what they are told is tested without an engine, and
 * with more of everything than an engine would run. What nobody has made up is answered as if it were not served.
 */
export class StandIn implements AsyncDisposable {
  readonly url: string;
  /** Names of what was asked for, in order; those that were only to be decided with a question mark. */
  readonly asked: string[] = [];
  /** By operation, or by method and path of a route of the server's own; `*` for all others. May be changed while it runs. */
  answers: Answers;
  /** Takes what wants to be a WebSocket. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void = (_request, socket) => socket.destroy();
  readonly #close: () => Promise<void>;

  private constructor(url: string, answers: Answers, close: () => Promise<void>) {
    this.url = url;
    this.answers = answers;
    this.#close = close;
  }

  static async open(answers: Answers): Promise<StandIn> {
    const pages = consoleService();
    const holder: { standIn?: StandIn } = {};
    const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { method = '', url = '' } = request;
      const [path = ''] = url.split('?', 1);
      const route = pages.route(method, path, new URLSearchParams());
      if (route?.respond !== undefined)
        return route.respond(
          request,
          (status, headers, body) => void response.writeHead(status, [...headers]).end(body),
          {} as Call,
        );
      const said = await holder.standIn?.answer(request, path);
      const id = said?.requestId;
      response
        .writeHead(said?.status ?? 500, {
          'Content-Type': 'application/json',
          ...(id === undefined ? {} : { 'x-amzn-requestid': id }),
        })
        .end(JSON.stringify(said?.body ?? {}));
    };
    const server = createServer((request, response) => {
      serve(request, response).catch(() => response.destroy());
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      holder.standIn?.upgrade(request, socket, head),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    holder.standIn = new StandIn(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers, async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return holder.standIn;
  }

  async answer(
    request: IncomingMessage,
    path: string,
  ): Promise<{ readonly status: number; readonly body: unknown; readonly requestId?: string | undefined } | undefined> {
    const { method = '', headers } = request;
    const body = await buffer(request);
    if (path === '/console/session' || path === '/console/oidc') {
      const find = this.answers[`${method} ${path}`];
      const usual = path === '/console/oidc' ? {} : { arn, account: '000000000000', region: 'us-east-1' };
      const given: unknown = body.length === 0 ? undefined : JSON.parse(body.toString('utf8'));
      return { status: 200, body: find === undefined ? usual : await find(given as never, request) };
    }
    const target = headers['x-amz-target'];
    const name =
      typeof target === 'string'
        ? (target.split(/[./]/).at(-1) ?? '')
        : `${method} ${path.replace('/console/api', '')}`;
    const onlyAsks = headers['x-slipway-only-ask'] !== undefined;
    this.asked.push(`${name}${onlyAsks ? '?' : ''}`);
    const find = this.answers[onlyAsks ? `${name}?` : name] ?? (onlyAsks ? undefined : this.answers['*']);
    if (find === undefined)
      return onlyAsks
        ? refusalOf(new Refused(name))
        : { status: 404, body: { __type: 'UnknownOperationException', message: `${name} is not made up here` } };
    const given: unknown = body.length === 0 ? undefined : JSON.parse(body.toString('utf8'));
    const said = await find(given as never, request);
    if (said instanceof Failed) return { status: said.status, body: { __type: said.code, message: said.message } };
    return said instanceof Refused ? refusalOf(said) : { status: 200, body: said };
  }

  /** A window that is signed in, unless it is to be signed out. */
  async page(
    browser: Browser,
    options: {
      readonly colorScheme?: 'light' | 'dark';
      readonly width?: number;
      /** Nobody has signed in. */
      readonly signedOut?: true;
      /** What the browser's console may note beside refusals. */
      readonly expected?: RegExp;
    } = {},
  ): Promise<{
    readonly context: BrowserContext;
    readonly page: Page;
    readonly offences: ReturnType<typeof watchPage>;
  }> {
    const { colorScheme = 'light', width = 1280, signedOut } = options;
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
    if (signedOut === undefined) await context.addInitScript("localStorage.setItem('slipway-session', 'proof')");
    context.setDefaultTimeout(180_000);
    const page = await context.newPage();
    const { expected = /^Failed to load resource: the server responded with a status of 40[034]/ } = options;
    return { context, page, offences: watchPage(page, this.url, expected) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

const refusalOf = ({ action, requestId }: Refused) => ({
  status: 400,
  requestId,
  body: {
    __type: 'AccessDeniedException',
    message: `User: ${arn} is not authorized to perform: ${action} on resource: * because no identity-based policy allows the ${action} action`,
  },
});
