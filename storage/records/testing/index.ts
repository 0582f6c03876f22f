export { type MemoryData, memoryData, memoryRecords } from './memory-records.ts';
export { hasRedis, RedisServer } from './redis-server.ts';
