import { createHash } from 'node:crypto';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/testing';
import { expect, test } from 'vitest';
import { createSigning, storedKeys } from './index.ts';

test('every server verifies what any of them signed, with a key that is made once', async () => {
  const records = memoryRecords(systemClock);
  const place = { partition: (account: string) => `things/${account}`, key: 'signing-key' };
  let made = 0;
  const random = (bytes: number): Uint8Array =>
    createHash('sha512').update(`seed ${made++}`).digest().subarray(0, bytes);
  const servers = [1, 2].map(() => createSigning(storedKeys(records, random, place)));
  const [one, other] = servers as [(typeof servers)[0], (typeof servers)[0]];
  const text = await one.sign('1', 'ticket', ['web', '']);
  expect(await other.verify('1', 'ticket', text)).toEqual(['web', '']);
  expect(await other.verify('2', 'ticket', text)).toBeUndefined();
  expect(await other.verify('1', 'page', text)).toBeUndefined();
  expect(made).toBe(2);
});
