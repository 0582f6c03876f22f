/**
 * A server in small, to be killed: counts up series and compacts, without pause, and prints the name of a series after each put of it was
 * acknowledged. Takes the folder of its stores, and the number of its run.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';

import { account, openedMetrics, upkeep } from './opened.ts';

const [folder = '', run = ''] = process.argv.slice(2);
const { records, blobs } = await openStorage(
  {
    records: { type: 'sqlite', file: join(folder, 'records.db') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  },
  systemClock,
);
const opened = openedMetrics({ records, blobs, clock: systemClock });
const store = opened.server({ compaction: { fanIn: 2 } });

async function put(lane: number): Promise<void> {
  const name = `${run}-${lane}`;
  for (;;) {
    await store.put(account, [
      { namespace: 'App', name, dimensions: [], timestamp: systemClock.now(), resolution: 60, measured: 1 },
    ]);
    writeSync(1, `${name}\n`);
  }
}

async function compact(): Promise<void> {
  for (;;) await upkeep(await opened.compaction(store));
}

await Promise.all([put(0), put(1), put(2), compact()]);
