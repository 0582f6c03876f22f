import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { served } from './routes.ts';

test('the page names the operations that are served', () => {
  const page = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('| what | operations |'), page.indexOf('- **What is never'));
  const named = [...table.matchAll(/\b[A-Z][A-Za-z0-9]+(?=,| \|)/g)]
    .map(([name]) => name)
    .filter((name) => name !== 'ACLs');
  expect(named.toSorted()).toEqual(served);
});
