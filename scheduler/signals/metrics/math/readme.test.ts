import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { functionNames } from './index.ts';

test('the page of metrics names every function of metric math', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const [, named = ''] = /these functions: `([^`]+)`/.exec(readme) ?? [];
  expect(named.split(/\s+/)).toEqual(functionNames.toSorted());
});
