import { LRUCache } from 'lru-cache';
import type { AccessRequest, Call, Decision, FrontAuthorizer, Principal, ResourceRef } from '../contract/index.ts';
import {
  type CompiledPolicy,
  type Decision as PolicyDecision,
  compiledPolicy,
  evaluate,
  foresee,
  type NamedPolicy,
  type PolicyRequest,
} from '../policy/index.ts';
import type { Accounts } from './accounts.ts';
import { type Caller, type Disowned, gatherCaller } from './caller.ts';
import { requestContext } from './context.ts';
import type { SessionEntity } from './entities.ts';
import type { Mirror } from './mirror.ts';
import { RememberedDecisions } from './remembered-decisions.ts';
import { isTrustAction, resourceAccount } from './resources.ts';
import type { Sessions } from './sessions.ts';

/** Keys whose value changes from request to request, so that decisions that look at them are made anew each time. */
const fleeting = ['aws:currenttime', 'aws:epochtime'];
/** Callers that are known at once, and about how many bytes of memory they take: their names hold what restricts their tokens. */
const mostCallers = { callers: 5000, bytes: 32 * 1024 * 1024 } as const;

interface KnownCaller {
  readonly generation: number;
  readonly session: SessionEntity | undefined;
  readonly caller: Caller | Disowned;
  readonly ownKeys: readonly string[];
  /** Of this caller while its policies stand. */
  readonly number: number;
}

/** A restriction is the text of a policy document, or the document. */
const textOf = (document: unknown): string => (typeof document === 'string' ? document : JSON.stringify(document));

const wholeAccount: readonly ResourceRef[] = [{ arn: '*' }];

/**
 * The front door's authorizer over stored identities. What a caller may do is gathered once and kept while the account's
 * records stand still; decisions are remembered by action, resource, and the values of the condition keys that the policies look at.
 */
export class PolicyAuthorizer implements FrontAuthorizer {
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #callers = new LRUCache<string, KnownCaller>({
    max: mostCallers.callers,
    maxSize: mostCallers.bytes,
    sizeCalculation: ({ ownKeys }, name) => 1000 + name.length + 32 * ownKeys.length,
  });
  readonly #decisions = new RememberedDecisions();
  #gathered = 0;
  /**
   * Policies of resources, numbered: each remembered decision would hold the text otherwise, once for every object of a bucket. The
   * same text may have two numbers; one number is never of two texts.
   */
  readonly #numbers = new WeakMap<CompiledPolicy, number>();
  #numbered = 0;

  constructor(accounts: Accounts, sessions: Sessions) {
    this.#accounts = accounts;
    this.#sessions = sessions;
  }

  /** @throws StoreUnavailable when the caller's policies are not known to be current */
  async authorize(principal: Principal, access: AccessRequest, call: Call): Promise<Decision> {
    const known = await this.#known(principal);
    return this.#decide(known, access, call);
  }

  /** @throws StoreUnavailable when the caller's policies are not known to be current */
  async foresee(principal: Principal, action: string): Promise<Decision | undefined> {
    const { caller } = await this.#known(principal);
    if ('disowned' in caller) return { allowed: false, reason: caller.disowned, explicit: false };
    const refusal = foresee(caller.policies, caller.principal, action);
    return refusal && answer(refusal, undefined);
  }

  /** What is known about a principal, for explanations and simulation. */
  async caller(principal: Principal): Promise<Caller | Disowned> {
    return (await this.#known(principal)).caller;
  }

  #known(principal: Principal): KnownCaller | Promise<KnownCaller> {
    const mirror = principal.type === 'anonymous' ? undefined : this.#accounts.mirror(principal.account);
    const temporary = principal.accessKeyId?.startsWith('ASIA') === true;
    const session = temporary ? this.#sessions.find(principal.accessKeyId as string) : undefined;
    if (mirror instanceof Promise || session instanceof Promise) {
      return Promise.all([mirror, session]).then(([waited, found]) => this.#gather(principal, waited, found));
    }
    return this.#gather(principal, mirror, session);
  }

  #gather(principal: Principal, mirror: Mirror | undefined, found: SessionEntity | undefined): KnownCaller {
    const valid =
      found !== undefined && found.principalId === principal.id && found.expires > this.#accounts.ports.clock.now();
    const session = valid ? found : undefined;
    const restrictions = principal.restrictions?.map(textOf) ?? [];
    const key = `${principal.type}${principal.delegated === true ? '*' : ''}\n${principal.account}\n${principal.id}\n${principal.accessKeyId ?? ''}\n${consoleOf(principal)}\n${restrictions.join('\n')}`;
    const generation = mirror?.generation ?? 0;
    const before = this.#callers.get(key);
    if (before?.generation === generation && before.session === session) return before;
    const gathered = gatherCaller(mirror, principal, session);
    const caller =
      'disowned' in gathered || restrictions.length === 0
        ? gathered
        : {
            ...gathered,
            policies: {
              ...gathered.policies,
              restrictions: [
                ...(gathered.policies.restrictions ?? []),
                ...restrictions.map((text) => ({ name: 'token scope', policy: compiledPolicy(text, 'identity') })),
              ],
            },
          };
    const known = {
      generation,
      session,
      caller,
      ownKeys: 'disowned' in caller ? [] : keysOf(caller),
      number: ++this.#gathered,
    };
    this.#callers.set(key, known);
    return known;
  }

  #decide(known: KnownCaller, access: AccessRequest, call: Call): Decision {
    const { caller } = known;
    if ('disowned' in caller) return { allowed: false, reason: caller.disowned, explicit: false };
    const resources = access.resources.length === 0 ? wholeAccount : access.resources;
    let decision: PolicyDecision | undefined;
    for (const resource of resources) {
      decision = this.#decideOne(known, caller, access, resource, call);
      if (!decision.allowed) return answer(decision, resource.arn);
    }
    return answer(decision as PolicyDecision, undefined);
  }

  #decideOne(
    known: KnownCaller,
    caller: Caller,
    access: AccessRequest,
    resource: ResourceRef,
    call: Call,
  ): PolicyDecision {
    const request = policyRequest(caller, access, resource, call);
    const policy = request.resourcePolicies[0]?.policy;
    const keys = policy === undefined ? known.ownKeys : [...new Set([...known.ownKeys, ...policy.keys])];
    if (keys.some((key) => fleeting.includes(key))) return evaluate(caller.policies, request);
    // Lengths keep the parts apart, whatever characters are in them.
    let key = `${request.open === true ? '+' : '-'}${request.policyDecides === true ? '!' : ''}${access.action}\n${resource.arn.length}:${resource.arn}${resource.account ?? ''}:${policy === undefined ? '-' : this.#numberOf(policy)}\n`;
    for (const name of keys) {
      const value = request.context(name);
      if (value === undefined) key += '-';
      else if (typeof value === 'string') key += `${value.length}=${value}`;
      else key += JSON.stringify(value);
    }
    return this.#decisions.of(known.number, key, () => evaluate(caller.policies, request));
  }

  #numberOf(policy: CompiledPolicy): number {
    let number = this.#numbers.get(policy);
    if (number === undefined) this.#numbers.set(policy, (number = ++this.#numbered));
    return number;
  }
}

const consoleOf = ({ console }: Principal): string =>
  console === undefined ? '' : `${console.since} ${console.passwordSet}`;

function keysOf(caller: Caller): readonly string[] {
  const { identity, boundary, session = [], restrictions = [] } = caller.policies;
  const all: NamedPolicy[] = [...identity, ...(boundary === undefined ? [] : [boundary]), ...session, ...restrictions];
  return [...new Set(all.flatMap((named) => [...named.policy.keys]))];
}

/** One resource's question to the policy engine. */
export function policyRequest(caller: Caller, access: AccessRequest, resource: ResourceRef, call: Call): PolicyRequest {
  const trust = isTrustAction(access.action);
  return {
    principal: caller.principal,
    action: access.action,
    resource: resource.arn,
    resourceAccount: resourceAccount(resource) ?? (caller.principal.account || call.account),
    resourcePolicies:
      resource.policy === undefined
        ? []
        : [{ name: `resource:${resource.arn}`, policy: compiledPolicy(resource.policy, trust ? 'trust' : 'resource') }],
    trust,
    ...(resource.policyDecides === true ? { policyDecides: true } : {}),
    open: resource.open?.includes(access.action) === true,
    context: requestContext(caller, access, resource, call),
  };
}

function answer(decision: PolicyDecision, refused: string | undefined): Decision {
  const { allowed, reason, statement, outcome } = decision;
  return {
    allowed,
    reason,
    ...(allowed ? {} : { explicit: outcome === 'explicitDeny' }),
    ...(statement === undefined ? {} : { statement: { policy: statement.name, statement: statement.statement } }),
    ...(refused === undefined ? {} : { resource: refused }),
  };
}
