import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkBoundaries } from './boundaries.ts';
import { checkLock } from './lock.ts';
import { checkOutbound } from './outbound.ts';
import { checkPromises } from './promises.ts';

/** `npm run check`: format, lint, types, import boundaries, outbound requests, promises and the lock file, one line each; exit 1 when any fails. */
const root = join(import.meta.dirname, '..', '..');

const steps: readonly (readonly [string, () => readonly string[]])[] = [
  ['boundaries', () => checkBoundaries(root)],
  ['outbound requests', () => checkOutbound(root)],
  ['promises', () => checkPromises(root)],
  ['lock file', () => checkLock(join(root, 'package-lock.json'))],
  ['format', () => run('oxfmt', ['--check', '.'])],
  ['lint', () => run('oxlint', ['--quiet'])],
  ['types', () => run('nx', ['run-many', '-t', 'typecheck', '--outputStyle=static'])],
];

let failed = false;
for (const [name, step] of steps) {
  const started = performance.now();
  const problems = step();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${problems.length === 0 ? 'ok    ' : 'failed'} ${name} (${seconds} s)\n`);
  for (const problem of problems) process.stdout.write(`       ${problem}\n`);
  failed ||= problems.length > 0;
}
process.exit(failed ? 1 : 0);

function run(command: string, args: readonly string[]): string[] {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' },
  });
  if (result.error) return [`${command}: ${result.error.message}`];
  return result.status === 0 ? [] : `${result.stdout}${result.stderr}`.trimEnd().split('\n').slice(-60);
}
