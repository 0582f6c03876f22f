import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import type { RandomBytes } from './ids.ts';

/** Encrypts secrets at rest with AES-256-GCM. The key is kept apart from the records. */
export interface Seal {
  /** @param subject what the secret belongs to (an access key id); it opens for nothing else */
  seal(secret: string, subject: string): string;
  /** @throws SealBroken when the text was sealed with another key, for another subject, or was changed */
  open(sealed: string, subject: string): string;
  /** A key for another purpose, 32 bytes, which tells nothing about this one (HKDF, RFC 5869). */
  keyFor(purpose: string): Uint8Array;
  /** Tells keys apart without revealing them. */
  readonly fingerprint: string;
}

export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

/** @param key 32 bytes */
export function createSeal(key: Uint8Array, random: RandomBytes): Seal {
  if (key.length !== 32) {
    throw new RangeError(`the identity encryption key has ${key.length} bytes, it needs 32`);
  }
  return {
    keyFor: (purpose) => new Uint8Array(hkdfSync('sha256', key, '', `slipway ${purpose}`, 32)),
    fingerprint: createHash('sha256').update('slipway identity key\0').update(key).digest('hex').slice(0, 16),
    seal(secret, subject) {
      const nonce = random(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(subject));
      const body = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open(sealed, subject) {
      const bytes = Buffer.from(sealed, 'base64');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
          .setAAD(Buffer.from(subject))
          .setAuthTag(bytes.subarray(12, 28));
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new SealBroken(`the secret of ${subject} does not open with the configured identity encryption key`, {
          cause,
        });
      }
    },
  };
}
