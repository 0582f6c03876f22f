import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the placement plug-in passes its own tests in its own folder', () => {
  const cwd = join(import.meta.dirname, 'placement-plugin');
  const report = execFileSync(process.execPath, ['--test', '--test-reporter=tap'], { cwd, encoding: 'utf8' });
  expect(report).toMatch(/^# pass 3$/m);
  expect(report).toMatch(/^# fail 0$/m);
});
