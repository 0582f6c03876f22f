import { createHash } from 'node:crypto';

/** The algorithms that the image specification registers. */
export const algorithms = ['sha256', 'sha512'] as const;

export type Algorithm = (typeof algorithms)[number];

/** `<algorithm>:<hex>` of some bytes. */
export const digestOf = (bytes: Uint8Array, algorithm: Algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
