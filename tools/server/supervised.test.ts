import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const supervised = new URL('supervised.ts', import.meta.url).href;

/** Joins a supervisor, and has a thread in a call that nothing interrupts. */
const program = `
  import { Worker } from 'node:worker_threads';
  import { joinSupervisor, SharedMetrics } from '${supervised}';
  const busy = new Worker(\`
    import { spawnSync } from 'node:child_process';
    import { parentPort } from 'node:worker_threads';
    parentPort.postMessage('begins');
    spawnSync('sleep', ['20']);
  \`, { eval: true });
  busy.once('message', () => joinSupervisor(new SharedMetrics(undefined), { port: 1, processes: 1 }));
`;

test('a process whose supervisor is gone ends at once, whatever its threads wait for', async () => {
  const child = spawn(process.execPath, ['--conditions=development', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  expect(await once(child, 'message')).toEqual([{ type: 'listening', port: 1, processes: 1 }, undefined]);
  const ended = once(child, 'exit');
  child.disconnect();
  expect(await ended).toEqual([null, 'SIGKILL']);
});
