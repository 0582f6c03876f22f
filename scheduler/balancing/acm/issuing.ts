import type { Ordered } from '@slipway/auth/acme';

import type { RequestedRecord } from '../records/index.ts';

/** What is due for a certificate that was requested: pure functions of its record and the time, in milliseconds. */

const minute = 60_000;
const hour = 60 * minute;
/** How long names may stay unproved (ACM user guide, "Domain validation"). */
export const validationLimit = 72 * hour;
/** A server that ends in the middle of an order leaves it to another after this. */
const claim = 2 * minute;
/** Until the installation has an account at the authority. */
const noAccountWait = 15_000;

/** What the authority says that no later order will change, in ACM's words (ACM API reference, CertificateDetail). */
const final: Readonly<Record<string, RequestedRecord['failure']>> = {
  caa: 'CAA_ERROR',
  rejectedIdentifier: 'DOMAIN_NOT_ALLOWED',
  unsupportedIdentifier: 'DOMAIN_NOT_ALLOWED',
};

/**
 * What is to be done next, and when; undefined for nothing.
 * @param isUsed whether a listener has the certificate: others are not renewed (ACM user guide, "Managed certificate renewal")
 */
export function nextOf(
  { state, createdAt, due }: RequestedRecord,
  isUsed: boolean,
): { readonly at: number; readonly what: 'order' | 'give-up' } | undefined {
  if (state === 'issued') return isUsed ? { at: due, what: 'order' } : undefined;
  if (state !== 'pending') return undefined;
  const end = createdAt + validationLimit;
  return due < end ? { at: due, what: 'order' } : { at: end, what: 'give-up' };
}

/**
 * An order begins: nobody begins another meanwhile, whatever becomes of this server. After orders of which nothing was heard again others come
 * ever later: the authority may have issued each of them.
 */
export const begun = (record: RequestedRecord, now: number): RequestedRecord => ({
  ...record,
  challenges: [],
  unheard: (record.unheard ?? 0) + 1,
  due: now + Math.min(claim * 3 ** (record.unheard ?? 0), hour),
  ...(record.state === 'issued' ? { renewal: { status: 'PENDING_AUTO_RENEWAL', updatedAt: now } } : {}),
});

/**
 * An order ended with a certificate that lives so long. When a third of that is left, or up to a tenth earlier, it is renewed; one that comes
 * with little left has half of that first.
 * @param random in [0, 1)
 */
export function issued(
  before: RequestedRecord,
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  now: number,
  random: number,
): RequestedRecord {
  const { trouble: _trouble, unheard: _unheard, ...record } = before;
  const third = (notAfter - notBefore) / 3;
  return {
    ...record,
    state: 'issued',
    challenges: [],
    failures: 0,
    due: Math.max(notAfter - third * (1 + 0.1 * random), (now + notAfter) / 2),
    ...(record.state === 'issued' ? { renewal: { status: 'SUCCESS', updatedAt: now } } : {}),
  };
}

/**
 * An order was refused. The next is due after a minute, three, nine, and so on up to an hour, never before the authority allows: authorities
 * take few failures of a name an hour.
 */
export function refused(
  before: RequestedRecord,
  { refused: kind, message, retryAfterMs = 0 }: Extract<Ordered, { refused: string }>,
  now: number,
  random: number,
): RequestedRecord {
  const { unheard: _, ...record } = before;
  const trouble = { at: now, kind, message: message.slice(0, 2000) };
  if (kind === 'noAccount') return { ...record, challenges: [], trouble, due: now + noAccountWait };
  const failures = record.failures + 1;
  const wait = Math.min(minute * 3 ** (failures - 1), hour) * (1 + 0.1 * random);
  const base = { ...record, challenges: [], trouble, failures, due: now + Math.max(wait, retryAfterMs) };
  if (record.state === 'issued') return { ...base, renewal: { status: 'PENDING_VALIDATION', updatedAt: now } };
  const failure = Object.hasOwn(final, kind) ? final[kind] : undefined;
  return failure === undefined ? base : { ...base, state: 'failed', failure };
}

/** Nobody has proved the names in time. */
export const givenUp = (record: RequestedRecord): RequestedRecord => ({
  ...record,
  challenges: [],
  state: 'timed-out',
});

/** What whoever requested a certificate can do about an order that was refused. */
export function adviceFor(kind: string): string {
  switch (kind) {
    case 'noAccount':
      return 'see SLIPWAY_ACME_DOMAINS, and "slipway doctor" for what the certificate of the installation waits for';
    case 'dns':
    case 'connection':
    case 'unauthorized':
    case 'incorrectResponse':
    case 'tls':
      return 'port 80 of every name must lead to an HTTP listener of a load balancer, or to SLIPWAY_ACME_HTTP_PORT: see DNS (AAAA too), security groups and firewalls';
    case 'caa':
      return 'a CAA record of the domain names other authorities only';
    case 'rateLimited':
      return 'the authority wants fewer orders';
    case 'unavailable':
      return 'see whether this machine reaches SLIPWAY_ACME_DIRECTORY';
    case 'accountDoesNotExist':
      return '"slipway tls renew --new-account" makes another account at the authority';
    default:
      return 'see what the authority says';
  }
}
