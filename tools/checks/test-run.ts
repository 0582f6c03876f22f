import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { againOf, type TestReport, verdictOf } from './verdict.ts';

/**
 * Runs the checks, then every test by vitest, and closes with one line `N passed, N failed, N skipped` that any
 * CI can read. A few files that failed are run once more, alone: what passes then is named as unsteady above that line.
 * Arguments are handed to vitest, so `npm test -- storage` narrows the run (the checks and the second run are left out then).
 */
const root = join(import.meta.dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'slipway-tests-'));
const filters = process.argv.slice(2);

/** What vitest makes of these files; undefined when it could not tell, which is a failure. */
function testsOf(name: string, args: readonly string[]): TestReport | undefined {
  const file = join(scratch, `${name}.json`);
  const reporter = join(import.meta.dirname, 'testing', 'report.ts');
  const { status } = spawnSync('vitest', ['run', '--reporter=default', `--reporter=${reporter}`, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, SLIPWAY_TEST_REPORT: file },
  });
  const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as TestReport) : undefined;
  // What fails without a test that failed, such as a threshold or a signal, belongs to none.
  const told = report === undefined || report.unhandled > 0 || report.files.some(({ failed }) => failed.length > 0);
  return status === 0 || told ? report : { ...report, unhandled: 1 };
}

let checksFailed = false;
if (filters.length === 0) {
  checksFailed =
    spawnSync(process.execPath, [join(root, 'tools', 'checks', 'main.ts')], { stdio: 'inherit' }).status !== 0;
}

const first = testsOf('first', filters);
const again = first === undefined || filters.length > 0 ? [] : againOf(first);
if (again.length > 0) process.stdout.write('\nOnce more, alone: what failed beside other tests.\n');
const second = again.length === 0 ? undefined : testsOf('second', ['--maxWorkers=1', ...again]);
rmSync(scratch, { recursive: true, force: true });

const { passed, failed, skipped, unsteady } = verdictOf(first ?? { unhandled: 1, files: [] }, second);
for (const test of unsteady)
  process.stdout.write(`unsteady: ${relative(root, test)} failed beside other tests and passed alone\n`);
const failures = failed + (checksFailed ? 1 : 0);
process.stdout.write(`\n${passed} passed, ${failures} failed, ${skipped} skipped\n`);
process.exit(failures === 0 && passed > 0 ? 0 : 1);
