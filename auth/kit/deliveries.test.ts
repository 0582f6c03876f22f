import { expect, test } from 'vitest';
import { deliveryWindow, signatureOf, verifyDelivery } from './index.ts';

test('a header is parsed in one way only', () => {
  const signed = { secret: 's', id: 'i', body: Buffer.from(''), now: 1_000_000 };
  const header = signatureOf('s', 'i', 1000, Buffer.from(''));
  expect(verifyDelivery(header, signed)).toMatch(/^[0-9a-f]{64}$/);
  for (const wrong of [`${header},v1=00`, ` ${header}`, header.toUpperCase(), header.replace('t=1000', 't=01000')])
    expect({ wrong, verified: verifyDelivery(wrong, signed) }).toEqual({ wrong, verified: undefined });
});

test('a signature is good for one id, one body and a time that is near', () => {
  const signed = { secret: 's', id: 'i', body: Buffer.from('{}'), now: 1_000_000 };
  const header = signatureOf('s', 'i', 1000, Buffer.from('{}'));
  expect(verifyDelivery(header, signed)).toBeDefined();
  expect(verifyDelivery(header, { ...signed, now: signed.now + deliveryWindow })).toBeDefined();
  for (const other of [{ secret: 't' }, { id: 'j' }, { body: Buffer.from('[]') }, { now: 1_000_001 + deliveryWindow }])
    expect({ other, verified: verifyDelivery(header, { ...signed, ...other }) }).toEqual({
      other,
      verified: undefined,
    });
});
