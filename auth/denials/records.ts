import type { Denial } from '../contract/index.ts';
import type { AccessExplanation, StatementFinding } from '../identity/index.ts';

/** What is kept of a refusal: names and decisions, nothing of what the request carried. */
export interface DenialRecord {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly service: string;
  readonly operation: string;
  readonly via: string;
  /** ARN of whoever was refused. */
  readonly principal: string;
  readonly sourceIp: string;
  readonly action: string;
  readonly resources: readonly string[];
  /** Resources beyond those. */
  readonly resourcesLeftOut: number;
  /** As the caller was told it, after "because" (or "with"). */
  readonly reason: string;
  /** What each policy said when it was refused; empty where that could not be told, and about resources of other accounts. */
  readonly explanations: readonly AccessExplanation[];
  /** Statements beyond those of `explanations`; they are about other actions, or there are too many. */
  readonly statementsLeftOut: number;
}

/** A request may be about hundreds of resources; the first refused one decides. */
const mostResources = 5;
const mostStatements = 100;
const mostPolicies = 100;
/** Characters of a text: an ARN has at most 2,048, an explanation of a condition all its values. */
const mostOfText = 2048;

const cut = (text: string): string => (text.length > mostOfText ? `${text.slice(0, mostOfText)}…` : text);

/** The resource that decided comes first: it is what people ask about. */
export function resourcesOf({ access, decision }: Denial): Denial['access']['resources'] {
  const { resources } = access;
  const decided = resources.filter(({ arn }) => arn === decision.resource);
  return [...decided, ...resources.filter(({ arn }) => arn !== decision.resource)].slice(0, mostResources);
}

/** Policies of resources. To read them takes a right of its own (`iam:GetRole`, `kms:GetKeyPolicy`), and what a condition asks for may be a secret. */
const ofResources: readonly string[] = ['resource', 'trust'];

/** A statement for whoever may look into the policies of the one that was refused. */
function told(statement: StatementFinding): StatementFinding {
  const { because, layer, missed } = statement;
  if (because === undefined) return statement;
  return {
    ...statement,
    because: missed === 'condition' && ofResources.includes(layer) ? 'its condition does not hold' : cut(because),
  };
}

/** A record of bounded size, whatever the policies are. @param explanations of those of {@link resourcesOf} that may be explained */
export function recordOf(denial: Denial, explanations: readonly AccessExplanation[]): DenialRecord {
  const { service, operation, via, access, decision, call } = denial;
  let left = mostStatements;
  let leftOut = 0;
  // Policies may have changed meanwhile: what would be allowed now says nothing of the refusal.
  const shown = explanations
    .filter(({ allowed }) => !allowed)
    .map((one) => {
      // Statements about other actions are most of a large policy, and say nothing.
      const near = one.statements.filter(({ missed }) => missed !== 'action').slice(0, left);
      left -= near.length;
      leftOut += one.statements.length - near.length;
      return {
        ...one,
        resource: cut(one.resource),
        reason: cut(one.reason),
        considered: one.considered.slice(0, mostPolicies),
        statements: near.map(told),
        missingKeys: one.missingKeys.slice(0, mostStatements).map(cut),
      };
    });
  return {
    requestId: call.requestId,
    at: call.time.getTime(),
    service,
    operation,
    via,
    principal: call.principal.arn,
    sourceIp: call.sourceIp,
    action: access.action,
    resources: resourcesOf(denial).map(({ arn }) => cut(arn)),
    resourcesLeftOut: Math.max(0, access.resources.length - mostResources),
    reason: cut(decision.reason),
    explanations: shown,
    statementsLeftOut: leftOut,
  };
}
