import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { elbOperations } from './create-elb.ts';
import { notServed } from './not-served.ts';

test('the page of load balancing names every operation of the classic API that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Classic Load Balancers\n([^]*?)\n## /.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(elbOperations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});
