import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';

import { decrypt, encrypt, headOf, overhead } from './ciphertext.ts';

const head = { account: '000000000012', keyId: '0fedcba9-8765-4321-8abc-0123456789ab', version: 7 };
const material = randomBytes(32);
const context = { b: '2', a: '1' };
const sealed = encrypt(material, head, context, Buffer.from('secret'), randomBytes);

test('a ciphertext says whose key made it, and opens with the same material and context alone', () => {
  expect(headOf(sealed)).toEqual(head);
  expect(sealed.length).toBe(6 + overhead);
  expect(decrypt(material, { a: '1', b: '2' }, sealed)?.toString()).toBe('secret');
  expect(decrypt(randomBytes(32), context, sealed)).toBeUndefined();
  for (const other of [{}, { a: '1' }, { a: '1', b: '3' }, { a: '1', b: '2', c: '' }, { a1: '', b: '2' }])
    expect(decrypt(material, other, sealed)).toBeUndefined();
});

test('no byte of it can be changed, left out or added', () => {
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    expect([at, decrypt(material, context, changed)]).toEqual([at, undefined]);
  }
  expect(decrypt(material, context, sealed.subarray(0, -1))).toBeUndefined();
  expect(decrypt(material, context, Buffer.concat([sealed, Buffer.from([0])]))).toBeUndefined();
});

test('what is no ciphertext has no head', () => {
  for (const bytes of [Buffer.alloc(0), sealed.subarray(0, overhead - 1), Buffer.alloc(500), randomBytes(8)])
    expect(headOf(bytes)).toBeUndefined();
  // Six bytes hold more than an account has digits.
  const large = Buffer.from(sealed);
  large.fill(0xff, 1, 7);
  expect(headOf(large)).toBeUndefined();
});

test('the same text is never encrypted alike', () => {
  const again = encrypt(material, head, context, Buffer.from('secret'), randomBytes);
  expect(again.equals(sealed)).toBe(false);
});
