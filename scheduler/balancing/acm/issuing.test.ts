import { expect, test } from 'vitest';

import type { RequestedRecord } from '../records/index.ts';

import { begun, givenUp, issued, nextOf, refused, validationLimit } from './issuing.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

const pending: RequestedRecord = {
  id: 'one',
  tags: {},
  domainName: 'www.example.com',
  names: ['www.example.com'],
  keyAlgorithm: 'RSA_2048',
  createdAt: 1000,
  state: 'pending',
  due: 1000,
  failures: 0,
  challenges: [],
};
const validity = { notBefore: 0, notAfter: 90 * day };

test('an order is due at once, is left to its server for two minutes, and is given up when nobody proves the names in 72 hours', () => {
  expect(nextOf(pending, false)).toEqual({ at: 1000, what: 'order' });
  let record = begun(pending, 2000);
  expect(nextOf(record, false)).toEqual({ at: 2000 + 2 * minute, what: 'order' });
  // What ends each server in the midst of an order makes no certificate every two minutes.
  for (const wait of [6, 18, 54, 60]) {
    record = begun(record, 0);
    expect(record.due).toBe(wait * minute);
  }
  const no = { refused: 'dns', message: '', retryAfterMs: undefined };
  for (const heard of [refused(record, no, 0, 0), issued(record, validity, 0, 0)])
    expect(begun(heard, 0).due).toBe(2 * minute);
  const late = { ...pending, due: 1000 + validationLimit };
  expect(nextOf(late, false)).toEqual({ at: 1000 + validationLimit, what: 'give-up' });
  expect(nextOf(givenUp(late), true)).toBe(undefined);
});

test('refused orders come again after 1, 3, 9, 27 minutes, then each hour, and never before the authority allows', () => {
  const no = { refused: 'connection', message: 'nobody is there', retryAfterMs: undefined };
  let record = pending;
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    record = refused(record, no, 0, 0);
    waits.push(record.due / minute);
  }
  expect(waits).toEqual([1, 3, 9, 27, 60, 60]);
  expect(record).toMatchObject({ state: 'pending', failures: 6, trouble: { kind: 'connection' } });
  expect(refused(pending, { ...no, retryAfterMs: 5 * minute }, 0, 0.5).due).toBe(5 * minute);
  expect(refused(pending, no, 0, 0.5).due).toBe(1.05 * minute);
  // That there is no account yet is no fault of the names.
  expect(refused(pending, { ...no, refused: 'noAccount' }, 0, 0)).toMatchObject({ failures: 0, due: 15_000 });
});

test('what no later order will change ends a request in words of ACM, but never a certificate that is there', () => {
  const caa = { refused: 'caa', message: 'forbidden', retryAfterMs: undefined };
  expect(refused(pending, caa, 0, 0)).toMatchObject({ state: 'failed', failure: 'CAA_ERROR' });
  const { state, failure } = refused(pending, { ...caa, refused: 'rejectedIdentifier' }, 0, 0);
  expect([state, failure]).toEqual(['failed', 'DOMAIN_NOT_ALLOWED']);
  expect(nextOf(refused(pending, caa, 0, 0), true)).toBe(undefined);
  const there = refused(issued(pending, validity, 0, 0), caa, 7, 0);
  expect(there).toMatchObject({ state: 'issued', renewal: { status: 'PENDING_VALIDATION', updatedAt: 7 } });
});

test('a certificate is renewed when a third of its life is left, or up to a tenth earlier, and only while a listener has it', () => {
  const made = issued(
    refused(pending, { refused: 'dns', message: 'no', retryAfterMs: undefined }, 0, 0),
    validity,
    5,
    0,
  );
  expect(made).toMatchObject({ state: 'issued', failures: 0, due: 60 * day });
  expect(made.trouble).toBe(undefined);
  expect(made.renewal).toBe(undefined);
  expect(issued(pending, validity, 5, 1).due).toBe(57 * day);
  // Whoever gives out what is nearly over is not asked over and over.
  expect(issued(pending, validity, 80 * day, 0).due).toBe(85 * day);
  expect(nextOf(made, true)).toEqual({ at: 60 * day, what: 'order' });
  expect(nextOf(made, false)).toBe(undefined);
  const renewing = begun(made, 60 * day);
  expect(renewing.renewal).toEqual({ status: 'PENDING_AUTO_RENEWAL', updatedAt: 60 * day });
  expect(issued(renewing, validity, 9, 0).renewal).toEqual({ status: 'SUCCESS', updatedAt: 9 });
});
