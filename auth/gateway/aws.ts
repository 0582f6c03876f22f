import type { IncomingMessage } from 'node:http';
import type { Clock } from '@slipway/storage/clock';
import { codecFor, type OperationModel, parseQuery, type QueryRequest, type WireAnswer } from '../protocol/index.ts';
import { readSignature, SignatureError, SignatureVerifier, type SignedRequest } from '../sigv4/index.ts';
import { deniedMessage, firstDenied } from './authorize.ts';
import { type Authorizer, awsJson, awsQuery, type Call, GatewayError, type Log } from '../contract/index.ts';
import { internalError, wireErrorOf } from './aws-errors.ts';
import type { AwsRoute, AwsRoutes, AwsServiceFront } from './aws-routes.ts';
import { type Bodies, isEncoded } from './body.ts';
import { type Exchange, GatewayCall } from './exchange.ts';
import { ec2Answer, notServed, speaksEc2 } from './not-served.ts';
import type { Limits } from './options.ts';
import type { Origins } from './origin.ts';
import type { Throttle } from './throttle.ts';

export interface AwsFrontParts {
  readonly routes: AwsRoutes;
  readonly verifier: SignatureVerifier;
  readonly authorizer: Authorizer;
  readonly throttle: Throttle;
  readonly bodies: Bodies;
  readonly origins: Origins;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly region: string;
  readonly account: string;
  readonly limits: Limits;
}

/** An AWS answer with what goes into its head. */
export interface AwsAnswer extends WireAnswer {
  readonly retryAfter?: number;
}

type Opened = Awaited<ReturnType<SignatureVerifier['open']>>;
type Kind = 'aws-json' | 'aws-query';

/** What is known of a request so far; an error is worded with it. */
interface Progress {
  readonly kind: Kind;
  service: AwsServiceFront | undefined;
  /** Whether it is a call of EC2, which has its own form of errors. */
  ec2?: boolean;
}

/** Serves `POST /` (and presigned `GET /`): verify, decode, validate, authorize, run, encode. The same for every operation. */
export class AwsFront {
  readonly #parts: AwsFrontParts;

  constructor(parts: AwsFrontParts) {
    this.#parts = parts;
  }

  /** Answers one call; every error becomes an answer in the caller's protocol. */
  async serve(exchange: Exchange): Promise<AwsAnswer> {
    exchange.service = 'aws';
    const target = exchange.request.headers['x-amz-target'];
    const progress: Progress = { kind: typeof target === 'string' ? 'aws-json' : 'aws-query', service: undefined };
    try {
      return typeof target === 'string'
        ? await this.#json(exchange, target, progress)
        : await this.#query(exchange, progress);
    } catch (error) {
      return this.#failed(error, exchange, progress);
    }
  }

  async #json(exchange: Exchange, target: string, progress: Progress): Promise<AwsAnswer> {
    const { request } = exchange;
    const route = this.#parts.routes.byTarget(target);
    progress.service = route?.service ?? this.#parts.routes.serviceOfTarget(target);
    if (progress.service !== undefined) exchange.service = progress.service.definition.name;
    if (progress.service === undefined) throw notServed(target.split('.', 1)[0] ?? '', this.#parts.routes.names);
    if (route === undefined)
      throw new GatewayError('not-found', `The operation ${target.slice(0, 200)} is not supported`);
    exchange.operation = route.name;
    const signed = this.#signature(request, exchange, route);
    const opened = signed && (await this.#open(signed, route.service, exchange));
    const limit = signed === undefined ? this.#parts.limits.unsignedBytes : route.bodyBytes;
    const body = await this.#body(exchange, opened, signed, limit);
    return this.#run(exchange, route, body, progress);
  }

  async #query(exchange: Exchange, progress: Progress): Promise<AwsAnswer> {
    const { request } = exchange;
    const { routes, limits } = this.#parts;
    const signed = this.#signature(request, exchange, undefined);
    progress.service = signed && routes.queryService(signed.claim.scope.service, undefined);
    if (progress.service !== undefined) exchange.service = progress.service.definition.name;
    if (signed !== undefined && progress.service === undefined) {
      const { service } = signed.claim.scope;
      if (speaksEc2(service)) progress.ec2 = true;
      if (!routes.names.includes(service)) throw notServed(service, routes.names);
      throw new SignatureError(
        'mismatch',
        'Credential should be scoped to correct service.',
        `scope service is ${signed.claim.scope.service.slice(0, 64)}`,
      );
    }
    const opened = signed && progress.service && (await this.#open(signed, progress.service, exchange));
    const limit = signed === undefined ? limits.unsignedBytes : limits.bodyBytes;
    const form = formOf(request, await this.#body(exchange, opened, signed, limit));
    const route = this.#action(form, progress);
    exchange.operation = route.name;
    if (signed === undefined && route.operation.access !== 'anonymous') {
      throw new SignatureError('missing', 'Request is missing Authentication Token');
    }
    return this.#run(exchange, route, form, progress);
  }

  /** The whole body of a call whose signature stands, or that has none. @param limit bytes, as received and decoded */
  async #body(
    exchange: Exchange,
    opened: Opened | undefined,
    signed: SignedRequest | undefined,
    limit: number,
  ): Promise<Buffer> {
    const { bodies } = this.#parts;
    if (signed === undefined && isEncoded(exchange.request))
      throw new GatewayError('bad-request', 'A body without a signature must come without a Content-Encoding');
    const raw = await bodies.read(exchange, limit);
    await this.#finish(opened, signed, raw, exchange);
    return bodies.decode(exchange, raw, limit);
  }

  #action(form: QueryRequest, progress: Progress): AwsRoute {
    const { action, version } = form;
    if (action === undefined) throw new GatewayError('not-found', 'The request holds no Action');
    const route = version === undefined ? undefined : this.#parts.routes.byAction(version, action);
    if (route === undefined || (progress.service !== undefined && route.service !== progress.service)) {
      const shown = (version ?? 'NO_VERSION_SPECIFIED').slice(0, 100);
      throw new GatewayError('not-found', `Could not find operation ${action.slice(0, 100)} for version ${shown}`);
    }
    progress.service = route.service;
    return route;
  }

  /** The request's signature; undefined when it has none and the operation needs none (or that is not known yet). */
  #signature(request: IncomingMessage, exchange: Exchange, route: AwsRoute | undefined): SignedRequest | undefined {
    try {
      const signed = readSignature({
        method: request.method ?? '',
        target: request.url ?? '/',
        rawHeaders: request.rawHeaders,
      });
      exchange.via = signed.claim.kind === 'presigned' ? 'presigned' : 'sigv4';
      return signed;
    } catch (error) {
      const missing = error instanceof SignatureError && error.problem === 'missing';
      if (missing && (route === undefined || route.operation.access === 'anonymous')) return undefined;
      throw error;
    }
  }

  async #open(signed: SignedRequest, service: AwsServiceFront, exchange: Exchange): Promise<Opened> {
    const presigned = service.definition.protocol.kind === 'aws-query';
    return this.#counted(exchange, signed, () =>
      this.#parts.verifier.open(signed, { service: service.definition.name, regions: service.regions, presigned }),
    );
  }

  async #finish(
    opened: Opened | undefined,
    signed: SignedRequest | undefined,
    raw: Buffer,
    exchange: Exchange,
  ): Promise<void> {
    if (opened !== undefined && signed !== undefined) {
      try {
        exchange.principal = opened.finish(raw);
      } catch (error) {
        await this.#countFailure(exchange, signed, error);
        throw error;
      }
    }
    const admitted = this.#parts.throttle.admit(exchange);
    if (admitted !== undefined) await admitted;
  }

  async #counted<T>(exchange: Exchange, signed: SignedRequest, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.#countFailure(exchange, signed, error);
      if (error instanceof SignatureError) throw error;
      // The store of credentials failed: nobody may be let in, and nobody be told that their key is wrong.
      exchange.detail = `credentials could not be read: ${error instanceof Error ? error.message : 'unknown'}`;
      throw new GatewayError('unavailable', 'The service is unavailable; try again.', 1);
    }
  }

  async #countFailure(exchange: Exchange, signed: SignedRequest, error: unknown): Promise<void> {
    if (!(error instanceof SignatureError)) return;
    exchange.detail = `${error.detail} (access key ${signed.claim.accessKeyId.slice(0, 32)})`;
    await this.#parts.throttle.failed(exchange, signed.claim.accessKeyId);
  }

  async #run(exchange: Exchange, route: AwsRoute, wire: Buffer | QueryRequest, progress: Progress): Promise<AwsAnswer> {
    const { authorizer, clock, region, account, origins, limits } = this.#parts;
    const { service, operation } = route;
    progress.service = service;
    exchange.service = service.definition.name;
    const { operations } = service.model ?? (await service.load());
    const model = operations.get(route.name) as OperationModel;
    const input = service.codec.decode(model, wire, service.definition.constraints ?? {}) as never;
    const call: Call = new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(exchange.request, exchange.via !== 'none'),
      now: clock.now(),
      milliseconds: limits.callSeconds * 1000,
    });
    if (typeof operation.access === 'function') {
      const denied = await firstDenied(authorizer, exchange, call, await operation.access(input, call));
      if (denied !== undefined) throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
    }
    return service.codec.encode(model, await operation.handle(input, call), exchange.requestId);
  }

  #failed(error: unknown, exchange: Exchange, { kind, service, ec2 }: Progress): AwsAnswer {
    let wire = wireErrorOf(error, kind, service);
    if (wire === undefined) {
      this.#parts.log.error(
        { requestId: exchange.requestId, service: exchange.service, operation: exchange.operation, err: error },
        'an operation failed',
      );
      wire = internalError(kind, service, exchange.requestId);
    }
    exchange.errorCode = wire.code;
    if (ec2 === true) return ec2Answer(wire, exchange.requestId);
    const codec =
      service?.codec ?? codecFor(kind === 'aws-json' ? awsJson('1.1', '') : awsQuery('', 'http://slipway/'));
    const answer = codec.error(wire, service?.model, exchange.requestId);
    const retryAfter = error instanceof GatewayError ? error.retryAfter : undefined;
    return retryAfter === undefined ? answer : { ...answer, retryAfter };
  }
}

/** The form of a POST is its body; of a presigned GET, its query. */
function formOf({ url: target = '/' }: IncomingMessage, body: Buffer): QueryRequest {
  if (body.byteLength > 0) return parseQuery(body.toString('utf8'));
  const at = target.indexOf('?');
  return parseQuery(at === -1 ? '' : target.slice(at + 1));
}
