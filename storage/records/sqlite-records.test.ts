import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock/index.ts';
import { openSqliteRecords } from './index.ts';
import { describeRecordStore } from './testing/contract.ts';

describeRecordStore('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-sqlite-'));
  const open = () => openSqliteRecords({ file: join(folder, 'records.db') }, systemClock);
  const store = await open();
  return {
    store,
    another: open,
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});
