import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { autoScalingOperations } from './create-autoscaling.ts';
import { notServed } from './not-served.ts';

test('the page of groups names every operation that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'groups.md'), 'utf8');
  const [, table = ''] = /## Operations\n([^]*?)\n\n[^|]/.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(autoScalingOperations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});
