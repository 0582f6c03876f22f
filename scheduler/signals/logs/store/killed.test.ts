import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { expect, test } from 'vitest';
import { account, openedLogs } from './testing/opened.ts';

const rounds = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 6 : 60;

/** A server that puts numbered lines and compacts without pause; it says which lines were acknowledged. */
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
    createInterface({ input: child.stdout! }).on('line', (line) => {
      acknowledged.push(line);
      if (acknowledged.length >= 60 + 17 * run) resolve();
    });
    child.once('close', () => reject(new Error('the writer ended by itself')));
  });
  return { child, acknowledged, some };
}

test(
  'servers killed at any moment, while they store and compact, lose no acknowledged line and double none',
  { timeout: 300_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-logs-'));
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
    const opened = openedLogs(storage.blobs, () => storage.records);
    const store = opened.server();
    const found = new Map<string, number>();
    for (let after: string | undefined; ;) {
      const page = await store.scan(account, 'g', { limit: 10_000, after });
      for (const { message } of page.events) found.set(message, (found.get(message) ?? 0) + 1);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(acknowledged.filter((line) => !found.has(line))).toEqual([]);
    expect([...found].filter(([, times]) => times !== 1)).toEqual([]);
    // Within a stream of one server, lines are in the order in which they were put.
    for (let run = 0; run < rounds; run++) {
      const { events } = await store.read(account, 'g', `s-${run}-0`, { direction: 'forward', limit: 10_000 });
      const numbers = events.map(({ message }) => Number(message.split(' ')[2]));
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
      expect(numbers.length).toBeGreaterThan(0);
    }
    await store.close();
    await storage.close();
    await rm(folder, { recursive: true });
  },
);
