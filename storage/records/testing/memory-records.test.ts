import { systemClock } from '../../clock/index.ts';
import { describeRecordStore } from './contract.ts';
import { memoryData, memoryRecords } from './memory-records.ts';

describeRecordStore('memory', async () => {
  const data = memoryData();
  const store = memoryRecords(systemClock, data);
  return { store, another: async () => memoryRecords(systemClock, data), dispose: () => store.close() };
});
