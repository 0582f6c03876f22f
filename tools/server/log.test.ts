import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Lines that a program of its own logs: pino writes to the descriptor, past what a test could replace. */
function linesOf(program: string): Record<string, unknown>[] {
  const log = join(import.meta.dirname, 'log.ts');
  const written = execFileSync(
    process.execPath,
    ['--input-type=module', '--eval', `import { openLog } from '${log}'; const log = openLog('info'); ${program}`],
    { encoding: 'utf8' },
  );
  return written
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line about a failure has its message, its stack and what caused it', () => {
  const [line] = linesOf(
    `log.warn({ task: 'web', err: new Error('could not pull', { cause: new Error('no route to host') }) }, 'a step failed');`,
  );
  expect(line).toMatchObject({ level: 40, task: 'web', msg: 'a step failed' });
  const { message, stack } = (line ?? {})['err'] as { message: string; stack: string };
  expect(message).toBe('could not pull: no route to host');
  expect(stack).toContain('caused by: Error: no route to host');
});

test('secrets are not written, whoever logs them', () => {
  const [line] = linesOf(`log.info({ password: 'hunter2', key: { secretAccessKey: 'hunter2' } }, 'made');`);
  expect(JSON.stringify(line)).not.toContain('hunter2');
  expect(line).toMatchObject({ msg: 'made', password: '[Redacted]' });
});
