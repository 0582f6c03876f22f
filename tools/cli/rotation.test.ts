import { expect, test } from 'vitest';

import { linesOf } from './rotation.ts';

const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf';

test('a rotation is told with what it is at, and why the last one was given up', () => {
  expect(linesOf({ arn, enabled: false })).toEqual(['nothing rotates this secret']);
  const standing = {
    arn,
    enabled: true,
    target: 'https://rotate.example.com',
    nextAt: Date.parse('2026-12-01T04:00:00Z'),
  };
  expect(linesOf(standing)).toEqual([
    'rotated by https://rotate.example.com',
    'last: never',
    'next: 2026-12-01T04:00:00',
  ]);
  const failing = {
    ...standing,
    enabled: false,
    lastAt: Date.parse('2026-11-01T04:00:00Z'),
    run: { step: 'setSecret', attempt: 2, reason: 'no answer' },
    failure: { at: Date.parse('2026-11-02T04:00:00Z'), reason: 'HTTP status 500' },
  };
  expect(linesOf(failing)).toEqual([
    'not rotated any more by https://rotate.example.com',
    'last: 2026-11-01T04:00:00',
    'next: 2026-12-01T04:00:00',
    'now at setSecret, attempt 2 (before: no answer)',
    'given up at 2026-11-02T04:00:00: HTTP status 500',
  ]);
});
