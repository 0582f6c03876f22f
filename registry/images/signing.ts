import { createHmac, timingSafeEqual } from 'node:crypto';
import { transact } from '@slipway/storage/records';
import type { Context } from './context.ts';
import { keys, registryPartition } from './keys.ts';

/** Texts that this registry hands out and recognizes when they come back, on every server. */
export interface Signing {
  /** `parts` with a signature over all of them and the purpose; nothing in it is secret. */
  sign(account: string, purpose: string, parts: readonly string[]): Promise<string>;
  /** The parts of an unchanged text of the same account and purpose; otherwise undefined. */
  verify(account: string, purpose: string, text: string): Promise<readonly string[] | undefined>;
}

/** The key is made once for each account's registry and lies in its records, so that all servers have the same. */
export function createSigning(context: Context): Signing {
  const known = new Map<string, Promise<Buffer>>();

  const make = async (account: string): Promise<Buffer> => {
    const text = await transact(context.records, registryPartition(account), async (tx) => {
      const present = await tx.get<string>(keys.signingKey);
      if (present !== undefined) return present;
      const made = Buffer.from(context.random(32)).toString('base64');
      tx.put(keys.signingKey, made);
      return made;
    });
    return Buffer.from(text, 'base64');
  };
  const keyOf = (account: string): Promise<Buffer> => {
    const present = known.get(account);
    if (present) return present;
    const made = make(account);
    known.set(account, made);
    made.catch(() => known.delete(account));
    return made;
  };

  // The JSON of the whole list is signed: no two lists have the same text, so parts cannot be shifted into each other.
  const macOf = (key: Buffer, purpose: string, body: string): Buffer =>
    createHmac('sha256', key)
      .update(JSON.stringify([purpose, body]))
      .digest();

  return {
    async sign(account, purpose, parts) {
      const body = Buffer.from(JSON.stringify(parts)).toString('base64url');
      return `${body}.${macOf(await keyOf(account), purpose, body).toString('base64url')}`;
    },
    async verify(account, purpose, text) {
      const [body, mac, ...rest] = text.length > 8192 ? [] : text.split('.');
      if (body === undefined || mac === undefined || rest.length > 0) return undefined;
      const expected = macOf(await keyOf(account), purpose, body);
      const given = Buffer.from(mac, 'base64url');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      return JSON.parse(Buffer.from(body, 'base64url').toString()) as string[];
    },
  };
}
