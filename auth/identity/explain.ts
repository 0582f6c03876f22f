import type { AccessRequest, Call } from '../contract/index.ts';
import { explain, type PolicyLayer, type StatementFinding } from '../policy/index.ts';
import { policyRequest } from './authorizer.ts';
import type { Caller, Disowned } from './caller.ts';

/** Everything `slipway auth explain` prints about one resource of a request. */
export interface AccessExplanation {
  /** Who: the ARN. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly allowed: boolean;
  readonly outcome: 'allowed' | 'explicitDeny' | 'implicitDeny';
  /** Why, finishing "… because" (or "… with" for an explicit deny). */
  readonly reason: string;
  /** Whose word it was; absent when no policy was asked. */
  readonly layer?: PolicyLayer;
  /** The statement that decided, e.g. `ReadTeamA of inline:pull`. */
  readonly decidedBy?: { readonly policy: string; readonly statement: string };
  /** Every policy that was looked at, and what it is to the request. */
  readonly considered: readonly { readonly layer: string; readonly policy: string }[];
  /** Every statement, whether it matched, and if not why. */
  readonly statements: readonly StatementFinding[];
  /** Condition keys that statements about this action and resource ask for and the request does not have. */
  readonly missingKeys: readonly string[];
}

/** Explains a request resource by resource. */
export function explainAccess(
  caller: Caller | Disowned,
  principal: string,
  access: AccessRequest,
  call: Call,
): AccessExplanation[] {
  const resources = access.resources.length === 0 ? [{ arn: '*' }] : access.resources;
  return resources.map((resource) => {
    const subject = { principal, action: access.action, resource: resource.arn };
    if ('disowned' in caller) {
      return {
        ...subject,
        allowed: false,
        outcome: 'implicitDeny',
        reason: caller.disowned,
        considered: [],
        statements: [],
        missingKeys: [],
      };
    }
    const { decision, findings, missingKeys } = explain(caller.policies, policyRequest(caller, access, resource, call));
    return {
      ...subject,
      allowed: decision.allowed,
      outcome: decision.outcome,
      reason: decision.reason,
      ...(decision.layer === undefined ? {} : { layer: decision.layer }),
      ...(decision.statement === undefined
        ? {}
        : { decidedBy: { policy: decision.statement.name, statement: decision.statement.statement } }),
      considered: decision.considered.map(({ layer, name }) => ({ layer, policy: name })),
      statements: findings,
      missingKeys,
    };
  });
}
