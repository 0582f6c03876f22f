import type { LookupAddress } from 'node:dns';
import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { AddressRule } from './addresses.ts';
import { OutboundError } from './errors.ts';
import { parseOutboundUrl } from './url.ts';

export interface OutboundOptions {
  /** Addresses and CIDR ranges to open beside the public internet. Default: none. */
  readonly allow?: readonly string[];
  /** How names become addresses. Default: the machine's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** PEM of the authorities whose certificates count. Default: those that Node trusts. */
  readonly ca?: string;
}

export interface OutboundRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'HEAD' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Largest answer, bytes. Default 64 KiB. */
  readonly maxBytes?: number;
  /** For everything together: names, connection, redirects, answer. Milliseconds, default 10,000. */
  readonly timeoutMs?: number;
  /** How many redirects to follow. Default 0: a redirect is an error. At most 10. */
  readonly redirects?: number;
}

export interface OutboundStream {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'HEAD' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** With parts of unknown number, give `content-length` among the headers where the other side wants it. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

/** The only way to call an address that a user gave. */
export interface Outbound {
  /**
   * Calls an address; the answer is whole and as sent (nothing is decompressed).
   * @throws OutboundError, with one message for all that could tell what our network looks like
   */
  fetch(url: string, options?: OutboundRequest): Promise<Response>;
  /**
   * Calls an address for bytes of any size: they come and go as they are read, only the signal ends the call, and a redirect is
   * an answer like any other (follow it with another call, which is checked as this one is).
   * @throws OutboundError
   */
  readonly stream: (url: string, options?: OutboundStream) => Promise<Response>;
  /** Checks an address when it is stored. @throws OutboundError `bad-url` */
  check(url: string): URL;
  close(): Promise<void>;
}

/** Secrets for one host that must not reach another. */
const hostBound = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** Makes the guarded client. Private, loopback, link-local and metadata addresses are refused when the connection is made. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const rule = new AddressRule(options.allow ?? []);
  const resolve =
    options.resolve ?? (async (host: string) => (await dnsLookup(host, { all: true })).map(({ address }) => address));
  const open = async (): Promise<Client> => {
    const { Agent, buildConnector, request } = await import('undici');
    const agent = new Agent({
      connect: guardedConnector(buildConnector, rule, resolve, options.ca),
      pipelining: 0,
      keepAliveTimeout: 1000,
      maxHeaderSize: 16 * 1024,
    });
    return { agent, request };
  };
  let opened: Promise<Client> | undefined;
  let closed = false;
  // Most servers call nobody for long: what does it takes 13 MiB, and is loaded by the first call.
  const client: OpenClient = () => {
    if (closed) return Promise.reject(new OutboundError('unreachable', UNREACHABLE, 'the client is closed'));
    return (opened ??= open());
  };
  return {
    check: (url) => parseOutboundUrl(url, rule),
    fetch: (url, call = {}) => follow(client, rule, url, call),
    stream: (url, call = {}) => stream(client, rule, url, call),
    close: async () => {
      closed = true;
      await (await opened)?.agent.destroy();
    },
  };
}

/** What undici gives, once it was loaded. */
interface Client {
  readonly agent: Agent;
  readonly request: (url: URL, options: { dispatcher: Agent } & CallOptions) => Promise<Dispatcher.ResponseData>;
}

type CallOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path'>;
/** Loads undici at the first call. @throws OutboundError after the end */
type OpenClient = () => Promise<Client>;

/** Resolves, checks every answer, and connects to what was checked: a name cannot change its mind in between. */
function guardedConnector(
  makeConnector: typeof buildConnector,
  rule: AddressRule,
  resolve: (host: string) => Promise<readonly string[]>,
  ca: string | undefined,
): buildConnector.connector {
  const lookup = callbackify(async (host: string): Promise<LookupAddress[]> => {
    const addresses = await resolve(host);
    const closed = addresses.find((address) => !rule.allows(address));
    if (closed !== undefined || addresses.length === 0) {
      throw new OutboundError('unreachable', UNREACHABLE, `${host} resolves to ${closed ?? 'nothing'}`);
    }
    return addresses.map((address) => ({ address, family: isIP(address) }));
  });
  const connect = makeConnector({
    timeout: 5000,
    ...(ca === undefined ? {} : { ca }),
    // Asks for all addresses of a name at once, which is the only way this lookup answers.
    autoSelectFamily: true,
    lookup: ((host, _options, callback) => lookup(host, callback as never)) satisfies LookupFunction,
  } as buildConnector.BuildOptions);
  return (target, callback) => {
    connect(target, (...result) => {
      const socket = result[1] as Socket | null | undefined;
      // A literal address does not pass the lookup; neither may anything that it forgot.
      if (socket && !rule.allows(socket.remoteAddress ?? '')) {
        socket.destroy();
        callback(new OutboundError('unreachable', UNREACHABLE, `connected to ${socket.remoteAddress}`), null);
        return;
      }
      callback(...result);
    });
  };
}

const UNREACHABLE = 'The address could not be reached.';

async function follow(client: OpenClient, rule: AddressRule, first: string, call: OutboundRequest): Promise<Response> {
  const timeout = AbortSignal.timeout(call.timeoutMs ?? 10_000);
  const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
  let url = parseOutboundUrl(first, rule);
  let headers: Record<string, string> = { 'accept-encoding': 'identity', ...call.headers };
  let { method = 'GET', body } = call;
  for (let left = Math.min(call.redirects ?? 0, 10); ; left--) {
    const answer = await send(
      client,
      url,
      { method, headers, signal, ...(body === undefined ? {} : { body }) },
      timeout,
    );
    const { location } = answer.headers;
    if (answer.statusCode < 300 || answer.statusCode > 399 || typeof location !== 'string')
      return whole(answer, call.maxBytes ?? 64 * 1024, timeout);
    // What a redirect says beside its location is nobody's concern, and neither is its end.
    answer.body.on('error', () => undefined).destroy();
    if (left <= 0)
      throw new OutboundError(
        'redirect',
        'The address answers with a redirect, which is not followed.',
        `redirect to ${location.slice(0, 200)}`,
      );
    const next = parseOutboundUrl(new URL(location, url).href, rule);
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw new OutboundError(
        'redirect',
        'The address answers with a redirect, which is not followed.',
        'redirect from https to http',
      );
    }
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !hostBound.has(name.toLowerCase())));
    }
    if (answer.statusCode < 307 && method !== 'HEAD') [method, body] = ['GET', undefined];
    url = next;
  }
}

async function stream(client: OpenClient, rule: AddressRule, text: string, call: OutboundStream): Promise<Response> {
  const { method = 'GET', headers = {}, body, signal } = call;
  const never = new AbortController().signal;
  const answer = await send(
    client,
    parseOutboundUrl(text, rule),
    {
      method,
      headers: { 'accept-encoding': 'identity', ...headers },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : Readable.from(body) }),
      ...(signal === undefined ? {} : { signal }),
    },
    never,
  );
  const none = method === 'HEAD' || [204, 205, 304].includes(answer.statusCode);
  if (none) answer.body.resume();
  return new Response(none ? null : (Readable.toWeb(answer.body) as ReadableStream), {
    status: answer.statusCode,
    headers: headersOf(answer),
  });
}

async function send(
  client: OpenClient,
  url: URL,
  init: CallOptions,
  timeout: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  try {
    const { agent, request } = await client();
    return await request(url, { ...init, dispatcher: agent });
  } catch (error) {
    throw wrapped(error, timeout);
  }
}

async function whole(answer: Dispatcher.ResponseData, limit: number, timeout: AbortSignal): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > limit) throw new OutboundError('too-large', `The answer is larger than ${limit} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw wrapped(error, timeout);
  }
  const empty = [204, 205, 304].includes(answer.statusCode);
  return new Response(empty ? null : Buffer.concat(chunks), { status: answer.statusCode, headers: headersOf(answer) });
}

function headersOf(answer: Dispatcher.ResponseData): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) headers.append(name, each);
  }
  return headers;
}

function wrapped(error: unknown, timeout: AbortSignal): Error {
  if (error instanceof OutboundError) return error;
  if (timeout.aborted)
    return new OutboundError('timeout', 'The address did not answer in time.', 'timeout', { cause: error });
  if (error instanceof Error && error.name === 'AbortError') return error;
  return new OutboundError('unreachable', UNREACHABLE, error instanceof Error ? error.message : 'unknown', {
    cause: error,
  });
}
