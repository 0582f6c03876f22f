import {
  type AccessList,
  type AccessRequest,
  type Authorizer,
  type Call,
  type Decision,
  type FrontAuthorizer,
  GatewayError,
  type Principal,
} from '../contract/index.ts';
import type { Exchange } from './exchange.ts';

/** The first thing on an operation's list that was refused. */
export interface Denied {
  readonly access: AccessRequest;
  readonly decision: Decision;
}

/**
 * Asks for everything on the list, in order, and stops at the first refusal. Every answer is kept for the audit line.
 * An authorizer that fails denies: the caller learns that the service is unavailable, and no handler runs.
 * @returns undefined when all is allowed
 * @throws GatewayError `unavailable`
 */
export async function firstDenied(
  authorizer: Authorizer,
  exchange: Exchange,
  call: Call,
  list: AccessList,
): Promise<Denied | undefined> {
  for (const access of list) {
    const decision = await asked(exchange, () => authorizer.authorize(exchange.principal, access, call));
    exchange.judged.push({ access, decision });
    if (!decision.allowed) return { access, decision };
  }
  return undefined;
}

/**
 * Asks whether the caller can ever do something, before it is known to what. A refusal is kept for the audit line.
 * @throws GatewayError `denied`, `unavailable`
 */
export async function refuseForeseen(authorizer: FrontAuthorizer, exchange: Exchange, action: string): Promise<void> {
  const decision = await asked(exchange, () => authorizer.foresee(exchange.principal, action));
  if (decision === undefined) return;
  const denied: Denied = { access: { action, resources: [{ arn: '*' }] }, decision };
  exchange.judged.push(denied);
  throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
}

async function asked<T>(exchange: Exchange, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (cause) {
    exchange.detail = `authorization failed: ${cause instanceof Error ? cause.message : 'unknown'}`;
    throw new GatewayError('unavailable', 'the permission could not be checked; try again', 1);
  }
}

/** The sentence AWS answers to a refusal (IAM User Guide, "Troubleshoot access denied error messages"). */
export function deniedMessage(principal: Principal, { access, decision }: Denied): string {
  const who = principal.type === 'anonymous' ? 'anonymous' : principal.arn;
  const resource = decision.resource ?? access.resources[0]?.arn ?? '*';
  const why = decision.explicit === true ? 'with' : 'because';
  return `User: ${who} is not authorized to perform: ${access.action} on resource: ${resource} ${why} ${decision.reason}`;
}
