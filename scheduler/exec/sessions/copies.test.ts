import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Call } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import { createCluster } from '../../cluster/index.ts';
import { serverReach } from '../../reach/index.ts';
import { copyLimits, copyPath, openCopy } from '../protocol/index.ts';
import { mostCopies } from './copies.ts';
import { ExecFront } from './index.ts';

const account = '000000000000';
const ref = { account, cluster: 'default' };
const call = { account, sourceIp: '127.0.0.1', principal: { type: 'user', id: 'AIDAANN', account, arn: 'ann' } };
const asked = { cluster: 'default', task: 'ab'.repeat(16), container: 'web', direction: 'from', path: '/etc' };

/** A store that answers when somebody else has. */
const answering = (records: RecordStore, held: Promise<void>): RecordStore =>
  new Proxy(records, {
    get: (of, name) => {
      const own = Reflect.get(of, name) as (...given: unknown[]) => unknown;
      return (...given: unknown[]) => held.then(() => own.apply(of, given));
    },
  });

/** A server to whose copies nobody is refused by the gateway. @param held what its store answers after */
async function open(held: Promise<void> = Promise.resolve()) {
  const silent = (): void => undefined;
  const records = memoryRecords(systemClock);
  const { clock, random, region, reach } = {
    clock: systemClock,
    random: randomBytes,
    region: 'us-east-1',
    reach: serverReach({}),
  };
  await createCluster({ records, clock, random, region, reach }, ref, { tags: {}, settings: [] });
  const front = new ExecFront({
    records: answering(records, held),
    clock,
    random,
    region,
    reach,
    authorizer: { authorize: async () => ({ allowed: true, reason: 'a policy allows it' }) },
    log: { info: silent, warn: silent, error: silent },
    record: async () => undefined,
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) =>
    front.copies.upgrade.accept(
      request,
      socket,
      head,
      { ...call, time: new Date() } as unknown as Call,
      new URL(request.url ?? '', 'http://server').searchParams,
    ),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  /** What a client is told last. @param more at the end of the request's target, as it is */
  const come = async (query = new URLSearchParams(asked)): Promise<string> => {
    const channel = await openCopy(new URL(`http://127.0.0.1:${port}${copyPath}?${String(query)}`), {});
    let told = '';
    channel.on('message', (bytes) => (told = bytes.toString('utf8')));
    channel.resume();
    await once(channel, 'close');
    return told;
  };
  const close = async (): Promise<void> => {
    await front.close();
    server.close();
  };
  return { upgrade: front.copies.upgrade, come, close };
}

test('asks for the right to run commands in the container; the audit log has which files, and how many bytes', async () => {
  const { upgrade, close } = await open();
  if (typeof upgrade.access !== 'function') throw new Error('anybody may copy');
  const query = new URLSearchParams(asked);
  const arn = `arn:aws:ecs:us-east-1:${account}:task/default/${asked.task}`;
  expect(await upgrade.access(query, call as unknown as Call)).toEqual([
    {
      action: 'ecs:ExecuteCommand',
      resources: [{ arn }],
      context: {
        'ecs:cluster': `arn:aws:ecs:us-east-1:${account}:cluster/default`,
        'ecs:task': arn,
        'ecs:container-name': 'web',
      },
    },
  ]);
  expect(upgrade.audit?.opened(query)).toBe('copies from web: /etc');
  const longest = new URLSearchParams({ ...asked, container: 'c'.repeat(255), path: 'x'.repeat(copyLimits.pathBytes) });
  const whole = upgrade.audit?.closed(longest, call as unknown as Call) ?? '';
  expect(whole.length).toBeLessThan((upgrade.audit?.longest ?? 0) - 30);
  expect(upgrade.audit?.closed(query, call as unknown as Call)).toBe('copies from web: /etc: 0 bytes, not all of it');
  await close();
});

test.each([
  ['a cluster', { cluster: '../x' }],
  ['a task', { task: 'web' }],
  ['a container', { container: '' }],
  ['a direction', { direction: 'both' }],
  ['no path', { path: '' }],
  ['a path with a zero', { path: '/\0' }],
  ['a path that is too long', { path: 'x'.repeat(copyLimits.pathBytes + 1) }],
])('%s that is none is refused after the right to any, and before anything is looked for', async (_, wrong) => {
  const { upgrade, come, close } = await open(new Promise(() => undefined));
  const query = new URLSearchParams({ ...asked, ...wrong });
  const access = upgrade.access as (...given: unknown[]) => Promise<unknown>;
  expect(await access(query, call)).toEqual([{ action: 'ecs:ExecuteCommand', resources: [{ arn: '*' }] }]);
  expect(await come(query)).toMatch(/"CopyRefused".* copy/);
  await close();
});

test('says why there is no copy, and carries only so many of one principal', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { come, close } = await open(promise);
  const first: string[] = [];
  const all = Array.from({ length: mostCopies.each + 3 }, async () => {
    const told = await come();
    first.push(told);
    // Those that are too many are told at once, and the others once it is known.
    if (first.length === 3) resolve();
    return told;
  });
  const told = await Promise.all(all);
  expect(told.filter((one) => one.includes('There are too many copies; try again later.')).length).toBe(3);
  expect(told.filter((one) => one.includes('The referenced task was not found.')).length).toBe(mostCopies.each);
  expect(await come()).toContain('The referenced task was not found.');
  await close();
});
