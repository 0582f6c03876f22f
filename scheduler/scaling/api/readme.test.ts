import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { scalingOperations } from './create-scaling.ts';

test('the page of scaling names every operation that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Operations\n([^]*?)\n\n[^|]/.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(scalingOperations);
  expect(named.toSorted()).toEqual(served.toSorted());
});
