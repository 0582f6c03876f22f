import { test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { describeEventLog } from '../events/testing/contract.ts';
import { describeLeases } from '../leases/testing/contract.ts';
import { openRedisRecords } from './index.ts';
import { describeRecordStore, type OpenedRecords } from './testing/contract.ts';
import { hasRedis, RedisServer } from './testing/redis-server.ts';

if (hasRedis || process.env['CI']) {
  const alone = async (): Promise<OpenedRecords> => {
    const server = await RedisServer.start();
    const another = () => openRedisRecords({ url: server.url }, systemClock);
    const store = await another();
    const dispose = async () => {
      await store.close();
      await server.dispose();
    };
    return { store, another, dispose };
  };
  describeRecordStore('redis', alone);
  describeLeases('redis', alone);
  describeEventLog('redis', alone);
  describeRecordStore('redis cluster', async () => {
    const server = await RedisServer.start([
      '--cluster-announce-ip',
      '127.0.0.1',
      '--cluster-enabled',
      'yes',
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
    ]);
    await server.becomeCluster();
    const another = () => openRedisRecords({ url: [server.url] }, systemClock);
    const store = await another();
    const dispose = async () => {
      await store.close();
      await server.dispose();
    };
    return { store, another, dispose };
  });
} else {
  test.skip('the redis driver (redis-server is not on this machine)', () => {});
}
