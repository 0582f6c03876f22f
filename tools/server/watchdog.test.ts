import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Told {
  readonly said: { readonly message: string; readonly milliseconds: number; readonly stack: readonly string[] };
  /** How many there were, and what was counted. */
  readonly lines: number;
  readonly metrics: string;
}

/** Only the main thread of a process can be asked, which tests are not sure to be. */
async function standStill(milliseconds: number): Promise<Told & { readonly stderr: string }> {
  const child = fork(join(import.meta.dirname, 'testing', 'stalling-process.ts'), [String(milliseconds)], {
    silent: true,
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [[told], [code]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[Told], [number]];
  expect([code, stderr.includes('Error')]).toEqual([0, false]);
  return { ...told, stderr };
}

test('a process that stood still says for how long, and what ran', async () => {
  const { said, lines, metrics } = await standStill(900);
  expect(said.message).toBe('the process stood still; what ran is in the stack');
  expect(said.milliseconds).toBeGreaterThanOrEqual(700);
  expect(said.stack).toContainEqual(expect.stringMatching(/^standStill .*stalling-process\.ts:\d+$/));
  expect(metrics).toContain(`\nslipway_event_loop_stalls_total ${lines}\n`);
});

// On a busy machine the thread that watches may begin in the midst of the stall, and sees only its end.
test('a stall that lasts is told while it does', { retry: 3 }, async () => {
  const { stderr, said } = await standStill(2500);
  const told = stderr.split('\n').find((text) => text.startsWith('{') && text.includes('standStill'));
  const line = JSON.parse(told ?? '{}') as Told['said'];
  expect(line).toMatchObject({ msg: 'the process stands still; what runs is in the stack' });
  expect(line.stack).toContainEqual(expect.stringContaining('standStill'));
  expect(line.milliseconds).toBeLessThan(said.milliseconds);
});
