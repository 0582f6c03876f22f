/**
 * A server in small, to be killed: puts numbered lines from several streams and compacts, without pause, and prints each line after it
 * has been acknowledged. Takes the folder of its stores, and the number of its run.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { account, openedLogs } from './opened.ts';

const [folder = '', run = ''] = process.argv.slice(2);
const storage = await openStorage(
  {
    records: { type: 'sqlite', file: join(folder, 'records.db') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  },
  systemClock,
);
const opened = openedLogs(storage.blobs, () => storage.records);
const store = opened.server();
if ((await store.group(account, 'g')) === undefined)
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });

async function put(lane: number): Promise<void> {
  const stream = `s-${run}-${lane}`;
  await store.createStream(account, 'g', stream);
  for (let n = 0; ; n++) {
    const message = `${run} ${lane} ${n} ${'x'.repeat(n % 50)}`;
    await store.put(account, 'g', stream, [{ timestamp: Date.now(), message }]);
    writeSync(1, `${message}\n`);
  }
}

async function compact(): Promise<void> {
  for (;;) {
    await opened.upkeep(store);
    // Replaced blobs go at once, or nearly so.
    opened.clock.time += 60_000;
  }
}

await Promise.all([put(0), put(1), put(2), compact()]);
