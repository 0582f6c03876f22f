export { checkpoint, type MemoryData, memoryData, memoryRecords } from './memory-records.ts';
export { freePort, hasRedis, redisMissing, RedisServer } from './redis-server.ts';
