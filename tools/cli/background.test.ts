import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Rests } from './background.ts';

test('it rests as long as it worked, and ten times as long as its commits had to wait, at most half a minute', async () => {
  let now = 5000;
  let waited = 1000;
  const slept: number[] = [];
  const rests = new Rests(
    () => now,
    () => waited,
    async (milliseconds) => {
      slept.push(milliseconds);
      // Whatever happens to the thread meanwhile has nothing to do with our commits.
      waited += 500;
      now += milliseconds;
    },
  );
  for (const [worked, more] of [
    [80, 0],
    [80, 49],
    [80, 60],
    [900, 60],
    [60_000, 0],
    [60_000, 60_000],
  ] as const) {
    now += worked;
    waited += more;
    await rests.rest();
  }
  expect(slept).toEqual([80, 80, 600, 900, 30_000, 30_000]);
});

test.runIf(process.platform === 'linux')('slipway gc gives way to everything else from its first moment', async () => {
  const source = `
    const { yieldProcessor } = await import(${JSON.stringify(join(import.meta.dirname, 'background.ts'))});
    await yieldProcessor();
    new (await import('node:worker_threads')).Worker('setInterval(() => {}, 1000)', { eval: true }).on('online', () => console.log('ready'));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const policies = execFileSync('chrt', ['--all-tasks', '--pid', String(child.pid)], { encoding: 'utf8' });
    const found = [...policies.matchAll(/policy: (\w+)/g)].map(([, policy]) => policy);
    expect(found.length).toBeGreaterThan(5);
    expect(new Set(found)).toEqual(new Set(['SCHED_IDLE']));
  } finally {
    child.kill('SIGKILL');
  }
});
