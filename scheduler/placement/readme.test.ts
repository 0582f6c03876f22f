import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('every example of the README runs and prints what its comments say', () => {
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code);
  expect(examples.length).toBeGreaterThan(1);
  for (const code of examples) {
    const said = [...code.matchAll(/console\.log\(.*\);\s+\/\/ (.*)/g)].map(([, text]) => text);
    const run = ['--input-type=module-typescript', '--eval', code];
    const printed = execFileSync(process.execPath, run, { cwd: import.meta.dirname, encoding: 'utf8' });
    expect(printed.trim().split('\n')).toEqual(said);
  }
});
