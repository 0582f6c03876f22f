export { fill, watchLists } from './lists.ts';
export { checkpoint, type MemoryData, memoryData, memoryRecords } from './memory-records.ts';
export { hasRedis, redisMissing, RedisServer } from './redis-server.ts';
