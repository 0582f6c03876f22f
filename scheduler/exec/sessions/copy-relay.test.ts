import { expect, test } from 'vitest';

import { SteppedClock } from '../../control/testing/stepped-clock.ts';

import { type CopyChannel, copyFrame, copyLimits } from '../protocol/index.ts';
import { ConnectionEnd } from '../testing/connection-end.ts';
import { CopyRelay } from './copy-relay.ts';

/** One end of a connection, as the server has it. */
class End extends ConnectionEnd {
  readonly sent: { readonly bytes: Buffer; readonly binary: boolean }[] = [];
  /** Puts what is said on its way. */
  carry = (done: () => void): void => done();
  hasRoom = true;

  send(bytes: Buffer, done?: () => void): boolean {
    return this.#add(bytes, true, done);
  }

  say(text: Buffer, done?: () => void): boolean {
    return this.#add(text, false, done);
  }

  #add(bytes: Buffer, binary: boolean, done: () => void = () => undefined): boolean {
    this.sent.push({ bytes, binary });
    this.carry(done);
    return this.hasRoom;
  }

  says(frame: Parameters<typeof copyFrame>[0] | Buffer): void {
    const isArchive = Buffer.isBuffer(frame);
    this.emit('message', isArchive ? frame : copyFrame(frame), isArchive);
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
    client: client as unknown as CopyChannel,
    host: host as unknown as CopyChannel,
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
  host.says({ type: 'CopyEnd', message: {} });
  await run;
  expect(client.sent.map(({ binary }) => binary)).toEqual([false, true, true, true, false]);
  expect(host.said.map(({ type }) => type)).toEqual(['CopyStart']);
  expect([relay.copied, told(), host.readyState]).toEqual([{ bytes: 3000, whole: true }, undefined, 3]);
});

test.each([
  ['a client that sends what it is to get', 'from', 'client', part, 'That is no part of a copy.'],
  ['a client that orders', 'to', 'client', { type: 'CopyEnd', message: {} }, 'That is no part of a copy.'],
  ['a client whose frames cannot be read', 'to', 'client', undefined, 'That is no part of a copy.'],
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
  const sender = who === 'client' ? client : host;
  if (frame === undefined) sender.emit('message', Buffer.alloc(0), false);
  else sender.says(frame as never);
  await run;
  expect([told(), host.readyState, relay.copied]).toEqual([reason, 3, { bytes: 0, whole: false }]);
});

test('a client that says again and again that its archive is whole, or sends more behind that, ends it', async () => {
  for (const more of [{ type: 'CopyInputEnd', message: {} } as const, part]) {
    const { client, host, run, told } = open('to');
    client.says(part);
    client.says({ type: 'CopyInputEnd', message: {} });
    expect([told(), host.said.at(-1)?.type]).toEqual([undefined, 'CopyInputEnd']);
    client.says(more);
    await run;
    expect([told(), host.sent.length]).toEqual(['That is no part of a copy.', 3]);
  }
});

test('what is only said keeps no copy that does not move', async () => {
  const { host, clock, run, told } = open('from');
  for (let minutes = 0; minutes < 6; minutes += 1) {
    host.says({ type: 'CopyReady', message: { is: 'folder' } });
    await pass(clock, 60_000);
  }
  await run;
  expect(told()).toBe('Nothing was copied for five minutes.');
});

test('no more is read of one than the other takes', async () => {
  for (const direction of ['from', 'to'] as const) {
    const { client, host, run } = open(direction);
    const [sender, taker] = direction === 'from' ? [host, client] : [client, host];
    sender.says(part);
    expect([sender.isPaused, taker.isPaused]).toEqual([false, false]);
    taker.hasRoom = false;
    sender.says(part);
    expect([sender.isPaused, taker.isPaused]).toEqual([true, false]);
    taker.emit('drain');
    expect(sender.isPaused).toBe(false);
    client.close(1006);
    await run;
  }
});

test('a slow client has as long for the end of an archive as for the rest of it; its host is needed no more', async () => {
  const { client, host, clock, relay, run } = open('from');
  const held: (() => void)[] = [];
  client.carry = (done) => void held.push(done);
  host.says(part);
  host.says({ type: 'CopyEnd', message: {} });
  expect([host.readyState, relay.copied]).toEqual([3, { bytes: 1000, whole: true }]);
  const over = run.then(() => 'over');
  await pass(clock, 4 * 60_000);
  held[0]?.();
  await pass(clock, 4 * 60_000);
  expect(await Promise.race([over, Promise.resolve('not yet')])).toBe('not yet');
  held[1]?.();
  expect([await over, client.said.map(({ type }) => type)]).toEqual(['over', ['CopyEnd']]);
});

test('the client is told when its host is lost, somebody ends it, nothing moves, or the server stops', async () => {
  const lost = open('from');
  lost.host.close(1006);
  await lost.run;
  expect(lost.told()).toBe('The connection to the host of the task was lost.');
  const ended = open('from');
  ended.host.says({ type: 'CopyRefused', message: { reason: 'The copy was terminated.' } });
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
