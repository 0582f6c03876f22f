import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { IncomingMessage } from 'node:http';
import aws4 from 'aws4';
import { WebSocket } from 'ws';

import type { DesiredState } from '../../routing/index.ts';
import { EngineError, type TrafficEngine, writeApplied } from '../engines/index.ts';

import {
  type Answer,
  balancerPath,
  longestRequest,
  longestText,
  readFrame,
  type Request,
  requestShape,
} from './frames.ts';

export interface BalancerOptions {
  /** URL of the servers. */
  readonly server: string;
  readonly region: string;
  readonly credentials: () => Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }>;
  readonly name: string;
  readonly kind: TrafficEngine['kind'];
  /** Adopts the engine's process, or starts one. */
  readonly open: () => Promise<TrafficEngine>;
  readonly clock: Clock;
  readonly log: Log;
  /** Connects to a server, which has let it through by the time it resolves, paused. Default: a signed WebSocket. @throws BalancerRefused */
  readonly dial?: (options: BalancerOptions, signal: AbortSignal) => Promise<WebSocket>;
}

/** A server that says nothing for this long, not even a ping, is gone. Milliseconds. */
const silence = 30_000;
const retryAfter = 1_000;

/** That the server refuses this engine: trying again changes nothing. */
export class BalancerRefused extends Error {
  override readonly name = 'BalancerRefused';
}

/**
 * Has servers drive an engine of this host until the signal aborts. While no server is reached the engine carries on with what it was told
 * last. @throws BalancerRefused when the server does not want it
 */
export async function joinBalancing(options: BalancerOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, server, dial = signedDial } = options;
  while (!signal.aborted) {
    try {
      const ws = await dial(options, signal);
      log.info({ server }, 'joined: this host carries the traffic of load balancers');
      await serve(options, ws, signal);
      if (!signal.aborted) log.warn({ server }, 'the server is gone; the engine carries on with what it was told last');
    } catch (error) {
      if (error instanceof BalancerRefused) throw error;
      if (!signal.aborted) log.warn({ server, err: error }, 'no server is reached; trying again');
    }
    await clock.sleep(retryAfter, signal).catch(() => undefined);
  }
}

/** Ends the engine, with all that it carries, and tells the servers not to wait for it. */
export async function leaveBalancing(options: BalancerOptions, signal: AbortSignal): Promise<void> {
  const { dial = signedDial } = options;
  const engine = await options.open();
  try {
    await engine.stop();
  } finally {
    await engine.close();
  }
  const ws = await dial(options, signal);
  ws.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
  ws.resume();
  ws.send(JSON.stringify({ leave: true } satisfies Answer));
  await closed;
}

/** Does what a server asks until the connection is over, or the signal aborts. Nothing of it goes on after that: an engine has one driver. */
async function serve({ open, clock }: BalancerOptions, ws: WebSocket, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  let engine: TrafficEngine | undefined;
  let heard = clock.monotonic();
  const hear = (): void => {
    heard = clock.monotonic();
  };
  const opened = (): TrafficEngine => {
    if (engine === undefined) throw new EngineError('the engine is not open');
    return engine;
  };
  const work = async (request: Request): Promise<unknown> => {
    switch (request.call) {
      case 'open':
        await engine?.close();
        engine = await open();
        return null;
      case 'apply':
        // The engine looks at it before it changes anything.
        return writeApplied(await opened().apply(request.desired as DesiredState));
      case 'observe':
        return opened().observe();
      case 'stop':
        await opened().stop();
        return null;
    }
  };
  ws.on('ping', hear);
  ws.on('error', () => ws.terminate());
  ws.once('close', () => ended.abort());
  ws.on('message', (data: Buffer, isBinary) => {
    hear();
    const request = isBinary ? undefined : readFrame(requestShape, data);
    if (request === undefined) return ws.terminate();
    const { id } = request;
    const say = (answer: Answer): void => {
      if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(answer));
    };
    const done: Promise<unknown> = work(request)
      .then(
        (answer) => say({ id, answer }),
        (error: Error) => say({ id, error: error.message.slice(0, longestText) }),
      )
      .catch(() => ws.terminate())
      .finally(() => underWay.delete(done));
    underWay.add(done);
  });
  const stop = (): void => ended.abort();
  signal.addEventListener('abort', stop, { once: true });
  ws.resume();
  while (!ended.signal.aborted && clock.monotonic() - heard < silence)
    await clock.sleep(silence / 4, ended.signal).catch(() => undefined);
  signal.removeEventListener('abort', stop);
  ws.terminate();
  await Promise.all(underWay);
  await engine?.close();
}

async function signedDial(options: BalancerOptions, signal: AbortSignal): Promise<WebSocket> {
  const { server, region, name, kind, credentials } = options;
  const url = new URL(balancerPath, server.replace(/^http/, 'ws'));
  url.search = new URLSearchParams({ name, kind }).toString();
  const signed = aws4.sign(
    {
      service: 'elasticloadbalancing',
      region,
      method: 'GET',
      host: url.host,
      path: `${url.pathname}${url.search}`,
      headers: { Host: url.host },
    },
    await credentials(),
  );
  const ws = new WebSocket(url, {
    headers: signed.headers as Record<string, string>,
    handshakeTimeout: 10_000,
    maxPayload: longestRequest,
    perMessageDeflate: false,
  });
  const giveUp = (): void => ws.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await new Promise<WebSocket>((resolve, reject) => {
      ws.once('open', () => {
        // The first question may have come with the answer to the handshake: it waits for who answers.
        ws.pause();
        resolve(ws);
      });
      ws.once('error', reject);
      ws.once('unexpected-response', (_request, response) => {
        void refusal(response).then(reject).catch(reject);
      });
    });
  } catch (error) {
    ws.on('error', () => undefined);
    ws.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function refusal(response: IncomingMessage): Promise<Error> {
  let body = '';
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > 64 * 1024) break;
  }
  const { statusCode = 0 } = response;
  const message = `the server answers ${statusCode}: ${body.slice(0, 500)}`;
  return statusCode === 400 || statusCode === 403 ? new BalancerRefused(message) : new Error(message);
}
