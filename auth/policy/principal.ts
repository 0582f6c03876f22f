import type { PrincipalElement, PrincipalEntry } from './document.ts';

/** The caller, as policies see it. */
export interface PolicyPrincipal {
  readonly type: 'root' | 'user' | 'assumed-role' | 'federated-user' | 'service' | 'web-identity' | 'anonymous';
  /** 12 digits; empty for services, web identities and anonymous callers. */
  readonly account: string;
  /** The ARN of the caller itself: user, role session, federated user, root; the service's name; the identity provider. */
  readonly arn: string;
  /** The unique id of the caller itself: `AIDA…`, `AROA…:session`, `account:name`. */
  readonly id: string;
  /** For a role session its role; for a federated user the user who asked for it. */
  readonly issuer?: { readonly arn: string; readonly id: string };
}

/**
 * How a Principal element names the caller, the closest first. It decides what else limits an Allow (IAM user guide,
 * "Policy evaluation for requests within a single account"): `self` is limited by nothing, `issuer` by boundary and session policy,
 * `account` only delegates to the account's own policies.
 */
export type PrincipalMatch = 'self' | 'issuer' | 'account' | 'none';

const entityArn =
  /^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):(root|user\/.+|role\/.+|assumed-role\/[^/]+\/[^/]+|federated-user\/.+)$/;
const uniqueId = /^(?:AIDA|AROA)[A-Z0-9]{12,124}(?::[\w+=,.@-]{2,64})?$/;

/** Reads one entry of a Principal element, or undefined when it is not one. No wildcards but `*` alone. */
export function readPrincipal(kind: string, text: string): PrincipalEntry | undefined {
  switch (kind) {
    case 'AWS': {
      if (text === '*') return { type: 'everyone' };
      if (/^\d{12}$/.test(text)) return { type: 'account', account: text };
      if (uniqueId.test(text)) return { type: 'id', id: text };
      const match = entityArn.exec(text);
      if (match === null || /[*?]/.test(text)) return undefined;
      return match[2] === 'root' ? { type: 'account', account: match[1] as string } : { type: 'arn', arn: text };
    }
    case 'Service':
      return text === '*' || (/^[a-z0-9.-]+$/.test(text) && text.slice(1, -1).includes('.'))
        ? { type: 'service', service: text }
        : undefined;
    case 'Federated':
      return text === '' || /[*?\s]/.test(text) ? undefined : { type: 'federated', provider: text };
    case 'CanonicalUser':
      return /^[0-9a-f]{64}$/.test(text) ? { type: 'canonical-user', id: text } : undefined;
    default:
      return undefined;
  }
}

function matchEntry(entry: PrincipalEntry, caller: PolicyPrincipal): PrincipalMatch {
  switch (entry.type) {
    case 'everyone':
      return 'self'; // Strangers are denied by it and allowed nothing: see matchPrincipal.
    case 'account':
      if (entry.account !== caller.account || caller.account === '') return 'none';
      return caller.type === 'root' ? 'self' : 'account';
    case 'arn':
      if (entry.arn === caller.arn) return 'self';
      return entry.arn === caller.issuer?.arn ? 'issuer' : 'none';
    case 'id':
      if (entry.id === caller.id) return 'self';
      return entry.id === caller.issuer?.id ? 'issuer' : 'none';
    case 'service':
      return caller.type === 'service' && (entry.service === '*' || entry.service === caller.arn) ? 'self' : 'none';
    case 'federated':
      return caller.type === 'web-identity' && entry.provider === caller.arn ? 'self' : 'none';
    case 'canonical-user':
      return 'none';
  }
}

const closeness: Readonly<Record<PrincipalMatch, number>> = { none: 0, account: 1, issuer: 2, self: 3 };

/**
 * How the element names the caller. `*` allows everybody who is logged in, and denies strangers too: what is open to those is said
 * by its resource, never by a policy, as a private repository's policy cannot make it public. `NotPrincipal` (Deny only) spares a caller whose every identity is listed: the
 * account, the role and the session, or the account and the user (IAM user guide, "NotPrincipal").
 */
export function matchPrincipal(
  element: PrincipalElement,
  caller: PolicyPrincipal,
  effect: 'Allow' | 'Deny',
): PrincipalMatch {
  if (caller.type === 'anonymous' && effect === 'Allow') return 'none';
  if (element.negated) return isSpared(element.entries, caller) ? 'none' : 'self';
  let closest: PrincipalMatch = 'none';
  for (const entry of element.entries) {
    const match = matchEntry(entry, caller);
    if (closeness[match] > closeness[closest]) closest = match;
  }
  return closest;
}

function isSpared(entries: readonly PrincipalEntry[], caller: PolicyPrincipal): boolean {
  const levels = new Set<PrincipalMatch>();
  for (const entry of entries) {
    if (entry.type === 'everyone') return true;
    levels.add(matchEntry(entry, caller));
  }
  if (!levels.has('self')) return false;
  const belongsToAccount = caller.account !== '' && caller.type !== 'root';
  return (!belongsToAccount || levels.has('account')) && (caller.issuer === undefined || levels.has('issuer'));
}
