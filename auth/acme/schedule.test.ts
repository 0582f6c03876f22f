import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextLook, orderTime, renewalTime, retryTime, suggestedTime } from './schedule.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const quarter = { notBefore: 0, notAfter: 90 * day };
const week = { notBefore: 0, notAfter: 6 * day };

const validities = fc
  .record({ notBefore: fc.integer({ min: 0, max: 2 ** 41 }), lifetime: fc.integer({ min: minute, max: 400 * day }) })
  .map(({ notBefore, lifetime }) => ({ notBefore, notAfter: notBefore + lifetime, lifetime }));
const chances = fc.double({ min: 0, max: 0.999_999, noNaN: true });

test('a certificate is renewed when a third of its lifetime is left, or up to a tenth of that earlier', () => {
  expect(renewalTime(quarter, 0)).toBe(60 * day);
  expect(renewalTime(quarter, 1)).toBe(57 * day);
  expect(renewalTime(week, 0)).toBe(4 * day);
});

test('a time within the suggested window is taken; a window in the past means now', () => {
  expect(suggestedTime({ start: 50 * day, end: 52 * day }, quarter, 0.5)).toBe(51 * day);
  expect(suggestedTime({ start: 10 * day, end: 11 * day }, quarter, 0)).toBe(10 * day);
});

test('whatever an authority suggests, certificates are neither ordered over and over nor left to end', () => {
  fc.assert(
    fc.property(validities, fc.integer(), fc.integer(), chances, (validity, start, end, random) => {
      const at = suggestedTime({ start, end }, validity, random);
      expect(at).toBeGreaterThanOrEqual(validity.notBefore + validity.lifetime / 100);
      expect(at).toBeLessThanOrEqual(validity.notAfter - validity.lifetime / 5);
    }),
  );
});

test('the authority is asked again as it says, between a minute and a day, and often enough for short lives', () => {
  expect(nextLook(0, quarter, undefined)).toBe(6 * hour);
  expect(nextLook(0, quarter, 0)).toBe(minute);
  expect(nextLook(0, quarter, 30 * day)).toBe(day);
  expect(nextLook(0, week, 12 * hour)).toBe(7.2 * hour);
});

test('failures wait a minute, ten, a hundred, and at most a day; without a certificate six hours', () => {
  const waits = [1, 2, 3, 4, 5].map((failures) => retryTime(0, failures, quarter, undefined, 0));
  expect(waits).toEqual([minute, 10 * minute, 100 * minute, 1000 * minute, day]);
  expect(retryTime(0, 9, undefined, undefined, 0)).toBe(6 * hour);
  expect(retryTime(0, 9, { notBefore: 0, notAfter: day }, undefined, 0)).toBe(hour);
});

test('an authority that wants to be left alone is', () => {
  expect(retryTime(0, 1, quarter, 3 * day, 0)).toBe(3 * day);
});

test('a certificate that lives for a day or more is tried for at least six times before it ends', () => {
  fc.assert(
    fc.property(validities, chances, (validity, random) => {
      fc.pre(validity.lifetime >= day);
      let now = renewalTime(validity, random);
      let tries = 0;
      for (; now < validity.notAfter; tries++) now = retryTime(now, tries + 1, validity, undefined, random);
      expect(tries).toBeGreaterThanOrEqual(6);
    }),
  );
});

test('what is missing or does not fit is ordered at once, unless that has just failed; a request waits for nothing', () => {
  const nothing = { certificate: undefined, suggestedAt: undefined, notBefore: undefined, requested: false };
  expect(orderTime(nothing)).toBe(0);
  expect(orderTime({ ...nothing, notBefore: 7 })).toBe(7);
  expect(orderTime({ ...nothing, certificate: { fits: false, renewAt: 9 }, suggestedAt: 8 })).toBe(0);
  const fitting = { ...nothing, certificate: { fits: true, renewAt: 9 } };
  expect(orderTime(fitting)).toBe(9);
  expect(orderTime({ ...fitting, suggestedAt: 8 })).toBe(8);
  expect(orderTime({ ...fitting, notBefore: 10 })).toBe(10);
  expect(orderTime({ ...fitting, notBefore: 10, requested: true })).toBe(0);
});
