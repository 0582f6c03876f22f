import type { AccessRequest } from './access.ts';
import type { Decision } from './authorizer.ts';
import type { Call } from './call.ts';

/** A request that policies refused, as the front door saw it. */
export interface Denial {
  readonly service: string;
  readonly operation: string;
  /** How the caller proved who it is. */
  readonly via: string;
  /** What was asked for, with what of its resources counted, and what was decided. */
  readonly access: AccessRequest;
  readonly decision: Decision;
  /** Who asked, from where and when, and the id that the answer had. */
  readonly call: Call;
}

/** Where refusals go, so that they can be explained later. Must not throw and must not block. */
export interface DenialSink {
  write(denial: Denial): void;
}
