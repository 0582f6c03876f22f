import type { AccessRequest } from './access.ts';
import type { Decision } from './authorizer.ts';
import type { Principal } from './principal.ts';

/** A secret of one host among several with the same keys. AWS has no such header: clients that know of it send it with every request. */
export const hostSecretHeader = 'x-slipway-host-secret';

/** What every handler is told about the request. Handlers never see headers and never check permissions by hand. */
export interface Call {
  readonly requestId: string;
  readonly principal: Principal;
  /** The account that the operation works on: the caller's own. */
  readonly account: string;
  readonly region: string;
  /** Where the client reached us, scheme and authority, e.g. `http://127.0.0.1:7500`; for URIs that are handed back. */
  readonly endpoint: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** What the caller adds to its keys to show which of a principal's hosts it is ({@link hostSecretHeader}); never logged. */
  readonly hostSecret?: string | undefined;
  /** A page of the console asks: it shows what it is told, and uses nothing of it. */
  readonly isBrowser?: boolean;
  readonly time: Date;
  /**
   * Keeps for the audit line what a handler itself has asked of the authorizer. Decisions that differ in nothing but their resources are
   * one there. Only where the request has such a line.
   */
  noted?(access: AccessRequest, decision: Decision): void;
  /** Aborts when the client goes away or the time limit of the request is over. */
  readonly signal: AbortSignal;
}
