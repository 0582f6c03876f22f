// The two functions of `node:crypto` that the data channel takes. Browsers hash only pages under TLS; this one (audited, no dependencies) always.
import { sha256 } from '@noble/hashes/sha2.js';

export const hash = (_algorithm: 'sha256', data: Uint8Array): Buffer => Buffer.from(sha256(new Uint8Array(data)));

/** What is compared is no secret here: whether a payload is whole. */
export const timingSafeEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, i) => byte === other[i]);
