import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { ec2Operations } from './create-ec2.ts';
import { notServed } from './not-served.ts';

test('the page of the network names every operation that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Operations\n([^]*?)\n## /.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(ec2Operations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});

test('nothing is both served and refused by name', () => {
  expect(Object.keys(ec2Operations)).toHaveLength(new Set(Object.keys(ec2Operations)).size);
  for (const [name, instead] of Object.entries(notServed)) expect(`${name}: ${instead}`).toMatch(/\.$/);
});
