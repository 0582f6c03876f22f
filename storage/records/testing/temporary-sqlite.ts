import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock/index.ts';
import { openSqliteRecords } from '../sqlite-records.ts';
import type { OpenedRecords } from './contract.ts';

/** A sqlite store in a folder of its own, removed when it is disposed of. */
export async function temporarySqlite(): Promise<OpenedRecords> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-sqlite-'));
  const another = () => openSqliteRecords({ file: join(folder, 'records.db') }, systemClock);
  const store = await another();
  return {
    store,
    another,
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}
