import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { codeBlocks } from '../testbed/readme.ts';

const root = join(import.meta.dirname, '..', '..');
const report = (cwd: string): string =>
  execFileSync(process.execPath, ['--test', '--test-reporter=tap'], { cwd, encoding: 'utf8' });

test('the placement plug-in passes its own tests in its own folder', () => {
  const said = report(join(import.meta.dirname, 'placement-plugin'));
  expect(said).toMatch(/^# pass 3$/m);
  expect(said).toMatch(/^# fail 0$/m);
});

test("what the README adds, a strategy in one file, passes the README's own test of it", () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [strategy = '', itsTest = ''] = codeBlocks('README.md', 'Adding one thing, worked through', 'ts');
  writeFileSync(join(folder, 'index.ts'), strategy);
  writeFileSync(join(folder, 'test.ts'), itsTest);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const said = report(folder);
  expect(said).toMatch(/^# pass 1$/m);
  expect(said).toMatch(/^# fail 0$/m);
});
