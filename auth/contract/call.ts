import type { Principal } from './principal.ts';

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
  readonly time: Date;
  /** Aborts when the client goes away or the time limit of the request is over. */
  readonly signal: AbortSignal;
}
