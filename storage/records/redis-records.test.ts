import { systemClock } from '../clock/index.ts';
import { describeEventLog } from '../events/testing/contract.ts';
import { describeLeases } from '../leases/testing/contract.ts';
import { openRedisRecords } from './redis-records.ts';
import { describeRecordStore, type OpenedRecords } from './testing/contract.ts';
import { redisMissing, RedisServer } from './testing/redis-server.ts';

// Under CI the start of the server fails instead.
const missing = redisMissing === undefined || process.env['CI'] ? undefined : ` (${redisMissing})`;
const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

async function open(server: RedisServer, url: string | readonly string[]): Promise<OpenedRecords> {
  const another = () => openRedisRecords({ url }, systemClock);
  const store = await another();
  const dispose = async () => {
    await store.close();
    await server.dispose();
  };
  return { store, another, dispose };
}

async function alone(): Promise<OpenedRecords> {
  const server = await RedisServer.start(durable);
  return open(server, server.url);
}

async function cluster(): Promise<OpenedRecords> {
  const server = await RedisServer.start([
    '--cluster-enabled',
    'yes',
    '--cluster-announce-ip',
    '127.0.0.1',
    ...durable,
  ]);
  await server.becomeCluster();
  return open(server, [server.url]);
}

describeRecordStore('redis', alone, missing);
describeLeases('redis', alone, missing);
describeEventLog('redis', alone, missing);
describeRecordStore('redis cluster', cluster, missing);
