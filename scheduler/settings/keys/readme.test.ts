import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { kmsOperations } from './create-kms.ts';
import { notServed } from './not-served.ts';

test('the page of settings names every operation of KMS that is served, once, and no other', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, table = ''] = /## KMS\n([^]*?)\n\n[^|]/.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| [^|]+ \| ([A-Z][^|]+) \|$/gm)].flatMap(([, cell = '']) => cell.split(', '));
  const served = Object.keys(kmsOperations).filter((name) => !Object.hasOwn(notServed, name));
  expect(named.toSorted()).toEqual(served.toSorted());
});
