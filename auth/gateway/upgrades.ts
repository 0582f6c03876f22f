import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@slipway/storage/clock';
import { SignatureError, type SignatureVerifier } from '../sigv4/index.ts';
import { deniedMessage, firstDenied } from './authorize.ts';
import {
  type AccessList,
  type Authorizer,
  type Call,
  GatewayError,
  type Log,
  type Standing,
  type UpgradeService,
} from '../contract/index.ts';
import { wireErrorOf } from './aws-errors.ts';
import { Exchange, GatewayCall, goneStatus } from './exchange.ts';
import { answerRaw } from './heads.ts';
import type { Limits } from './options.ts';
import { type Origins, unknownHost } from './origin.ts';
import { identifySigner } from './signed-caller.ts';
import type { Throttle } from './throttle.ts';

export interface UpgradeFrontPorts {
  readonly standing: Standing;
  readonly limits: Pick<Limits, 'channelCheckMs'>;
  /** Told of every connection that was cut off, with the reason in its detail, and of those that ended whose ends are audited. */
  readonly cutOff: (exchange: Exchange) => void;
  readonly services: ReadonlyMap<string, UpgradeService>;
  readonly verifier: SignatureVerifier;
  readonly authorizer: Authorizer;
  readonly throttle: Throttle;
  readonly origins: Origins;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly region: string;
  readonly account: string;
}

/** A connection that was let through, and by what right. */
interface Channel {
  readonly socket: Duplex;
  readonly exchange: Exchange;
  readonly call: Call;
  readonly list: AccessList;
}

/** An upgrade that may be, with what was decided about: its query, and the list of what its opener was asked for, if anybody was. */
interface Admitted {
  readonly service: UpgradeService;
  readonly call: Call;
  readonly query: URLSearchParams;
  readonly list: AccessList | undefined;
}

/**
 * Serves WebSocket upgrades: signed like any AWS call, with an empty body, and authorized before the service sees them; or for whoever
 * comes, where the service asks for a proof itself. A connection outlives its request, so whether its opener may still have it is asked
 * again and again.
 */
export class UpgradeFront {
  readonly #ports: UpgradeFrontPorts;
  readonly #channels = new Set<Channel>();
  #checking: NodeJS.Timeout | undefined;

  constructor(ports: UpgradeFrontPorts) {
    this.#ports = ports;
  }

  /** @param socket has a listener for errors already */
  async serve(exchange: Exchange, socket: Duplex, head: Buffer): Promise<void> {
    const { request } = exchange;
    try {
      const { service, call, query, list } = await this.#admit(request, exchange);
      if (socket.closed) {
        // Nothing would tell of an end that was before: whoever went away meanwhile would be asked about for ever.
        exchange.status = goneStatus;
        return;
      }
      exchange.status = 101;
      // A service that knows its clients by their tokens looks after their rights itself.
      if (list !== undefined) this.#watch({ socket, exchange, call, list });
      this.#auditEnd(service, query, { socket, exchange, call });
      service.accept(request, socket, head, call, query);
    } catch (error) {
      const wire = wireErrorOf(error, 'aws-json');
      if (wire === undefined) this.#ports.log.error({ requestId: exchange.requestId, err: error }, 'an upgrade failed');
      const code = wire?.code ?? 'ServerException';
      exchange.errorCode = code;
      exchange.status = statusOf(error);
      const message = wire?.message ?? 'The connection could not be set up because of an error of the server.';
      // Agents look for a member named after the error, SDKs for `__type`.
      refuse(socket, exchange, JSON.stringify({ __type: code, message, [code]: message }));
    }
  }

  async #admit(request: IncomingMessage, exchange: Exchange): Promise<Admitted> {
    const { services, verifier, authorizer, throttle, origins, clock, region, account } = this.#ports;
    const target = request.url ?? '/';
    const at = target.indexOf('?');
    const service = services.get(at === -1 ? target : target.slice(0, at));
    const query = new URLSearchParams(at === -1 ? '' : target.slice(at + 1));
    if (service === undefined) throw new GatewayError('not-found', 'there is nothing at this path');
    exchange.service = service.service;
    exchange.operation = `WS ${service.path}`;
    if (service.access === 'proof') {
      if (!origins.isKnownHost(request)) throw new GatewayError('not-found', unknownHost);
    } else await identifySigner(exchange, service.service, { verifier, throttle, region });
    await throttle.admit(exchange);
    const call = new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(request, true),
      now: clock.now(),
    });
    if (service.access === 'proof') {
      service.check?.(query, call);
      return { service, call, query, list: undefined };
    }
    const list = await service.access(query, call);
    exchange.detail = service.audit?.opened(query);
    exchange.longestDetail = service.audit?.longest ?? exchange.longestDetail;
    const denied = await firstDenied(authorizer, exchange, call, list);
    if (denied !== undefined) throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
    return { service, call, query, list };
  }

  #auditEnd(
    { audit }: UpgradeService,
    query: URLSearchParams,
    { socket, exchange, call }: Omit<Channel, 'list'>,
  ): void {
    if (audit === undefined) return;
    const { request, principal, service, operation, via, sourceIp, longestDetail } = exchange;
    socket.once('close', () => {
      const end = new Exchange(request, undefined, exchange.startedAt, sourceIp);
      const detail = audit.closed(query, call);
      this.#ports.cutOff(
        Object.assign(end, {
          principal,
          service,
          operation: `${operation} end`,
          via,
          status: 101,
          detail,
          longestDetail,
        }),
      );
    });
  }

  #watch(channel: Channel): void {
    this.#channels.add(channel);
    channel.socket.once('close', () => {
      this.#channels.delete(channel);
      if (this.#channels.size > 0) return;
      clearInterval(this.#checking);
      this.#checking = undefined;
    });
    this.#checking ??= setInterval(() => {
      for (const each of this.#channels) void this.#check(each).catch(() => each.socket.destroy());
    }, this.#ports.limits.channelCheckMs).unref();
  }

  /** Cuts a connection off whose opener is not who it was any more, or may not have it. */
  async #check({ socket, exchange, call, list }: Channel): Promise<void> {
    const { standing, authorizer, clock } = this.#ports;
    const { request, principal, service, operation, via, sourceIp } = exchange;
    const now = new Exchange(request, undefined, exchange.startedAt, sourceIp);
    Object.assign(now, { principal, service, operation: `${operation} open`, via, status: 403 });
    try {
      if (!(await standing.standing(principal)))
        now.detail = 'the credentials that opened the connection are no longer good';
      else if ((await firstDenied(authorizer, now, { ...call, time: new Date(clock.now()) }, list)) === undefined)
        return;
    } catch {
      // Nobody knows just now; the next look will.
      return;
    }
    if (socket.destroyed) return;
    now.errorCode = 'AccessDeniedException';
    socket.destroy();
    this.#ports.cutOff(now);
  }
}

function statusOf(error: unknown): number {
  const wire = wireErrorOf(error, 'aws-json');
  if (error instanceof SignatureError) return 401;
  if (error instanceof GatewayError)
    return { denied: 403, 'not-found': 404, throttled: 429 }[error.kind as string] ?? wire?.status ?? 400;
  return wire === undefined ? 500 : (wire.status ?? 400);
}

function refuse(socket: Duplex, { status, requestId }: Exchange, body: string): void {
  const headers = ['Content-Type: application/json', `x-amzn-requestid: ${requestId}`];
  answerRaw(socket, `${status} ${STATUS_CODES[status] ?? ''}`, headers, body);
}
