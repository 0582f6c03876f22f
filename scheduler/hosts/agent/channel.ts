import type { IncomingMessage } from 'node:http';

import { hostSecretHeader } from '@slipway/auth/contract';
import aws4 from 'aws4';
import { WebSocket } from 'ws';

import { maskTo } from '../../exec/protocol/index.ts';
import { isGone } from './control-plane-client.ts';
import type { ResolvedOptions } from './options.ts';

/** A connection that hears nothing for this long is given up; servers ping every few seconds. Milliseconds. */
const silenceLimit = 40_000;
const firstWait = 250;
const longestWait = 5_000;
/** A connection that lasted this long was good: the next one is tried at once. Milliseconds. */
const goodConnection = 30_000;

/** The control plane answered the upgrade with a refusal. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused';
  /** `InactiveInstanceException`, … */
  readonly code: string;
  /** Of the answer; default: 400. */
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Whether a refusal says that the container instance is not registered. */
const isInactive = (error: unknown): boolean =>
  isGone(error) || (error instanceof UpgradeRefused && error.code === 'InactiveInstanceException');

/** Opens a connection; resolves when it stands, paused, so that nothing that comes at once is lost; gives up when the signal aborts. @throws UpgradeRefused, or what the way there failed with */
export type Dial = (address: URL, signal: AbortSignal) => Promise<WebSocket>;

export interface ChannelPorts {
  /** For the log: `control` or `telemetry`. */
  readonly name: string;
  readonly options: ResolvedOptions;
  /** The address with its query, asked for before every connection. */
  readonly url: () => Promise<URL>;
  readonly dial: Dial;
  /** Serves one connection; the signal aborts when it is closed. */
  readonly serve: (ws: WebSocket, signal: AbortSignal) => void;
  /** The control plane does not know the container instance, or not any more. */
  readonly inactive: () => void;
}

/** Keeps one signed WebSocket to the control plane open: connects, serves, and connects again with growing, jittered waits. */
export class Channel {
  readonly #ports: ChannelPorts;
  readonly #stopped = new AbortController();
  #ws: WebSocket | undefined;
  #failures = 0;

  constructor(ports: ChannelPorts) {
    this.#ports = ports;
  }

  stop(): void {
    this.#stopped.abort();
    this.#ws?.close(1000, 'the agent is stopping');
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    const { options, name, inactive } = this.#ports;
    const { clock, log } = options;
    while (!this.#stopped.signal.aborted) {
      const began = clock.monotonic();
      try {
        await this.#connect();
        log.info({ channel: name }, 'connection to the control plane closed');
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        log.warn({ channel: name, err: error }, 'cannot connect to the control plane; trying again');
        if (isInactive(error)) inactive();
      }
      if (clock.monotonic() - began > goodConnection) this.#failures = 0;
      const wait = Math.min(firstWait * 1.5 ** this.#failures, longestWait) * (0.5 + options.random());
      this.#failures += 1;
      await clock.sleep(wait, this.#stopped.signal).catch(() => undefined);
    }
  }

  async #connect(): Promise<void> {
    const { url, dial, serve } = this.#ports;
    const ws = await dial(await url(), this.#stopped.signal);
    this.#ws = ws;
    const ended = new AbortController();
    try {
      const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
      void closed.then(() => ended.abort());
      ws.on('error', () => ws.terminate());
      serve(ws, ended.signal);
      // What came right behind the upgrade has waited for somebody to listen.
      ws.resume();
      await this.#untilSilent(ws, ended.signal);
      await closed;
    } finally {
      ended.abort();
      if (ws.readyState !== WebSocket.CLOSED) ws.terminate();
      this.#ws = undefined;
    }
  }

  async #untilSilent(ws: WebSocket, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports.options;
    let heard = clock.monotonic();
    const hear = (): void => {
      heard = clock.monotonic();
    };
    ws.on('message', hear);
    ws.on('ping', hear);
    const either = AbortSignal.any([signal, this.#stopped.signal]);
    while (!signal.aborted) {
      const quiet = clock.monotonic() - heard;
      if (quiet > silenceLimit || this.#stopped.signal.aborted) {
        ws.close(1000);
        await clock.sleep(1_000, signal).catch(() => undefined);
        ws.terminate();
        return;
      }
      await clock.sleep(silenceLimit / 4, either).catch(() => undefined);
    }
  }
}

/** Dials with a GET that is signed as amazon-ecs-agent signs its upgrades, and that says the secret of this host. */
export const signedDial =
  (options: ResolvedOptions, hostSecret: () => string): Dial =>
  async (address, signal) => {
    const generateMask = maskTo(address);
    const ws = new WebSocket(address, {
      ...(generateMask === undefined ? {} : { generateMask }),
      headers: await signedHeaders(address, options, hostSecret()),
      handshakeTimeout: 10_000,
      maxPayload: 16 * 1024 * 1024,
      perMessageDeflate: false,
    });
    const giveUp = (): void => ws.terminate();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await opened(ws);
      return ws;
    } catch (error) {
      // Ending what is not open yet is one more error, which says nothing new.
      ws.on('error', () => {});
      ws.terminate();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };

function opened(ws: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    ws.once('open', () => {
      ws.pause();
      resolve();
    });
    ws.once('error', reject);
    ws.once('unexpected-response', (_request, response) => {
      readRefusal(response).then(reject, reject);
    });
  });
}

/** What an upgrade was refused with. */
export async function readRefusal(response: IncomingMessage): Promise<Error> {
  const { statusCode: status = 0 } = response;
  let body = '';
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > 64 * 1024) break;
  }
  try {
    const parsed = JSON.parse(body) as Record<string, unknown>;
    const type = parsed['__type'];
    const [code, message] =
      typeof type === 'string' ? [type, parsed['message']] : (Object.entries(parsed)[0] ?? ['', undefined]);
    return new UpgradeRefused(code, `${code}: ${String(message)}`, status);
  } catch {
    return new UpgradeRefused('', `the upgrade was answered with status ${status}`, status);
  }
}

/** The headers of a GET signed with Signature Version 4 for `ecs`, as amazon-ecs-agent signs its upgrades. */
export async function signedHeaders(
  url: URL,
  options: ResolvedOptions,
  hostSecret: string,
): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken } = await options.credentials();
  const signed = aws4.sign(
    {
      service: 'ecs',
      region: options.region,
      method: 'GET',
      host: url.host,
      path: `${url.pathname}${url.search}`,
      headers: { Host: url.host, [hostSecretHeader]: hostSecret },
    },
    { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
  return Object.fromEntries(Object.entries(signed.headers ?? {}).map(([name, value]) => [name, String(value)]));
}

/** The WebSocket address below an endpoint: `http` becomes `ws`, `https` becomes `wss`. */
export function socketUrl(endpoint: string, query: Readonly<Record<string, string>>): URL {
  const url = new URL(`${endpoint.replace(/\/$/, '')}/ws`);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}
