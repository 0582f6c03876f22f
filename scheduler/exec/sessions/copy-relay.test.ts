import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { SteppedClock } from '../../control/testing/stepped-clock.ts';
import { execEnded } from '../../hosts/wire/index.ts';

import { copyFrame, copyLimits } from '../protocol/index.ts';
import { ConnectionEnd } from '../testing/connection-end.ts';
import { CopyRelay } from './copy-relay.ts';

/** One end of a connection, as the server has it. */
class End extends ConnectionEnd {
  readonly sent: { readonly bytes: Buffer; readonly binary: boolean }[] = [];
  /** Puts what is said on its way. */
  carry = (done: () => void): void => done();

  send(frame: Buffer | string, { binary = false } = {}, done?: () => void): void {
    this.sent.push({ bytes: Buffer.from(frame as string), binary });
    // The memory of an archive's parts would be given back then, and they are sent again here.
    if (!binary && done !== undefined) this.carry(done);
  }

  says(frame: Parameters<typeof copyFrame>[0] | Buffer): void {
    const isBinary = Buffer.isBuffer(frame);
    this.emit('message', isBinary ? frame : Buffer.from(copyFrame(frame)), isBinary);
  }

  get said(): { readonly type: string; readonly message: { readonly reason?: string } }[] {
    return this.sent.flatMap(({ bytes, binary }) => (binary ? [] : [JSON.parse(bytes.toString())]));
  }
}

function open(direction: 'from' | 'to', keep: () => Promise<boolean> = async () => false) {
  const [client, host] = [new End(), new End()];
  const clock = new SteppedClock();
  const silent = (): void => undefined;
  const start = {
    sessionId: 's',
    taskArn: 'arn',
    containerName: 'main',
    runtimeId: 'ab'.repeat(32),
    direction,
    path: '/',
  };
  const relay = new CopyRelay({
    clock,
    log: { info: silent, warn: silent, error: silent },
    client: client as unknown as WebSocket,
    host: host as unknown as WebSocket,
    start,
    keep,
  });
  const stopped = new AbortController();
  const run = relay.run(stopped.signal);
  const told = (): string | undefined => client.said.find(({ type }) => type === 'CopyRefused')?.message.reason;
  return { client, host, clock, relay, stopped, run, told };
}

/** Lets time pass, from one who sleeps to the next. */
async function pass(clock: SteppedClock, milliseconds: number): Promise<void> {
  for (const until = clock.monotonic() + milliseconds; clock.monotonic() < until;) {
    clock.step(until);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const part = Buffer.alloc(1000);

test('an archive goes one way, and what both sides say of it both ways, until all of it is there', async () => {
  const { client, host, relay, run, told } = open('from');
  expect(host.said.map(({ type }) => type)).toEqual(['CopyStart']);
  host.says({ type: 'CopyReady', message: { is: 'folder' } });
  for (let times = 0; times < 3; times += 1) host.says(part);
  client.says({ type: 'CopyCredit', message: { bytes: 2000 } });
  host.says({ type: 'CopyEnd', message: {} });
  await run;
  expect(client.sent.map(({ binary }) => binary)).toEqual([false, true, true, true, false]);
  expect(host.said.map(({ type }) => type)).toEqual(['CopyStart', 'CopyCredit']);
  expect([relay.copied, told(), host.readyState]).toEqual([{ bytes: 3000, whole: true }, undefined, 3]);
});

test.each([
  ['a client that sends what it is to get', 'from', 'client', part, 'That is no part of a copy.'],
  ['a client that orders', 'to', 'client', { type: 'CopyEnd', message: {} }, 'That is no part of a copy.'],
  [
    'a client that takes too much',
    'from',
    'client',
    { type: 'CopyCredit', message: { bytes: 2 ** 31 } },
    'That is no part of a copy.',
  ],
  [
    'a client that says no JSON',
    'to',
    'client',
    { type: 'x'.repeat(copyLimits.textBytes) },
    'That is no part of a copy.',
  ],
  ['a host that sends what it is to get', 'to', 'host', part, 'The host of the task does not know how to copy.'],
  [
    'a host that names another folder',
    'to',
    'host',
    { type: 'CopyReady', message: { is: 'nothing', name: '../x' } },
    'The host of the task does not know how to copy.',
  ],
  [
    'a host that says something else',
    'to',
    'host',
    { type: 'ExecExit', message: {} },
    'The host of the task does not know how to copy.',
  ],
] as const)('%s ends it', async (_, direction, who, frame, reason) => {
  const { client, host, relay, run, told } = open(direction);
  (who === 'client' ? client : host).says(frame as never);
  await run;
  expect([told(), host.readyState, relay.copied]).toEqual([reason, 3, { bytes: 0, whole: false }]);
});

test('nobody has the server keep more than both may have on the way', async () => {
  for (const direction of ['from', 'to'] as const) {
    const { client, host, run, told } = open(direction);
    const [sender, taker] = direction === 'from' ? [host, client] : [client, host];
    sender.says(part);
    taker.bufferedAmount = 2 * copyLimits.windowBytes + 1;
    const before = taker.sent.filter(({ binary }) => binary).length;
    sender.says(part);
    await run;
    expect([before, taker.sent.filter(({ binary }) => binary).length]).toEqual([1, 1]);
    expect(told()).toBe('That is more than there is room for.');
  }
});

test('nor more frames, however short they are', async () => {
  const { client, host, run, told } = open('from');
  const short = Buffer.alloc(1);
  for (let frames = 0; frames <= copyLimits.frames + 1; frames += 1) host.says(short);
  await run;
  expect(client.sent.filter(({ binary }) => binary).length).toBe(copyLimits.frames + 1);
  expect(told()).toBe('That is more than there is room for.');
});

test('a slow client has as long for the end of an archive as for the rest of it; its host is needed no more', async () => {
  const { client, host, clock, relay, run } = open('from');
  const held: (() => void)[] = [];
  client.carry = (done) => void held.push(done);
  host.says(part);
  host.says({ type: 'CopyEnd', message: {} });
  expect([host.readyState, relay.copied]).toEqual([3, { bytes: 1000, whole: true }]);
  const over = run.then(() => 'over');
  for (let minutes = 0; minutes < 12; minutes += 4) {
    await pass(clock, 4 * 60_000);
    client.says({ type: 'CopyCredit', message: { bytes: 1 } });
  }
  expect(await Promise.race([over, Promise.resolve('not yet')])).toBe('not yet');
  for (const done of held) done();
  expect([await over, client.said.map(({ type }) => type)]).toEqual(['over', ['CopyEnd']]);
});

test('the client is told when its host is lost, somebody ends it, nothing moves, or the server stops', async () => {
  const lost = open('from');
  lost.host.close(1006);
  await lost.run;
  expect(lost.told()).toBe('The connection to the host of the task was lost.');
  const ended = open('from');
  ended.host.close(execEnded);
  await ended.run;
  expect(ended.told()).toBe('The copy was terminated.');
  let asked = 0;
  const asleep = open('to', async () => {
    asked += 1;
    // Whoever cannot be asked ends nothing.
    throw new Error('connect ECONNREFUSED 192.0.2.1:6379');
  });
  await pass(asleep.clock, 6 * 60_000);
  await asleep.run;
  expect([asleep.told(), asked]).toEqual(['Nothing was copied for five minutes.', 10]);
  const over = open('to', async () => true);
  await pass(over.clock, 60_000);
  await over.run;
  expect(over.told()).toBe('The copy was terminated.');
  const stopping = open('to');
  stopping.stopped.abort();
  await stopping.run;
  expect(stopping.told()).toBe('The server is stopping; copy again.');
});

test('a client that goes takes its host with it', async () => {
  const { client, host, run, told } = open('to');
  client.close(1006);
  await run;
  expect([host.readyState, told()]).toEqual([3, undefined]);
});
