import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/**
 * The right of a machine to join, once and for a while: `<account>.<machine>.<code>`. It follows from a secret of the installation, so that it can be
 * handed out again while a launch is tried again, and lies in no record.
 */
export function joinToken(key: Uint8Array, account: string, machine: string): string {
  return `${account}.${machine}.${codeOf(key, account, machine)}`;
}

const codeOf = (key: Uint8Array, account: string, machine: string): string =>
  createHmac('sha256', key).update(`join ${account} ${machine}`).digest('base64url');

/** Which machine of which account a token is of; undefined for one that this installation did not make. */
export function readJoinToken(
  key: Uint8Array,
  token: string,
): { readonly account: string; readonly machine: string } | undefined {
  const [, account, machine, code] = /^(\d{12})\.(i-[0-9a-f]{17})\.([\w-]{43})$/.exec(token) ?? [];
  if (account === undefined || machine === undefined || code === undefined) return undefined;
  const right = Buffer.from(codeOf(key, account, machine));
  return timingSafeEqual(right, Buffer.from(code)) ? { account, machine } : undefined;
}

/** What is kept of the secret of the host that has joined as a machine. */
export const hostHash = (secret: string): string => hash('sha256', secret, 'base64url');
