import { arnText } from './arn.ts';
import type { CompiledStatement } from './compile.ts';
import type { ConditionElement } from './document.ts';
import {
  type Decision,
  evaluate,
  layersOf,
  type PolicyLayer,
  type PolicyRequest,
  type PrincipalPolicies,
} from './evaluate.ts';
import { operators } from './operators.ts';
import { matchPrincipal } from './principal.ts';

/** What one statement had to say about a request. */
export interface StatementFinding {
  readonly layer: PolicyLayer;
  readonly policy: string;
  /** `Sid`, or the place counted from 0. */
  readonly statement: string;
  /** The place counted from 0. */
  readonly index: number;
  readonly effect: 'Allow' | 'Deny';
  readonly matched: boolean;
  /** Why it did not match, in words; absent when it did. */
  readonly because?: string;
  /** The first thing about it that did not match. What misses by its condition, or by its resource, is what people look for. */
  readonly missed?: 'action' | 'principal' | 'resource' | 'condition';
}

export interface Explanation {
  readonly decision: Decision;
  readonly findings: readonly StatementFinding[];
  /** Condition keys that statements about this action and resource ask for and the request does not have. */
  readonly missingKeys: readonly string[];
}

/** Decides like {@link evaluate} and tells, statement by statement, what was looked at and why it did or did not match. */
export function explain(policies: PrincipalPolicies, request: PolicyRequest): Explanation {
  const missing = new Set<string>();
  const findings = layersOf(policies, request).flatMap(({ layer, named }) =>
    named.policy.statements.map((statement): StatementFinding => {
      const miss = mismatch(statement, request);
      if (miss === undefined || miss.missed === 'condition') {
        for (const { element, key } of statement.conditions)
          if (request.context(key) === undefined) missing.add(element.key);
      }
      const { sid, index, effect } = statement.source;
      return {
        layer,
        policy: named.name,
        statement: sid === undefined || sid === '' ? String(index) : sid,
        index,
        effect,
        matched: miss === undefined,
        ...miss,
      };
    }),
  );
  return { decision: evaluate(policies, request), findings, missingKeys: [...missing].toSorted() };
}

function mismatch(
  statement: CompiledStatement,
  request: PolicyRequest,
): Required<Pick<StatementFinding, 'missed' | 'because'>> | undefined {
  if (!statement.matchesAction(request.action.toLowerCase()))
    return { missed: 'action', because: `it is not about the action ${request.action}` };
  const element = statement.source.principal;
  const { principal } = request;
  if (element !== undefined && matchPrincipal(element, principal, statement.source.effect) === 'none') {
    const who = principal.type === 'anonymous' ? 'a caller without a login' : principal.arn;
    return { missed: 'principal', because: `its principal is not ${who}` };
  }
  if (!statement.matchesResource(arnText(request.resource), request.context)) {
    return { missed: 'resource', because: `it is not about the resource ${request.resource}` };
  }
  const failed = statement.conditions.find((condition) => !condition.holds(request.context));
  if (failed === undefined) return undefined;
  const value = request.context(failed.key);
  const shown = value === undefined ? 'is not in the request' : `is ${JSON.stringify(value)}`;
  return {
    missed: 'condition',
    because: `its condition on ${failed.element.key} does not hold: the key ${shown}, ${wanted(failed.element)}`,
  };
}

/** What a condition asks for, as its author wrote it. */
function wanted({ operator, quantifier, ifExists, values }: ConditionElement): string {
  const name = `${quantifier === undefined ? '' : `${quantifier}:`}${operators.get(operator)?.name ?? 'Null'}${ifExists ? 'IfExists' : ''}`;
  return `the policy says ${name} ${values.map((value) => JSON.stringify(value)).join(', ')}`;
}
