import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

import type { RandomBytes } from '../../state/index.ts';

/** What a ciphertext says of itself, in the clear: which key opens it. */
export interface CiphertextHead {
  readonly account: string;
  readonly keyId: string;
  /** Of the material. */
  readonly version: number;
}

export type EncryptionContext = Readonly<Record<string, string>>;

/** Format, account, key, version of the material, salt, nonce; then the ciphertext and its tag. */
const format = 1;
const at = { account: 1, key: 7, version: 23, salt: 27, nonce: 43, body: 55 } as const;
const tagBytes = 16;
/** By how many bytes a ciphertext is longer than what it was made of. */
export const overhead: number = at.body + tagBytes;

/**
 * Encrypts with AES-256-GCM under a key that is derived from the material for this one message (HKDF-SHA-256 with 128 random bits), so that
 * no number of messages wears a material out. The head and the encryption context are authenticated.
 */
export function encrypt(
  material: Uint8Array,
  head: CiphertextHead,
  context: EncryptionContext,
  plain: Uint8Array,
  random: RandomBytes,
): Buffer {
  const start = Buffer.alloc(at.body);
  start.writeUInt8(format, 0);
  start.writeUIntBE(Number(head.account), at.account, 6);
  start.write(head.keyId.replaceAll('-', ''), at.key, 'hex');
  start.writeUInt32BE(head.version, at.version);
  start.set(random(at.nonce - at.salt), at.salt);
  start.set(random(at.body - at.nonce), at.nonce);
  const cipher = createCipheriv('aes-256-gcm', derived(material, start), start.subarray(at.nonce, at.body));
  cipher.setAAD(associated(start, context));
  return Buffer.concat([start, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Which key a ciphertext was made with; undefined when it is none. */
export function headOf(bytes: Uint8Array): CiphertextHead | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < overhead || buffer[0] !== format) return undefined;
  const account = String(buffer.readUIntBE(at.account, 6)).padStart(12, '0');
  if (account.length !== 12) return undefined;
  const hex = buffer.toString('hex', at.key, at.version);
  return {
    account,
    keyId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    version: buffer.readUInt32BE(at.version),
  };
}

/** @returns undefined when it was changed, or encrypted with another material or context */
export function decrypt(material: Uint8Array, context: EncryptionContext, bytes: Uint8Array): Buffer | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = buffer.subarray(0, at.body);
  const decipher = createDecipheriv('aes-256-gcm', derived(material, start), start.subarray(at.nonce), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(associated(start, context));
  decipher.setAuthTag(buffer.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(buffer.subarray(at.body, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const derived = (material: Uint8Array, start: Buffer): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', material, start.subarray(at.salt, at.nonce), 'slipway kms message', 32));

/** The head, then the context's pairs in the order of their keys, each text with its length: no two contexts are written alike. */
function associated(start: Buffer, context: EncryptionContext): Buffer {
  const parts = [start.subarray(0, at.nonce)];
  for (const key of Object.keys(context).toSorted((a, b) => (a < b ? -1 : 1))) {
    for (const text of [key, context[key] ?? '']) {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    }
  }
  return Buffer.concat(parts);
}
