import type { LoginProfileEntity } from '../entities.ts';
import type { Seal } from '../seal.ts';
import type { PasswordHashes } from './hash.ts';

/** Hashes are sealed as secrets are: whoever reads the store without the key cannot even guess at passwords. */
const sealedFor = (userId: string): string => `password ${userId}`;

export const openHashes = (seal: Seal, { sealed, userId }: LoginProfileEntity): PasswordHashes =>
  JSON.parse(seal.open(sealed, sealedFor(userId))) as PasswordHashes;

export const sealHashes = (seal: Seal, userId: string, hashes: PasswordHashes): string =>
  seal.seal(JSON.stringify(hashes), sealedFor(userId));
