import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Call, Decision } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import { serverReach } from '../../reach/index.ts';
import { execSession } from '../testing/exec-session.ts';
import { openClient } from '../testing/open-client.ts';
import { ExecFront, streamUrl } from './index.ts';

const ref = { account: '000000000000', cluster: 'default' };

test('a session is not begun when the right to it went since it was asked for, or nobody can tell', async () => {
  const silent = (): void => undefined;
  let answer = async (): Promise<Decision> => ({ allowed: false, reason: 'the access key is not active any more' });
  let recorded = 0;
  const front = new ExecFront({
    records: memoryRecords(systemClock),
    clock: systemClock,
    random: randomBytes,
    region: 'us-east-1',
    reach: serverReach({}),
    authorizer: { authorize: () => answer() },
    log: { info: silent, warn: silent, error: silent },
    record: async () => void (recorded += 1),
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    front.upgrade.accept(request, socket, head, { sourceIp: '127.0.0.1' } as Call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = async () => {
    const { sessionId, tokenValue } = await front.waiting.add(ref, execSession({ command: ['sh'], interactive: true }));
    return openClient(streamUrl(endpoint, ref, sessionId), tokenValue).closed;
  };
  expect((await open()).output).toBe('The right to run commands in this task was taken away.');
  answer = () => Promise.reject(new Error('connect ECONNREFUSED 192.0.2.1:6379'));
  expect((await open()).output).toBe(
    'It is not known at present whether you may run commands in this task; try again.',
  );
  expect(recorded).toBe(0);
  await front.close();
  server.close();
});
