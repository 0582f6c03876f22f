import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@slipway/storage/clock';
import { readSignature, SignatureError, type SignatureVerifier } from '../sigv4/index.ts';
import { deniedMessage, firstDenied } from './authorize.ts';
import type { Authorizer } from './authorizer.ts';
import { wireErrorOf } from './aws-errors.ts';
import { type Exchange, GatewayCall } from './exchange.ts';
import type { Log } from './log.ts';
import type { Origins } from './origin.ts';
import { type Call, GatewayError, type UpgradeService } from './service.ts';
import type { Throttle } from './throttle.ts';

export interface UpgradeFrontParts {
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

/** Serves WebSocket upgrades: signed like any AWS call, with an empty body, and authorized before the service sees them. */
export class UpgradeFront {
  readonly #parts: UpgradeFrontParts;

  constructor(parts: UpgradeFrontParts) {
    this.#parts = parts;
  }

  async serve(exchange: Exchange, socket: Duplex, head: Buffer): Promise<void> {
    const { request } = exchange;
    socket.on('error', () => socket.destroy());
    try {
      const [service, call] = await this.#admit(request, exchange);
      exchange.status = 101;
      service.accept(request, socket, head, call);
    } catch (error) {
      const wire = wireErrorOf(error, 'aws-json');
      if (wire === undefined) this.#parts.log.error({ requestId: exchange.requestId, err: error }, 'an upgrade failed');
      const code = wire?.code ?? 'ServerException';
      exchange.errorCode = code;
      exchange.status = statusOf(error);
      const message = wire?.message ?? 'The connection could not be set up because of an error of the server.';
      // Agents look for a member named after the error, SDKs for `__type`.
      refuse(socket, exchange, JSON.stringify({ __type: code, message, [code]: message }));
    }
  }

  async #admit(request: IncomingMessage, exchange: Exchange): Promise<readonly [UpgradeService, Call]> {
    const { services, verifier, authorizer, throttle, origins, clock, region, account } = this.#parts;
    const target = request.url ?? '/';
    const at = target.indexOf('?');
    const service = services.get(at === -1 ? target : target.slice(0, at));
    if (service === undefined) throw new GatewayError('not-found', 'there is nothing at this path');
    exchange.service = service.service;
    exchange.operation = `WS ${service.path}`;
    const signed = readSignature({ method: request.method ?? '', target, rawHeaders: request.rawHeaders });
    exchange.via = 'sigv4';
    try {
      const opened = await verifier.open(signed, { service: service.service, regions: [region], presigned: false });
      exchange.principal = opened.finish(new Uint8Array(0));
    } catch (error) {
      if (!(error instanceof SignatureError))
        throw new GatewayError('unavailable', 'the credentials could not be checked', 1);
      exchange.detail = error.detail;
      await throttle.failed(exchange, signed.claim.accessKeyId);
      throw error;
    }
    await throttle.admit(exchange);
    const call = new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(request, true),
      now: clock.now(),
    });
    const list = await service.access(new URLSearchParams(at === -1 ? '' : target.slice(at + 1)), call);
    const denied = await firstDenied(authorizer, exchange, call, list);
    if (denied !== undefined) throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
    return [service, call];
  }
}

function statusOf(error: unknown): number {
  const wire = wireErrorOf(error, 'aws-json');
  if (error instanceof SignatureError) return 401;
  if (error instanceof GatewayError)
    return { denied: 403, 'not-found': 404, throttled: 429 }[error.kind as string] ?? wire?.status ?? 400;
  return wire === undefined ? 500 : (wire.status ?? 400);
}

function refuse(socket: Duplex, exchange: Exchange, body: string): void {
  if (!socket.writable) return;
  const { status, requestId } = exchange;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `x-amzn-requestid: ${requestId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
