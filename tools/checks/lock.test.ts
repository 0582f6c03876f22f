import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkLock } from './lock.ts';

function problemsOf(packages: object): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  try {
    const path = join(folder, 'package-lock.json');
    writeFileSync(path, JSON.stringify({ packages }));
    return checkLock(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('one exact version of a package serves the whole workspace', () => {
  expect(
    problemsOf({ auth: { dependencies: { jose: '6.2.17' } }, tools: { devDependencies: { jose: '6.2.17' } } }),
  ).toEqual([]);
  expect(
    problemsOf({ auth: { dependencies: { jose: '6.2.17' } }, tools: { devDependencies: { jose: '6.2.16' } } }),
  ).toEqual(['tools wants jose 6.2.16, and auth 6.2.17']);
  expect(problemsOf({ auth: { dependencies: { jose: '^6.2.17' } } })).toEqual([
    'auth wants jose ^6.2.17: name an exact version',
  ]);
  // What packages of others want is their matter.
  expect(problemsOf({ 'node_modules/x': { dependencies: { jose: '^1.0.0' } } })).toEqual([]);
});

test('no download addresses, and no optional package that the lock lacks', () => {
  expect(problemsOf({ 'node_modules/x': { resolved: 'https://example.com/x.tgz' } })).toHaveLength(1);
  expect(problemsOf({ 'node_modules/x': { optionalDependencies: { 'x-linux': '1.0.0' } } })).toHaveLength(1);
});
