/** When a certificate is ordered: pure functions of what is known and the time. All times are milliseconds since the epoch. */

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const lifetimeOf = ({ notBefore, notAfter }: Validity): number => notAfter - notBefore;

/** When a third of the lifetime is left, or up to a tenth of that earlier, so that installations do not come all at once. @param random in [0, 1) */
export function renewalTime(validity: Validity, random: number): number {
  const third = lifetimeOf(validity) / 3;
  return validity.notAfter - third * (1 + 0.1 * random);
}

/**
 * A time in the window that the authority suggests (RFC 9773, section 4.2); a window in the past means now. An authority that is
 * wrong about its windows can neither have a certificate ordered over and over, nor let it end.
 */
export function suggestedTime(window: { start: number; end: number }, validity: Validity, random: number): number {
  const lifetime = lifetimeOf(validity);
  const wanted = window.start + (window.end - window.start) * random;
  return Math.min(Math.max(wanted, validity.notBefore + lifetime / 100), validity.notAfter - lifetime / 5);
}

/** When to ask for renewal information again: as the authority says, within a minute and a day, or in six hours. */
export function nextLook(now: number, validity: Validity, retryAfterMs: number | undefined): number {
  const wanted = Math.min(Math.max(retryAfterMs ?? 6 * hour, minute), day);
  return now + Math.min(wanted, lifetimeOf(validity) / 20);
}

/**
 * When to try again after failures: a minute, ten, a hundred, and so on up to a day (six hours while there is no certificate;
 * a 24th of the lifetime of short ones), up to a tenth later, and never before the authority allows.
 */
export function retryTime(
  now: number,
  failures: number,
  validity: Validity | undefined,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const longest = validity === undefined ? 6 * hour : Math.min(Math.max(lifetimeOf(validity) / 24, minute), day);
  const wait = Math.min(minute * 10 ** (failures - 1), longest);
  return now + Math.max(wait * (1 + 0.1 * random), retryAfterMs ?? 0);
}

/** What is known when the next order is decided. */
export interface Standing {
  /** The certificate that there is; `fits`: it is for the names and from the authority of the settings. */
  readonly certificate: { readonly fits: boolean; readonly renewAt: number } | undefined;
  /** The time taken from renewal information. */
  readonly suggestedAt: number | undefined;
  /** After failed orders with these settings: not before. */
  readonly notBefore: number | undefined;
  /** Whether somebody asked for a new certificate. */
  readonly requested: boolean;
}

/** When to order; 0 means at once. */
export function orderTime({ certificate, suggestedAt, notBefore, requested }: Standing): number {
  if (requested) return 0;
  const wanted = certificate?.fits === true ? (suggestedAt ?? certificate.renewAt) : 0;
  return Math.max(wanted, notBefore ?? 0);
}
