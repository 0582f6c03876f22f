export { type MemoryData, memoryData, memoryRecords } from './memory-records.ts';
export { freePort, hasRedis, RedisServer } from './redis-server.ts';
