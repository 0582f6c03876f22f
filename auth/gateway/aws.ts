import type { IncomingMessage } from 'node:http';
import type { Clock } from '@slipway/storage/clock';
import {
  type Codec,
  codecFor,
  encodeException,
  type OperationModel,
  parseQuery,
  type QueryRequest,
  streamOf,
  type WireAnswer,
  type WireError,
  type WireRequest,
} from '../protocol/index.ts';
import { readSignature, SignatureError, SignatureVerifier, type SignedRequest } from '../sigv4/index.ts';
import { deniedMessage, firstDenied, refuseForeseen } from './authorize.ts';
import {
  type AccessList,
  type BrowserCalls,
  type Call,
  type FrontAuthorizer,
  GatewayError,
  type Log,
  type WireProtocol,
} from '../contract/index.ts';
import { internalError, wireErrorOf } from './aws-errors.ts';
import type { AwsRoute, AwsRoutes, AwsServiceFront, ProtocolKind } from './aws-routes.ts';
import { type Bodies, isEncoded } from './body.ts';
import { asksOnly, browserCaller } from './browser-caller.ts';
import { type Exchange, GatewayCall } from './exchange.ts';
import { notServed, speaksEc2 } from './not-served.ts';
import type { Limits } from './options.ts';
import type { Origins } from './origin.ts';
import { unverified } from './signed-caller.ts';
import type { Throttle } from './throttle.ts';

export interface AwsFrontPorts {
  readonly routes: AwsRoutes;
  readonly verifier: SignatureVerifier;
  readonly authorizer: FrontAuthorizer;
  readonly throttle: Throttle;
  readonly bodies: Bodies;
  readonly origins: Origins;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly region: string;
  readonly account: string;
  readonly limits: Limits;
  readonly browser?: BrowserCalls | undefined;
}

/** An AWS answer with what goes into its head. */
export interface AwsAnswer extends WireAnswer {
  readonly retryAfter?: number;
}

type Opened = Awaited<ReturnType<SignatureVerifier['open']>>;

/** What is known of a request so far; an error is worded with it. */
interface Progress {
  kind: ProtocolKind;
  service: AwsServiceFront | undefined;
  codec: Codec | undefined;
}

/** Serves AWS calls of every protocol: verify, decode, validate, authorize, run, encode. The same for every operation. */
export class AwsFront {
  readonly #ports: AwsFrontPorts;

  constructor(ports: AwsFrontPorts) {
    this.#ports = ports;
  }

  /** Answers one call; every error becomes an answer in the caller's protocol. */
  async serve(exchange: Exchange): Promise<AwsAnswer> {
    exchange.service = 'aws';
    const { url = '/', headers } = exchange.request;
    const [path = '/'] = url.split('?', 1);
    const target = headers['x-amz-target'];
    const progress: Progress = { kind: 'aws-query', service: undefined, codec: undefined };
    try {
      if (path === this.#ports.browser?.path) return await this.#fromBrowser(exchange, this.#ports.browser, progress);
      if (path !== '/') {
        progress.kind = isRpc(exchange.request) ? 'rpc-v2-cbor' : 'rest-json';
        return await (progress.kind === 'rest-json'
          ? this.#rest(exchange, path, progress)
          : this.#rpc(exchange, this.#ports.routes.byRpcPath(path), path, progress));
      }
      if (typeof target !== 'string') return await this.#query(exchange, progress);
      progress.kind = 'aws-json';
      note(progress, this.#ports.routes.serviceOfTarget(target), exchange);
      if (progress.service === undefined) throw notServed(target.split('.', 1)[0] ?? '', this.#ports.routes.names);
      return await this.#rpc(exchange, this.#ports.routes.byTarget(target), target, progress);
    } catch (error) {
      return this.#failed(error, exchange, progress);
    }
  }

  /** An operation that the request's head names. @param named what it names, for who asks for something that is not there */
  async #rpc(exchange: Exchange, route: AwsRoute | undefined, named: string, progress: Progress): Promise<AwsAnswer> {
    if (route === undefined)
      throw new GatewayError('not-found', `The operation ${named.slice(0, 200)} is not supported`);
    return this.#run(exchange, route, await this.#proven(exchange, route, progress), progress);
  }

  /** A call of a browser's session: JSON whatever the service speaks itself, and decided like every other call. */
  async #fromBrowser(exchange: Exchange, browser: BrowserCalls, progress: Progress): Promise<AwsAnswer> {
    const { bodies, routes, throttle } = this.#ports;
    const { request } = exchange;
    progress.kind = 'aws-json';
    await browserCaller(exchange, browser, this.#ports);
    const admitted = throttle.admit(exchange);
    if (admitted !== undefined) await admitted;
    if (isEncoded(request))
      throw new GatewayError('bad-request', 'A call of a browser comes without a Content-Encoding');
    const { 'x-amz-target': named } = request.headers;
    const target = typeof named === 'string' ? named.slice(0, 200) : '';
    const [version = '', action = ''] = target.split('/', 2);
    const found = routes.byTarget(target) ?? routes.byAction(version, action);
    if (found === undefined) throw new GatewayError('not-found', `The operation ${target} is not supported`);
    const route = { ...found, codec: browserCodec };
    note(progress, route, exchange);
    exchange.operation = route.name;
    const body = await bodies.read(exchange, route.bodyBytes);
    if (body.byteLength > cheapBytes) await this.#foresee(exchange, route.needs);
    return this.#run(exchange, route, body, progress, asksOnly(exchange));
  }

  async #rest(exchange: Exchange, path: string, progress: Progress): Promise<AwsAnswer> {
    const { method = '', url = '', headers } = exchange.request;
    const owner = await this.#ports.routes.byPath(method, path);
    note(progress, owner?.speaker, exchange);
    if (owner?.found === undefined)
      throw new GatewayError('not-found', `There is no operation ${method} ${path.slice(0, 200)}`);
    const { route, labels } = owner.found;
    const body = await this.#proven(exchange, route, progress);
    return this.#run(exchange, route, { labels, query: url.slice(path.length + 1), headers, body }, progress);
  }

  /** The body of a call whose operation is known, after its signature, where it must have one, was verified. */
  async #proven(exchange: Exchange, route: AwsRoute, progress: Progress): Promise<Buffer> {
    note(progress, route, exchange);
    exchange.operation = route.name;
    const signed = this.#signature(exchange.request, exchange, route);
    const opened = signed && (await this.#open(signed, route.service, false, exchange));
    const limit = signed === undefined ? this.#ports.limits.unsignedBytes : route.bodyBytes;
    return this.#body(exchange, opened, signed, limit, route.needs);
  }

  async #query(exchange: Exchange, progress: Progress): Promise<AwsAnswer> {
    const { request } = exchange;
    const { routes, limits } = this.#ports;
    const signed = this.#signature(request, exchange, undefined);
    const speaker = signed && routes.queryService(signed.claim.scope.service);
    note(progress, speaker, exchange);
    if (signed !== undefined && speaker === undefined) {
      const { service } = signed.claim.scope;
      if (speaksEc2(service)) progress.kind = 'ec2-query';
      if (!routes.names.includes(service)) throw notServed(service, routes.names);
      throw new SignatureError(
        'mismatch',
        'Credential should be scoped to correct service.',
        `scope service is ${signed.claim.scope.service.slice(0, 64)}`,
      );
    }
    if (speaker !== undefined) progress.kind = speaker.kind;
    const opened = signed && speaker && (await this.#open(signed, speaker.service, true, exchange));
    const limit = signed === undefined ? limits.unsignedBytes : limits.bodyBytes;
    const body = await this.#body(exchange, opened, signed, limit);
    const form = formOf(request, body);
    const route = this.#action(form, signed?.claim.scope.service, exchange, progress);
    if (signed === undefined && route.operation.access !== 'anonymous') {
      throw new SignatureError('missing', 'Request is missing Authentication Token');
    }
    if (body.byteLength > cheapBytes) await this.#foresee(exchange, route.needs);
    return this.#run(exchange, route, form, progress);
  }

  /**
   * The whole body of a call whose signature stands, or that has none.
   * @param limit bytes, as received and decoded
   * @param needs what the caller must be allowed whatever is in it, where the head says that
   */
  async #body(
    exchange: Exchange,
    opened: Opened | undefined,
    signed: SignedRequest | undefined,
    limit: number,
    needs?: string,
  ): Promise<Buffer> {
    const { bodies } = this.#ports;
    if (signed === undefined && isEncoded(exchange.request))
      throw new GatewayError('bad-request', 'A body without a signature must come without a Content-Encoding');
    const raw = await bodies.read(exchange, limit);
    await this.#finish(opened, signed, raw, exchange);
    if (isEncoded(exchange.request) || raw.byteLength > cheapBytes) await this.#foresee(exchange, needs);
    return bodies.decode(exchange, raw, limit);
  }

  /** Refuses who can never do what a call is for, before more is made of its body. */
  async #foresee(exchange: Exchange, needs: string | undefined): Promise<void> {
    if (needs !== undefined) await refuseForeseen(this.#ports.authorizer, exchange, needs);
  }

  /** What version and action mean; the signature must be for the service they are of. @param signedFor undefined: it has none */
  #action(form: QueryRequest, signedFor: string | undefined, exchange: Exchange, progress: Progress): AwsRoute {
    const { action, version } = form;
    if (action === undefined) throw new GatewayError('not-found', 'The request holds no Action');
    const route = version === undefined ? undefined : this.#ports.routes.byAction(version, action);
    if (route === undefined || (signedFor !== undefined && route.service.definition.name !== signedFor)) {
      const shown = (version ?? 'NO_VERSION_SPECIFIED').slice(0, 100);
      throw new GatewayError('not-found', `Could not find operation ${action.slice(0, 100)} for version ${shown}`);
    }
    note(progress, route, exchange);
    exchange.operation = route.name;
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

  async #open(
    signed: SignedRequest,
    service: AwsServiceFront,
    presigned: boolean,
    exchange: Exchange,
  ): Promise<Opened> {
    const { verifier, throttle } = this.#ports;
    try {
      return await verifier.open(signed, { service: service.definition.name, regions: service.regions, presigned });
    } catch (error) {
      throw await unverified(error, exchange, throttle, signed.claim.accessKeyId);
    }
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
        throw await unverified(error, exchange, this.#ports.throttle, signed.claim.accessKeyId);
      }
    }
    const admitted = this.#ports.throttle.admit(exchange);
    if (admitted !== undefined) await admitted;
  }

  /** @param onlyAsks whether the caller wants to know no more than whether it may: what the call is for is then not done */
  async #run(
    exchange: Exchange,
    route: AwsRoute,
    wire: WireRequest,
    progress: Progress,
    onlyAsks = false,
  ): Promise<AwsAnswer> {
    const { authorizer, clock, region, account, origins, limits } = this.#ports;
    const { service, codec, operation } = route;
    const { operations } = service.model ?? (await service.load());
    const model = operations.get(route.name) as OperationModel;
    const input = codec.decode(model, wire, service.definition.constraints ?? {}) as never;
    const call: Call = new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(exchange.request, exchange.via !== 'none'),
      now: clock.now(),
      // A stream of events lasts as long as its caller listens, or its operation says.
      ...(streamOf(model) === undefined ? { milliseconds: limits.callSeconds * 1000 } : {}),
    });
    if (typeof operation.access === 'function') {
      const list: AccessList = await operation.access(input, call);
      if (route.needs !== undefined && list.every(({ action }) => action !== route.needs))
        throw new Error(`${route.name} was thought to need ${route.needs}: mend the 'needs' of its service`);
      const denied = await firstDenied(authorizer, exchange, call, list);
      if (denied !== undefined) throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
    }
    if (onlyAsks) return allowed;
    const answer = codec.encode(model, await operation.handle(input, call), exchange.requestId);
    return Buffer.isBuffer(answer.body) ? answer : { ...answer, body: this.#whole(answer.body, exchange, progress) };
  }

  #failed(error: unknown, exchange: Exchange, progress: Progress): AwsAnswer {
    const { codec = codecFor(unknown[progress.kind]), service } = progress;
    const answer = codec.error(this.#wireError(error, exchange, progress), service?.model, exchange.requestId);
    const retryAfter = error instanceof GatewayError ? error.retryAfter : undefined;
    return retryAfter === undefined ? answer : { ...answer, retryAfter };
  }

  /** Words an error for the caller; what is ours to know is logged. */
  #wireError(error: unknown, exchange: Exchange, { kind, service, codec }: Progress): WireError {
    let wire = wireErrorOf(error, kind, service, codec);
    if (wire === undefined) {
      this.#ports.log.error(
        { requestId: exchange.requestId, service: exchange.service, operation: exchange.operation, err: error },
        'an operation failed',
      );
      wire = internalError(kind, service, exchange.requestId);
    }
    exchange.errorCode = wire.code;
    return wire;
  }

  /** The frames of a stream; an error on the way becomes its last one. */
  async *#whole(frames: AsyncIterable<Buffer>, exchange: Exchange, progress: Progress): AsyncGenerator<Buffer> {
    try {
      yield* frames;
    } catch (error) {
      const { code, message } = this.#wireError(error, exchange, progress);
      yield encodeException(code, { message });
    }
  }
}

/**
 * Bytes of a body that are parsed before anybody asks whether its sender may: they cost less than the question, and the refusal then
 * names the resource, as AWS's does.
 */
const cheapBytes = 16 * 1024;

const browserContentType = 'application/x-amz-json-1.1';
const browserCodec = codecFor({ kind: 'aws-json', version: '1.1', target: '' });
const allowed: AwsAnswer = { status: 200, contentType: browserContentType, body: Buffer.from('{"allowed":true}') };

/** The form of a POST is its body; of a presigned GET, its query. */
function formOf({ url: target = '/' }: IncomingMessage, body: Buffer): QueryRequest {
  if (body.byteLength > 0) return parseQuery(body.toString('utf8'));
  const at = target.indexOf('?');
  return parseQuery(at === -1 ? '' : target.slice(at + 1));
}

/** Whether a request is Smithy's RPC v2 CBOR, which its header says whatever its path. */
export const isRpc = ({ method, headers }: IncomingMessage): boolean =>
  method === 'POST' && headers['smithy-protocol'] === 'rpc-v2-cbor';

/** Takes down who answers, for what goes wrong from here on. */
function note(
  progress: Progress,
  speaker: { readonly service: AwsServiceFront; readonly codec: Codec } | undefined,
  exchange: Exchange,
): void {
  if (speaker === undefined) return;
  progress.service = speaker.service;
  progress.codec = speaker.codec;
  exchange.service = speaker.service.definition.name;
}

/** The protocols as they are spoken to whoever asks for a service that is not known. */
const unknown: Readonly<Record<ProtocolKind, WireProtocol>> = {
  'aws-json': { kind: 'aws-json', version: '1.1', target: '' },
  'aws-query': { kind: 'aws-query', apiVersion: '', xmlNamespace: 'http://slipway/' },
  'ec2-query': { kind: 'ec2-query', apiVersion: '', xmlNamespace: 'http://slipway/' },
  'rest-json': { kind: 'rest-json', prefix: '' },
  'rpc-v2-cbor': { kind: 'rpc-v2-cbor', target: '' },
};
