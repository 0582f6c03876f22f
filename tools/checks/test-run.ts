import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { againOf, together, type TestReport, verdictOf } from './verdict.ts';

/**
 * Runs the checks, then every test by vitest, and closes with one line `N passed, N failed, N skipped` that any
 * CI can read. A few files that failed are run once more, alone: what passes then is named as unsteady above that line.
 * Arguments are handed to vitest, so `npm test -- storage` narrows the run (the checks and the second run are left out then).
 */
const root = join(import.meta.dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'slipway-tests-'));
const filters = process.argv.slice(2);

/**
 * The file that computes for minutes on all processors and waits for nothing: it runs beside everything else, from the checks on, with
 * what the others leave of them.
 */
const aside = 'simulator/world/world.test.ts';

/**
 * What vitest makes of these files; undefined when it could not tell, which is a failure.
 * @param beside it runs with little priority beside that, and shows what it prints from its end on
 */
async function testsOf(
  name: string,
  args: readonly string[],
  { without, beside }: { readonly without?: string; readonly beside?: Promise<unknown> } = {},
): Promise<TestReport | undefined> {
  const file = join(scratch, `${name}.json`);
  const reporter = join(import.meta.dirname, 'testing', 'report.ts');
  const command = ['vitest', 'run', '--reporter=default', `--reporter=${reporter}`, ...args];
  const [program = '', ...words] = beside === undefined ? command : ['nice', '-n', '10', ...command];
  const shown = beside === undefined ? 'inherit' : 'pipe';
  const child = spawn(program, words, {
    cwd: root,
    stdio: ['inherit', shown, shown],
    env: { ...process.env, SLIPWAY_TEST_REPORT: file, SLIPWAY_TEST_WITHOUT: without },
  });
  const printed: Buffer[] = [];
  let hides = true;
  const show = (): void => {
    hides = false;
    for (const data of printed.splice(0)) process.stdout.write(data);
  };
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => void (hides ? printed.push(data) : process.stdout.write(data)));
  const shows = beside?.then(show);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  await shows;
  const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as TestReport) : undefined;
  // What fails without a test that failed, such as a threshold or a signal, belongs to none.
  const told = report === undefined || report.unhandled > 0 || report.files.some(({ failed }) => failed.length > 0);
  return code === 0 || told ? report : { ...report, unhandled: 1 };
}

/** Every test. */
async function everything(): Promise<TestReport> {
  const others = Promise.withResolvers<void>();
  const long = testsOf('aside', [aside], { beside: others.promise });
  checksFailed = !(await succeeds(process.execPath, join(root, 'tools', 'checks', 'main.ts')));
  const most = await testsOf('first', [], { without: aside });
  others.resolve();
  return together(most, await long);
}

const succeeds = (program: string, ...args: readonly string[]): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });

let checksFailed = false;
const first = filters.length === 0 ? await everything() : together(await testsOf('first', filters));
const again = filters.length > 0 ? [] : againOf(first);
if (again.length > 0) process.stdout.write('\nOnce more, alone: what failed beside other tests.\n');
const second = again.length === 0 ? undefined : together(await testsOf('second', ['--maxWorkers=1', ...again]));
rmSync(scratch, { recursive: true, force: true });

const { passed, failed, skipped, unsteady } = verdictOf(first, second);
for (const test of unsteady)
  process.stdout.write(`unsteady: ${relative(root, test)} failed beside other tests and passed alone\n`);
const failures = failed + (checksFailed ? 1 : 0);
process.stdout.write(`\n${passed} passed, ${failures} failed, ${skipped} skipped\n`);
process.exit(failures === 0 && passed > 0 ? 0 : 1);
