import { type ArnText, arnText } from './arn.ts';
import type { CompiledPolicy, CompiledStatement } from './compile.ts';
import type { ContextLookup } from './pattern.ts';
import { matchPrincipal, type PolicyPrincipal, type PrincipalMatch } from './principal.ts';

/** What a policy is to a request; also the words AWS uses for it. */
export type PolicyLayer = 'identity' | 'boundary' | 'session' | 'resource' | 'trust' | 'restriction';

/** A policy under the name people know it by: its ARN, or `inline:<name>`, `resource:<arn>`, `session`, … */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: CompiledPolicy;
}

/** Everything attached to a principal. */
export interface PrincipalPolicies {
  /** Managed and inline, the groups' included. The union of their Allows counts. */
  readonly identity: readonly NamedPolicy[];
  readonly boundary?: NamedPolicy;
  /** Policies passed when the session was made; undefined when none were. The union of their Allows counts. */
  readonly session?: readonly NamedPolicy[];
  /** Restrictions of a token: every one must allow, whatever else does. */
  readonly restrictions?: readonly NamedPolicy[];
}

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  /** `service:Action`. */
  readonly action: string;
  /** An ARN, or `*` when the action has no resource. */
  readonly resource: string;
  /** 12 digits; whether it is the principal's decides between union and intersection. */
  readonly resourceAccount: string;
  /** The policies attached to the resource. */
  readonly resourcePolicies: readonly NamedPolicy[];
  /** The resource's policy is a role's trust policy, which must allow by itself; identity policies alone do not suffice. */
  readonly trust?: boolean;
  /** The policies of the resource must allow it by themselves, as a key's; see `ResourceRef.policyDecides`. */
  readonly policyDecides?: boolean;
  /** The resource lets everybody do this, strangers included, unless a policy denies it. */
  readonly open?: boolean;
  readonly context: ContextLookup;
}

export interface Decision {
  readonly allowed: boolean;
  /** The simulator's words. */
  readonly outcome: 'allowed' | 'explicitDeny' | 'implicitDeny';
  /** Finishes `… is not authorized to perform … because`, `… with` for an explicit deny, `… is allowed because` otherwise. */
  readonly reason: string;
  /** Whose word it was: the layer with the statement that decided, or that has none that allows. Absent for the root user and for what is open to everybody. */
  readonly layer?: PolicyLayer;
  /** The statement that decided; absent when nothing matched. */
  readonly statement?: DecidingStatement;
  /** Every policy that was looked at. */
  readonly considered: readonly ConsideredPolicy[];
}

export interface ConsideredPolicy {
  readonly layer: PolicyLayer;
  readonly name: string;
}

export interface DecidingStatement extends ConsideredPolicy {
  /** The statement's `Sid`, or its place in the policy counted from 0. */
  readonly statement: string;
  readonly source: CompiledStatement;
}

/** What a layer is called in AWS's own denials (IAM user guide, "Troubleshoot access denied error messages"). */
export const layerNames: Readonly<Record<PolicyLayer, string>> = {
  identity: 'identity-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
  resource: 'resource-based policy',
  trust: 'role trust policy',
  restriction: 'token scope',
};

const article = (name: string): string => (/^[aeiou]/.test(name) ? 'an' : 'a');

/**
 * Decides one request, in IAM's order (IAM user guide, "Policy evaluation logic"): any matching Deny ends it; then, within
 * one account, identity and resource policies add up, limited by boundary and session policies unless the resource's
 * policy names the caller itself; across accounts both sides must allow. Nothing that matches means denied. Strangers, who have no
 * account, may do what the resource is open to and no policy denies, and nothing else.
 */
export function evaluate(policies: PrincipalPolicies, request: PolicyRequest): Decision {
  return new Evaluation(policies, request).decide();
}

/**
 * The refusal that a principal meets whatever resource of its account it asks for and whatever the condition keys are, as long as no
 * policy of the resource grants it: some layer that must allow has no statement for the action at all. Undefined when it depends.
 */
export function foresee(policies: PrincipalPolicies, principal: PolicyPrincipal, action: string): Decision | undefined {
  const { identity, boundary, session, restrictions = [] } = policies;
  const lowered = action.toLowerCase();
  const allowsSome = (layer: readonly NamedPolicy[]): boolean =>
    layer.some(({ policy }) => policy.statementsFor(lowered).some((statement) => !statement.deny));
  const refused = (layer: PolicyLayer): Decision => ({
    allowed: false,
    outcome: 'implicitDeny',
    reason: `no ${layerNames[layer]} allows the ${action} action`,
    layer,
    considered: layersOf(policies, { resourcePolicies: [] }).map(({ layer: of, named }) => ({
      layer: of,
      name: named.name,
    })),
  });
  if (restrictions.some((restriction) => !allowsSome([restriction]))) return refused('restriction');
  if (principal.type === 'root') return undefined;
  if (!allowsSome(identity)) return refused('identity');
  if (boundary !== undefined && !allowsSome([boundary])) return refused('boundary');
  const needsSession = session !== undefined || principal.type === 'federated-user';
  return needsSession && !allowsSome(session ?? []) ? refused('session') : undefined;
}

interface Found {
  readonly policy: NamedPolicy;
  readonly statement: CompiledStatement;
  readonly match: PrincipalMatch;
}

class Evaluation {
  readonly #policies: PrincipalPolicies;
  readonly #request: PolicyRequest;
  readonly #action: string;
  readonly #resource: ArnText;

  constructor(policies: PrincipalPolicies, request: PolicyRequest) {
    this.#policies = policies;
    this.#request = request;
    this.#action = request.action.toLowerCase();
    this.#resource = arnText(request.resource);
  }

  decide(): Decision {
    const { identity, boundary, session, restrictions = [] } = this.#policies;
    const { principal, resourceAccount, trust = false, policyDecides = trust } = this.#request;
    const resourceLayer: PolicyLayer = trust ? 'trust' : 'resource';

    const denied =
      this.#denied('identity', identity) ??
      this.#denied('boundary', boundary === undefined ? [] : [boundary]) ??
      this.#denied('session', session ?? []) ??
      this.#denied(resourceLayer, this.#request.resourcePolicies) ??
      this.#denied('restriction', restrictions);
    if (denied !== undefined) return denied;

    for (const restriction of restrictions) {
      if (this.#find([restriction], false) === undefined) return this.#refused('restriction');
    }

    if (this.#request.open === true) return this.#opened();

    const granted = this.#find(this.#request.resourcePolicies, false);
    if (principal.account === '')
      return granted === undefined ? this.#refused(resourceLayer) : this.#allowed(resourceLayer, granted);

    const sameAccount = resourceAccount === principal.account;
    if (sameAccount && granted?.match === 'self') return this.#allowed(resourceLayer, granted);
    if ((policyDecides || !sameAccount) && granted === undefined) return this.#refused(resourceLayer);

    if (principal.type === 'root') return this.#byRoot(sameAccount && !policyDecides, granted, resourceLayer);

    const own = this.#find(identity, false);
    const grantedByIssuer = sameAccount && granted?.match === 'issuer';
    if (own === undefined && !grantedByIssuer) return this.#refused('identity');
    if (boundary !== undefined && this.#find([boundary], false) === undefined) return this.#refused('boundary');
    const needsSession = session !== undefined || principal.type === 'federated-user';
    if (needsSession && this.#find(session ?? [], false) === undefined) return this.#refused('session');
    return own === undefined ? this.#allowed(resourceLayer, granted as Found) : this.#allowed('identity', own);
  }

  #opened(): Decision {
    return {
      allowed: true,
      outcome: 'allowed',
      reason: `${this.#request.resource} is public`,
      considered: this.#considered(),
    };
  }

  /** The account's root user may do everything in its account that no policy denies. */
  #byRoot(own: boolean, granted: Found | undefined, resourceLayer: PolicyLayer): Decision {
    if (granted !== undefined) return this.#allowed(resourceLayer, granted);
    if (!own) return this.#refused(resourceLayer);
    return {
      allowed: true,
      outcome: 'allowed',
      reason: 'the caller is the root user of the account',
      considered: this.#considered(),
    };
  }

  /** The first matching Deny, or the matching Allow whose Principal names the caller most closely. */
  #find(policies: readonly NamedPolicy[], deny: boolean): Found | undefined {
    let best: Found | undefined;
    for (const policy of policies) {
      for (const statement of policy.policy.statementsFor(this.#action)) {
        if (statement.deny !== deny) continue;
        const match = this.#match(statement);
        if (match === 'none') continue;
        if (match === 'self') return { policy, statement, match };
        if (best === undefined || match === 'issuer') best = { policy, statement, match };
      }
    }
    return best;
  }

  #match(statement: CompiledStatement): PrincipalMatch {
    const { principal, context } = this.#request;
    const element = statement.source.principal;
    const match =
      element === undefined ? 'self' : matchPrincipal(element, principal, statement.deny ? 'Deny' : 'Allow');
    if (match === 'none' || !statement.matchesResource(this.#resource, context)) return 'none';
    for (const condition of statement.conditions) if (!condition.holds(context)) return 'none';
    return match;
  }

  #denied(layer: PolicyLayer, policies: readonly NamedPolicy[]): Decision | undefined {
    const found = this.#find(policies, true);
    if (found === undefined) return undefined;
    const name = layerNames[layer];
    return {
      allowed: false,
      outcome: 'explicitDeny',
      reason: `an explicit deny in ${article(name)} ${name}`,
      layer,
      statement: deciding(layer, found),
      considered: this.#considered(),
    };
  }

  #refused(layer: PolicyLayer): Decision {
    return {
      allowed: false,
      outcome: 'implicitDeny',
      reason: `no ${layerNames[layer]} allows the ${this.#request.action} action`,
      layer,
      considered: this.#considered(),
    };
  }

  #allowed(layer: PolicyLayer, found: Found): Decision {
    const statement = deciding(layer, found);
    return {
      allowed: true,
      outcome: 'allowed',
      reason: `statement ${statement.statement} of ${statement.name} allows the ${this.#request.action} action`,
      layer,
      statement,
      considered: this.#considered(),
    };
  }

  #considered(): readonly ConsideredPolicy[] {
    return layersOf(this.#policies, this.#request).map(({ layer, named }) => ({ layer, name: named.name }));
  }
}

function deciding(layer: PolicyLayer, found: Found): DecidingStatement {
  const { sid, index } = found.statement.source;
  return {
    layer,
    name: found.policy.name,
    statement: sid === undefined || sid === '' ? String(index) : sid,
    source: found.statement,
  };
}

/** Every policy that bears on a request, with what it is to it, in the order of evaluation. */
export function layersOf(
  policies: PrincipalPolicies,
  request: Pick<PolicyRequest, 'resourcePolicies' | 'trust'>,
): readonly { readonly layer: PolicyLayer; readonly named: NamedPolicy }[] {
  const tag = (layer: PolicyLayer, list: readonly NamedPolicy[]) => list.map((named) => ({ layer, named }));
  return [
    ...tag('identity', policies.identity),
    ...tag('boundary', policies.boundary === undefined ? [] : [policies.boundary]),
    ...tag('session', policies.session ?? []),
    ...tag(request.trust === true ? 'trust' : 'resource', request.resourcePolicies),
    ...tag('restriction', policies.restrictions ?? []),
  ];
}
