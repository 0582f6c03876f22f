import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Rests } from './background.ts';

test('what the committing thread has waited is answered with ten times as long a rest, at most half a minute', async () => {
  let waited = 1000;
  const slept: number[] = [];
  const rests = new Rests(
    () => waited,
    async (milliseconds) => {
      slept.push(milliseconds);
      // Whatever happens to the thread meanwhile has nothing to do with our commits.
      waited += 500;
    },
  );
  for (const more of [0, 49, 60, 10, 200, 60_000, 0]) {
    waited += more;
    await rests.rest();
  }
  expect(slept).toEqual([600, 2000, 30_000]);
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
