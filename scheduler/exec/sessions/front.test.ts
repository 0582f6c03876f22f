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
const asked = execSession({ command: ['sh'], interactive: true });
const gone = async (): Promise<Decision> => ({ allowed: false, reason: 'the access key is not active any more' });
const nobodyKnows = (): Promise<Decision> => Promise.reject(new Error('connect ECONNREFUSED 192.0.2.1:6379'));
const takenAway = 'The right to run commands in this task was taken away.';

/** A server; who may run commands is as `rights` answers. */
async function open() {
  const silent = (): void => undefined;
  const rights = { answer: gone };
  let recorded = 0;
  const front = new ExecFront({
    records: memoryRecords(systemClock),
    clock: systemClock,
    random: randomBytes,
    region: 'us-east-1',
    reach: serverReach({}),
    authorizer: { authorize: () => rights.answer() },
    log: { info: silent, warn: silent, error: silent },
    record: async () => void (recorded += 1),
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    const { searchParams } = new URL(request.url ?? '', 'http://server');
    front.upgrade.accept(request, socket, head, { sourceIp: '127.0.0.1' } as Call, searchParams);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** What a client is told last that comes with a token. */
  const come = async (sessionId: string, tokenValue: string): Promise<string> =>
    (await openClient(streamUrl(endpoint, ref, sessionId), tokenValue).closed).output;
  const close = async (): Promise<void> => {
    await front.close();
    server.close();
  };
  return { front, rights, recorded: () => recorded, come, close };
}

test('a session is not begun when the right to it went since it was asked for, or nobody can tell', async () => {
  const { front, rights, recorded, come, close } = await open();
  const begin = async (): Promise<string> => {
    const { sessionId, tokenValue } = await front.waiting.add(ref, asked);
    return come(sessionId, tokenValue);
  };
  expect(await begin()).toBe(takenAway);
  rights.answer = nobodyKnows;
  expect(await begin()).toBe('It is not known at present whether you may run commands in this task; try again.');
  expect(recorded()).toBe(0);
  await close();
});

test('a client that comes again is asked for its right anew, whichever server has its session; while nobody can tell, that goes on', async () => {
  const { front, rights, come, close } = await open();
  const { sessionId, tokenValue } = await front.waiting.add(ref, asked);
  const session = await front.waiting.open(ref, sessionId, tokenValue);
  if (session === undefined) throw new Error('the token is not good');
  await front.running.keep(ref, session);
  const again = async (): Promise<string> => come(sessionId, await front.running.resume({ ref, session }));
  expect(await again()).toBe(takenAway);
  let attached = 0;
  front.meetings.keep(sessionId, {
    instanceId: asked.instanceId,
    attach: (ws) => {
      attached += 1;
      ws.resume();
      ws.close(1000);
    },
  });
  expect([await again(), attached]).toEqual([takenAway, 0]);
  rights.answer = nobodyKnows;
  expect([await again(), attached]).toEqual(['closed with 1000: ', 1]);
  await close();
});
