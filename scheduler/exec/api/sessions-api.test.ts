import { randomBytes } from 'node:crypto';

import { AwsError, type Call, type Principal } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import { serverReach } from '../../reach/index.ts';
import { accountKeys, accountPartition } from '../../state/index.ts';
import { RunningSessions, WaitingSessions } from '../sessions/index.ts';
import { execSession } from '../testing/exec-session.ts';
import { createSessions } from './index.ts';

const account = '000000000000';
const ref = { account, cluster: 'web' };
const region = 'us-east-1';

/** The operations over sessions in memory: one that has begun, and one whose client has not come. */
async function open() {
  const clock = { ...systemClock, at: Date.parse('2026-06-15T12:00:00Z'), now: (): number => clock.at };
  const ports = { records: memoryRecords(clock), clock, random: randomBytes, region, reach: serverReach({}) };
  await ports.records.commit(accountPartition(account), { put: [{ key: `${accountKeys.clusters}web`, value: {} }] });
  const [waiting, running] = [new WaitingSessions(ports), new RunningSessions(ports)];
  const asked = execSession({ command: ['sh'], interactive: true });
  const { id: _, createdAt: __, ...session } = asked;
  const begun = await waiting.add(ref, session);
  const opened = await waiting.open(ref, begun.sessionId, begun.tokenValue);
  if (opened !== undefined) await running.keep(ref, opened);
  const alone = await waiting.add(ref, session);
  const { operations } = createSessions({ region, running });
  const call = async (name: string, input: object, as: Partial<Principal> = {}): Promise<Record<string, unknown>> => {
    const { handle } = operations[name] as unknown as { handle: (...given: unknown[]) => Promise<never> };
    return handle(input, {
      account,
      principal: { ...asked.principal, ...as },
      endpoint: 'https://api.example',
    } as Call);
  };
  return { clock, waiting, running, asked, begun, alone, call };
}

test('a session goes on with a new token, once, in the hands of who began it; one that is over has none', async () => {
  const { clock, waiting, running, asked, begun, alone, call } = await open();
  const SessionId = begun.sessionId;
  const first = await call('ResumeSession', { SessionId });
  const second = await call('ResumeSession', { SessionId });
  expect(second['StreamUrl']).toBe(`wss://api.example/exec/ws?session=${SessionId}&cluster=${account}%2Fweb`);
  const take = async (token: unknown, isHere = false) => waiting.open(ref, SessionId, String(token), isHere);
  expect(await take(first['TokenValue'])).toBeUndefined();
  expect(await take(begun.tokenValue)).toBeUndefined();
  expect(await take(second['TokenValue'])).toMatchObject({ carries: 1, openedAt: clock.at });
  expect(await take(second['TokenValue'])).toBeUndefined();
  // While its host looks for the other server, the session is still kept, and its client may come once more.
  expect(await running.keep(ref, asked)).toBe(false);
  const third = await call('ResumeSession', { SessionId });
  expect(await take(third['TokenValue'], true)).toMatchObject({ carries: 1 });
  await expect(call('ResumeSession', { SessionId }, { arn: 'arn:aws:iam::000000000000:user/eve' })).rejects.toThrow(
    /gone on with by who began it/,
  );
  const late = await call('ResumeSession', { SessionId });
  clock.at += 61_000;
  expect(await take(late['TokenValue'])).toBeUndefined();
  // One whose client has not come yet, one whose server has said nothing for long, and one that nobody knows.
  clock.at += 60_000;
  for (const id of [alone.sessionId, SessionId, 'ecs-execute-command-00000000000000000'])
    expect(await call('ResumeSession', { SessionId: id })).toEqual({ SessionId: id });
  await expect(call('ResumeSession', { SessionId: 'ann-0123' })).rejects.toThrow(AwsError);
});

test('who has a user of the same name later, or takes the same role under the same name, is not who began a session', async () => {
  const { waiting, running, asked, call } = await open();
  const isRefused = /gone on with by who began it/;
  const by = async (principal: Principal): Promise<string> => {
    const { sessionId, tokenValue } = await waiting.add(ref, { ...asked, principal });
    const session = await waiting.open(ref, sessionId, tokenValue);
    if (session === undefined) throw new Error('the token is not good');
    await running.keep(ref, session);
    return sessionId;
  };
  const user = await by({ ...asked.principal, accessKeyId: 'AKIAONE' });
  await expect(call('ResumeSession', { SessionId: user }, { id: 'AIDAEVE' })).rejects.toThrow(isRefused);
  // A user's other key is the same user's.
  expect(await call('ResumeSession', { SessionId: user }, { accessKeyId: 'AKIATWO' })).toHaveProperty('TokenValue');
  const arn = 'arn:aws:sts::000000000000:assumed-role/admin/laptop';
  const taken = { type: 'assumed-role', account, arn, id: 'AROAADMIN:laptop' } as const;
  const role = await by({ ...taken, accessKeyId: 'ASIAONE' });
  const eve = { ...taken, accessKeyId: 'ASIATWO' };
  await expect(call('ResumeSession', { SessionId: role }, eve)).rejects.toThrow(isRefused);
  const same = { ...taken, accessKeyId: 'ASIAONE' };
  expect(await call('ResumeSession', { SessionId: role }, same)).toHaveProperty('TokenValue');
});

test('a copy of files is ended as a session is, and begins anew when it breaks off', async () => {
  const { waiting, running, asked, call } = await open();
  const copy = await waiting.begin(ref, { ...asked, copies: 'from' });
  expect(await running.keep(ref, copy)).toBe(false);
  expect(await call('ResumeSession', { SessionId: copy.id })).toEqual({ SessionId: copy.id });
  await call('TerminateSession', { SessionId: copy.id });
  expect(await running.keep(ref, copy)).toBe(true);
});

test('a host is told of the client that came last, also when one before that is given up only then', async () => {
  const { clock, waiting, running, begun, call } = await open();
  const come = async () => {
    const { TokenValue } = await call('ResumeSession', { SessionId: begun.sessionId });
    const session = await waiting.open(ref, begun.sessionId, String(TokenValue));
    if (session === undefined) throw new Error('the token is not good');
    return { ref, session };
  };
  const toldSince = async () => (await running.find(account, begun.sessionId))?.session.openedAt;
  const [before, last] = [await come(), await come()];
  await running.carried(before);
  expect(await toldSince()).toBe(clock.at);
  await running.carried(last);
  expect(await toldSince()).toBeUndefined();
});

test('sessions are listed and ended; one that was away from its store for long says again that it is there', async () => {
  const { clock, running, asked, begun, call } = await open();
  const { sessionId: SessionId } = begun;
  const listed = async () => (await call('DescribeSessions', { State: 'Active' }))['Sessions'];
  expect(await listed()).toEqual([
    {
      SessionId,
      Target: `ecs:web_${asked.taskId}_${asked.runtimeId}`,
      Status: 'Connected',
      StartDate: new Date(clock.at),
      Owner: asked.principal.arn,
      AccessType: 'Standard',
    },
  ]);
  await expect(call('DescribeSessions', { State: 'History' })).rejects.toThrow(/audit log/);
  clock.at += 300_000;
  expect(await listed()).toEqual([]);
  const row = { ...asked, id: SessionId };
  expect(await running.keep(ref, row)).toBe(false);
  expect(await listed()).toHaveLength(1);
  expect(await call('TerminateSession', { SessionId })).toEqual({ SessionId });
  expect(await running.keep(ref, row)).toBe(true);
  expect(await call('TerminateSession', { SessionId: 'ecs-execute-command-00000000000000000' })).toBeDefined();
});
