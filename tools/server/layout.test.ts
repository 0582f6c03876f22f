import { checkLayout } from '@slipway/storage/records';
import { expect, test } from 'vitest';
import { layout } from './layout.ts';

test('no two rooms claim a record, and no two patterns a partition', () => {
  expect(checkLayout(layout)).toEqual([]);
});
