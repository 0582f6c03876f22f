import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { invariants } from './invariants.ts';
import { mutations } from './mutations/index.ts';
import { faultSentences } from './plan.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');

/** Rows of a table whose head begins so, without the space that aligns them. */
function rowsOf(head: string): string[] {
  const lines = readme.split('\n').map((line) => line.replace(/ +\|/g, ' |'));
  const from = lines.findIndex((line) => line.startsWith(`| ${head} |`)) + 2;
  return lines.slice(from, lines.indexOf('', from));
}

test.each([
  ['fault', faultSentences],
  ['invariant', invariants],
])('the README tells of every %s, in its own words', (head, sentences) => {
  expect(rowsOf(head)).toEqual(Object.entries(sentences).map(([name, sentence]) => `| \`${name}\` | ${sentence} |`));
});

test('every planted mistake has one place in the source, and every invariant a mistake that it notices', () => {
  for (const { name, file, find } of mutations) {
    expect([name, readFileSync(join(root, file), 'utf8').split(find).length - 1]).toEqual([name, 1]);
  }
  const noticing = new Set(mutations.flatMap(({ caughtBy }) => caughtBy));
  // What fails by accident is no mistake that could be planted: it is noticed because it throws.
  expect(Object.keys(invariants).filter((name) => !noticing.has(name as keyof typeof invariants))).toEqual([
    'no-accident',
  ]);
});
