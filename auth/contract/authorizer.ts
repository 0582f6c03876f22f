import type { AccessRequest } from './access.ts';
import type { Call } from './call.ts';
import type { Principal } from './principal.ts';

/** What was decided about one {@link AccessRequest}, and why. */
export interface Decision {
  readonly allowed: boolean;
  /**
   * Why, in words that finish the sentence `User … is not authorized to perform … on resource … because …`,
   * e.g. `no identity-based policy allows the ecr:PutImage action`. Goes to the caller and to the audit line.
   */
  readonly reason: string;
  /** Whether the denial is an explicit `Deny` statement; undefined when allowed. */
  readonly explicit?: boolean;
  /** The statement that decided; absent when nothing matched. */
  readonly statement?: DecidingStatement;
  /** The resource that decided (the first one that was refused); for the caller's message. */
  readonly resource?: string;
}

/** Names the statement that made a decision, for audit lines and explanations. */
export interface DecidingStatement {
  /** The policy's ARN, or `inline:<name>`, `resource:<arn>`, `session`, `boundary:<arn>`. */
  readonly policy: string;
  /** Its `Sid`, or its place in the policy counted from 0. */
  readonly statement: string;
}

/**
 * Decides whether a principal may do one thing: all resources of the request must be allowed. Deny by default; an
 * authorizer that throws denies (the gateway answers that the service is unavailable and runs no handler).
 *
 * `call` carries what global condition keys need (source IP, time, user agent, the principal's own members);
 * `access.context` carries the operation's own keys and wins over global keys of the same name only where those are unset.
 */
export interface Authorizer {
  authorize(principal: Principal, access: AccessRequest, call: Call): Promise<Decision>;
}

/** An authorizer that can also tell, before a request is read, that it will refuse it. */
export interface FrontAuthorizer extends Authorizer {
  /**
   * The refusal that an action meets whatever it is done to and whatever the condition keys are, as long as no policy of a resource
   * allows it; undefined when that depends on them.
   */
  foresee(principal: Principal, action: string): Promise<Decision | undefined>;
}
