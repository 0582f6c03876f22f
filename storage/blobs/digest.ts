import type { Digest } from './blob-store.ts';

const digestPattern = /^(sha256):([0-9a-f]{64})$|^(sha512):([0-9a-f]{128})$/;

/**
 * The parts of a digest. Drivers build names from the parts, so nothing else may come through.
 * @throws TypeError when it is not a digest of a known algorithm
 */
export function splitDigest(digest: Digest): { readonly algorithm: 'sha256' | 'sha512'; readonly hex: string } {
  const match = digestPattern.exec(digest);
  if (match === null) throw new TypeError(`not a sha256 or sha512 digest: ${digest}`);
  return match[1] === undefined ? { algorithm: 'sha512', hex: match[4]! } : { algorithm: 'sha256', hex: match[2]! };
}

/** Ids of uploads and generations become names of files and objects. @throws TypeError for anything else */
export function checkId(id: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new TypeError(`not an upload or generation: ${id}`);
  return id;
}
