import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { expect, test } from 'vitest';

import { account, openedMetrics } from './testing/opened.ts';

const rounds = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 4 : 40;

/** A server that counts without pause; it says what was acknowledged. */
function startWriter(
  folder: string,
  run: number,
): { readonly child: ChildProcess; readonly acknowledged: string[]; readonly some: Promise<void> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing/writer.ts'), folder, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const acknowledged: string[] = [];
  const some = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      acknowledged.push(line);
      if (acknowledged.length >= 60 + 17 * run) resolve();
    });
    child.once('close', () => reject(new Error('the writer ended by itself')));
  });
  return { child, acknowledged, some };
}

test(
  'servers killed at any moment, while they store and compact, lose no acknowledged sample and double none',
  { timeout: 300_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-metrics-'));
    const acknowledged: string[] = [];
    for (let run = 0; run < rounds; run++) {
      const writer = startWriter(folder, run);
      await writer.some;
      writer.child.kill('SIGKILL');
      await once(writer.child, 'close');
      acknowledged.push(...writer.acknowledged);
    }
    const storage = await openStorage(
      {
        records: { type: 'sqlite', file: join(folder, 'records.db') },
        blobs: { type: 'filesystem', root: join(folder, 'blobs') },
      },
      systemClock,
    );
    const store = openedMetrics({ ...storage, clock: systemClock }).server();
    const names = Array.from({ length: 3 * rounds }, (_, index) => `${Math.floor(index / 3)}-${index % 3}`);
    const now = systemClock.now();
    const range = { from: now - 3_600_000, to: now + 3_600_000, period: 60 };
    const found = await store.read(
      account,
      names.map((name) => ({ namespace: 'App', name, dimensions: [] })),
      range,
    );
    for (const [index, name] of names.entries()) {
      const said = acknowledged.filter((one) => one === name).length;
      const counted = (found[index] ?? []).reduce((sum, { count }) => sum + count, 0);
      // One more may have been stored whose answer never came.
      expect([said, said + 1], name).toContain(counted);
    }
    await store.close();
    await storage.close();
    await rm(folder, { recursive: true });
  },
);
