import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Span } from '@slipway/storage/telemetry';
import {
  type AccessRequest,
  type Call,
  type Decision,
  hostSecretHeader,
  type Principal,
  type ProvenCaller,
  type ResourceRef,
} from '../contract/index.ts';
import type { Repeatable } from './repeats.ts';

/** The status in the audit line when nobody was left to answer to. */
export const goneStatus = 499;

/** Nobody: a caller without credentials. */
export const anonymous: Principal = { type: 'anonymous', account: '', arn: '*', id: '' };

/** What was decided while a request was served, in order; the audit line's matter. */
export interface Judged {
  readonly access: AccessRequest;
  readonly decision: Decision;
}

/** One request and all that is learned about it on the way; the log line, the audit line and the metrics come from here. */
export class Exchange {
  readonly requestId = randomUUID();
  readonly request: IncomingMessage;
  readonly response: ServerResponse | undefined;
  readonly startedAt: number;
  readonly sourceIp: string;
  service = 'gateway';
  operation = '';
  principal: Principal = anonymous;
  /** How the caller proved who it is. */
  via: 'none' | 'sigv4' | 'presigned' | 'basic' | 'bearer' | ProvenCaller['via'] = 'none';
  judged: Judged[] = [];
  status = 0;
  /** The error's code, and for the audit line only, what callers may not learn about it. */
  errorCode: string | undefined;
  detail: string | undefined;
  /** Characters of the detail that the audit line keeps. */
  longestDetail = 512;
  /** The earlier answer that was given again, if one was. */
  again: Repeatable | undefined;
  /** The request's span, where there are traces. */
  span: Span | undefined;

  constructor(request: IncomingMessage, response: ServerResponse | undefined, startedAt: number, sourceIp: string) {
    this.request = request;
    this.response = response;
    this.startedAt = startedAt;
    this.sourceIp = sourceIp;
  }

  /**
   * The decision that the answer came of: of a refused request the last that denied, of another one the last that allowed. Handlers ask
   * for things that an answer only goes without where they are denied. Undefined when there is none such.
   */
  get decisive(): Judged | undefined {
    const denied = this.status >= 400 ? this.judged.findLast(({ decision }) => !decision.allowed) : undefined;
    return denied ?? this.judged.findLast(({ decision }) => decision.allowed);
  }
}

/** The {@link Call} of a request; the abort signal costs something and few handlers ask for it, so it is made on demand. */
export class GatewayCall implements Call {
  readonly requestId: string;
  readonly principal: Principal;
  readonly account: string;
  readonly region: string;
  readonly endpoint: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly hostSecret: string | undefined;
  readonly isBrowser: boolean;
  readonly time: Date;
  readonly #exchange: Exchange;
  readonly #milliseconds: number | undefined;
  #signal: AbortSignal | undefined;
  #noted: Map<string, ResourceRef[]> | undefined;

  constructor(
    exchange: Exchange,
    facts: {
      readonly account: string;
      readonly region: string;
      readonly endpoint: string;
      readonly now: number;
      readonly milliseconds?: number;
    },
  ) {
    this.requestId = exchange.requestId;
    this.principal = exchange.principal;
    this.account = exchange.principal.account === '' ? facts.account : exchange.principal.account;
    this.region = facts.region;
    this.endpoint = facts.endpoint;
    this.sourceIp = exchange.sourceIp;
    this.userAgent = (exchange.request.headers['user-agent'] ?? '').slice(0, 512);
    const hostSecret = exchange.request.headers[hostSecretHeader];
    this.hostSecret = typeof hostSecret === 'string' && hostSecret !== '' ? hostSecret : undefined;
    this.isBrowser = exchange.via === 'browser';
    this.time = new Date(facts.now);
    this.#exchange = exchange;
    this.#milliseconds = facts.milliseconds;
  }

  noted({ action, resources }: AccessRequest, decision: Decision): void {
    const { allowed, reason, statement } = decision;
    const kind = JSON.stringify([action, allowed, reason, statement?.policy, statement?.statement]);
    this.#noted ??= new Map();
    let kept = this.#noted.get(kind);
    if (kept === undefined) {
      this.#noted.set(kind, (kept = []));
      this.#exchange.judged.push({ access: { action, resources: kept }, decision });
    }
    // Their names are all that the line has.
    for (const { arn } of resources) kept.push({ arn });
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      const { response, request } = this.#exchange;
      const gone = (): void => {
        if (response === undefined || !response.writableFinished) controller.abort(new Error('the client went away'));
      };
      if (request.destroyed && response?.destroyed === true) gone();
      (response ?? request.socket).once('close', gone);
      this.#signal =
        this.#milliseconds === undefined
          ? controller.signal
          : AbortSignal.any([controller.signal, AbortSignal.timeout(this.#milliseconds)]);
    }
    return this.#signal;
  }
}
