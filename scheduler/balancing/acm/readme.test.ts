import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { acmOperations } from './create-acm.ts';
import { notServed } from './not-served.ts';

test('the page of load balancing names every operation of ACM that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Certificates\n([^]*?)\n## /.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(acmOperations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});
