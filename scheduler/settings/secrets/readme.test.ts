import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { secretsOperations } from './create-secrets-manager.ts';
import { notServed } from './not-served.ts';

test('the page of settings names every operation of Secrets Manager that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## Secrets Manager\n([^]*?)\n\n[^|]/.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(secretsOperations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});
