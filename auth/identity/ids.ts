import { createHash } from 'node:crypto';

/** `size` bytes nobody can predict. */
export type RandomBytes = (size: number) => Uint8Array;

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += base32[(held >>> bits) & 31] as string;
    }
    held &= (1 << bits) - 1;
  }
  return text;
}

/** A unique id: the prefix and 17 characters, 21 in all, as IAM's are (IAM user guide, "Unique identifiers"). */
export function uniqueId(
  prefix: 'AIDA' | 'AROA' | 'AGPA' | 'ANPA' | 'AIPA' | 'APKA' | 'ASCA',
  random: RandomBytes,
): string {
  return prefix + toBase32(random(11)).slice(0, 17);
}

/** The id of a signing certificate: 32 characters. */
export const certificateId = (random: RandomBytes): string => toBase32(random(20));

/**
 * An access key id. Like AWS's own, its 80 bits carry the account (after the first bit, in 40 bits), so that the account of a key
 * is known without looking it up.
 */
export function newAccessKeyId(prefix: 'AKIA' | 'ASIA', account: string, random: RandomBytes): string {
  const noise = random(10);
  const low = BigInt((noise[5] as number) & 0x7f);
  let head = (1n << 47n) | (BigInt(account) << 7n) | low;
  const bytes = Uint8Array.from(noise);
  for (let index = 5; index >= 0; index--) {
    bytes[index] = Number(head & 0xffn);
    head >>= 8n;
  }
  return prefix + toBase32(bytes);
}

/** The account in an access key id, 12 digits, or undefined when the text is not one of ours. */
export function accountOfAccessKey(id: string): string | undefined {
  if (!/^A[KS]IA[A-Z2-7]{16}$/.test(id)) return undefined;
  let head = 0n;
  for (const letter of id.slice(4, 14)) head = (head << 5n) | BigInt(base32.indexOf(letter));
  // Ten letters are 50 bits; the number above is the first 48.
  const account = ((head >> 2n) & 0x7fffffffff80n) >> 7n;
  const digits = account.toString().padStart(12, '0');
  return digits.length === 12 ? digits : undefined;
}

/** A secret access key: 40 characters, 240 bits. */
export function newSecret(random: RandomBytes): string {
  return Buffer.from(random(30)).toString('base64');
}

/** A session token; only its hash is kept. */
export function newSessionToken(random: RandomBytes): string {
  return Buffer.from(random(96)).toString('base64');
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
