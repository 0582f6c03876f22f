import { createHmac } from 'node:crypto';

/** The cookies that say which target group a client stays with, and which target of it (ELB's names). */
export const groupCookies = ['AWSALBTG', 'AWSALBTGCORS'] as const;
export const targetCookies = ['AWSALB', 'AWSALBCORS'] as const;

/** Seconds that browsers keep the cookies; how long one is honoured stands in its value (ELB's rule). */
export const cookieLife = 604_800;

/**
 * What a cookie calls a group or a target: unguessable without the key, so that a client learns nothing and names only what it got.
 * The same on every engine, and in HAProxy the server's name.
 */
export function cookieToken(cookieKey: string, kind: 'group' | 'target', ...parts: readonly string[]): string {
  const mac = createHmac('sha256', Buffer.from(cookieKey, 'hex')).update([kind, ...parts].join('\n'));
  return mac.digest('hex').slice(0, 24);
}

/** The value of a cookie that is given now. */
export function cookieValue(token: string, now: number): string {
  return `${now}-${token}`;
}

/** The token of a cookie that is not older than `seconds`; undefined for one that is, or that nobody here wrote. */
export function readCookie(value: string | undefined, seconds: number, now: number): string | undefined {
  const found = /^(\d{1,12})-([0-9a-f]{24})$/.exec(value ?? '');
  if (found === null) return undefined;
  const age = now - Number(found[1]);
  return age >= 0 && age < seconds ? found[2] : undefined;
}

/** The two `Set-Cookie` values for a token: for its own site, and for others that ask by CORS. */
export function setCookies(names: readonly [string, string], token: string, now: number): readonly [string, string] {
  const value = cookieValue(token, now);
  const expires = new Date((now + cookieLife) * 1000).toUTCString();
  return [
    `${names[0]}=${value}; Expires=${expires}; Path=/`,
    `${names[1]}=${value}; Expires=${expires}; Path=/; SameSite=None; Secure`,
  ];
}
