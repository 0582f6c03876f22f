import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the checks, then every test by vitest, and closes with one line `N passed, N failed, N skipped` that any
 * CI can read. Arguments are handed to vitest, so `npm test -- storage` narrows the run (the checks are skipped then).
 */
const root = join(import.meta.dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'slipway-tests-'));
const report = join(scratch, 'report.json');
const filters = process.argv.slice(2);

let checksFailed = false;
if (filters.length === 0) {
  checksFailed =
    spawnSync(process.execPath, [join(root, 'tools', 'checks', 'main.ts')], { stdio: 'inherit' }).status !== 0;
}

const run = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters],
  {
    cwd: root,
    stdio: 'inherit',
  },
);

let summary = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numFailedTestSuites: 0 };
if (existsSync(report)) summary = JSON.parse(readFileSync(report, 'utf8')) as typeof summary;
rmSync(scratch, { recursive: true, force: true });

const failed = summary.numFailedTests + (checksFailed ? 1 : 0);
const skipped = summary.numPendingTests + summary.numTodoTests;
process.stdout.write(`\n${summary.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(run.status === 0 && !checksFailed && summary.numPassedTests > 0 ? 0 : 1);
