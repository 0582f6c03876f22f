export { type MemoryData, memoryData, memoryRecords } from './memory-records.ts';
