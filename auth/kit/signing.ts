import { createHmac, timingSafeEqual } from 'node:crypto';
import { type RecordStore, transact } from '@slipway/storage/records';

/** Texts that a service hands out and recognizes when they come back, on every server: page tokens, tickets. */
export interface Signing {
  /** `parts` with a signature over all of them and the purpose; nothing in it is secret. */
  sign(account: string, purpose: string, parts: readonly string[]): Promise<string>;
  /** The parts of an unchanged text of the same account and purpose; otherwise undefined. */
  verify(account: string, purpose: string, text: string): Promise<readonly string[] | undefined>;
}

/** The longest text that is looked at, in characters. */
const longest = 8192;

/** @param keyOf an account's key, 32 bytes, the same on every server of the installation */
export function createSigning(keyOf: (account: string) => Uint8Array | Promise<Uint8Array>): Signing {
  // The JSON of the whole list is signed: no two lists have the same text, so parts cannot be shifted into each other.
  const macOf = async (account: string, purpose: string, body: string): Promise<Buffer> =>
    createHmac('sha256', await keyOf(account))
      .update(JSON.stringify([account, purpose, body]))
      .digest();
  return {
    async sign(account, purpose, parts) {
      const body = Buffer.from(JSON.stringify(parts)).toString('base64url');
      return `${body}.${(await macOf(account, purpose, body)).toString('base64url')}`;
    },
    async verify(account, purpose, text) {
      const [body, mac, ...rest] = text.length > longest ? [] : text.split('.');
      if (body === undefined || mac === undefined || rest.length > 0) return undefined;
      const expected = await macOf(account, purpose, body);
      const given = Buffer.from(mac, 'base64url');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      return JSON.parse(Buffer.from(body, 'base64url').toString()) as string[];
    },
  };
}

/**
 * An account's key in its records: made once, when it is first asked for, so that all servers have the same.
 * @param random makes so many random bytes
 */
export function storedKeys(
  records: RecordStore,
  random: (bytes: number) => Uint8Array,
  place: { readonly partition: (account: string) => string; readonly key: string },
): (account: string) => Promise<Uint8Array> {
  const known = new Map<string, Promise<Uint8Array>>();
  const make = async (account: string): Promise<Uint8Array> => {
    const text = await transact(records, place.partition(account), async (tx) => {
      const present = await tx.get<string>(place.key);
      if (present !== undefined) return present;
      const made = Buffer.from(random(32)).toString('base64');
      tx.put(place.key, made);
      return made;
    });
    return Buffer.from(text, 'base64');
  };
  return (account) => {
    const present = known.get(account);
    if (present) return present;
    const made = make(account);
    known.set(account, made);
    made.catch(() => known.delete(account));
    return made;
  };
}
