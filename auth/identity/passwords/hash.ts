import { scrypt, timingSafeEqual } from 'node:crypto';
import { AwsError } from '../../contract/index.ts';
import type { RandomBytes } from '../ids.ts';

/** N = 2^15, r = 8, p = 3: 32 MiB and some tenths of a second each (OWASP password storage cheat sheet). */
const cost = { N: 2 ** 15, r: 8, p: 3 } as const;
const size = 32;
/** scrypt runs on the threads that files are read with too, so that only some run at a time, and few wait. */
const mostRunning = 2;
const mostWaiting = 32;

let running = 0;
const waiting: (() => void)[] = [];

/** @throws AwsError `Throttling` when too many passwords are being checked already */
async function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  if (running >= mostRunning) {
    if (waiting.length >= mostWaiting) throw new AwsError('Throttling', 'Rate exceeded', { status: 400 });
    await new Promise<void>((turn) => waiting.push(turn));
  } else running++;
  try {
    return await new Promise((resolve, reject) => {
      const options = { ...cost, maxmem: 256 * cost.N * cost.r };
      scrypt(password.normalize('NFC'), salt, size, options, (error, key) => (error ? reject(error) : resolve(key)));
    });
  } finally {
    // The turn passes to the one who has waited longest, or is free again.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

/**
 * Passwords of one user: the present one first, then earlier ones that may not be used again. All are derived with one salt, so that a
 * new password is compared with all of them at the price of one derivation.
 */
export interface PasswordHashes {
  /** Base64. */
  readonly salt: string;
  /** Base64, newest first. */
  readonly hashes: readonly string[];
}

/** @param remember how many of the earlier passwords are kept */
export async function withPassword(
  before: PasswordHashes | undefined,
  password: string,
  remember: number,
  random: RandomBytes,
): Promise<PasswordHashes> {
  const salt = before === undefined ? Buffer.from(random(16)).toString('base64') : before.salt;
  const hash = (await derive(password, Buffer.from(salt, 'base64'))).toString('base64');
  return { salt, hashes: [hash, ...(before?.hashes ?? [])].slice(0, remember + 1) };
}

/** Whether it is the present password. */
export async function isPassword(known: PasswordHashes, password: string): Promise<boolean> {
  const key = await derive(password, Buffer.from(known.salt, 'base64'));
  return timingSafeEqual(key, Buffer.from(known.hashes[0] ?? '', 'base64'));
}

/** Whether it is the present password or one of the `count - 1` before it. */
export async function wasPassword(known: PasswordHashes, password: string, count: number): Promise<boolean> {
  const key = await derive(password, Buffer.from(known.salt, 'base64'));
  return known.hashes.slice(0, count).some((hash) => timingSafeEqual(key, Buffer.from(hash, 'base64')));
}

/** Takes as long as {@link isPassword}: for users who have none, so that nobody learns who has. */
export async function noPassword(password: string): Promise<false> {
  await derive(password, Buffer.alloc(16));
  return false;
}
