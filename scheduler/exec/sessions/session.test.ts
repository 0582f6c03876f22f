import { randomBytes } from 'node:crypto';

import type { Call, Decision } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { SteppedClock } from '../../control/testing/stepped-clock.ts';
import { execCost, execEnded, execLimits } from '../../hosts/wire/index.ts';
import { decodeMessage, encodeMessage, flags, json, mostPayload, ownClient, payloadType } from '../protocol/index.ts';
import { execSession } from '../testing/exec-session.ts';
import { ConnectionEnd } from '../testing/connection-end.ts';
import type { Recorder } from './recorder.ts';
import { Session, type SessionPorts } from './session.ts';

const account = '000000000000';
const record = execSession({ command: ['cat'], interactive: false });

/** One end of a connection, as the server has it. */
class End extends ConnectionEnd {
  readonly sent: (Buffer | string)[] = [];

  send(frame: Buffer | string): void {
    this.sent.push(frame);
  }

  say(bytes: Buffer, isBinary: boolean): void {
    this.emit('message', bytes, isBinary);
  }
}

function open(recorder?: Recorder, more: Partial<SessionPorts> = {}, keep: () => Promise<boolean> = async () => false) {
  const [client, host] = [new End(), new End()];
  const silent = (): void => undefined;
  const session = new Session(
    {
      records: memoryRecords(systemClock),
      clock: systemClock,
      random: randomBytes,
      region: 'us-east-1',
      authorizer: { authorize: async () => ({ allowed: true, reason: 'a policy allows it' }) },
      log: { info: silent, warn: silent, error: silent },
      ...more,
    },
    {
      ref: { account, cluster: 'default' },
      session: record,
      clientVersion: ownClient,
      client: client as unknown as WebSocket,
      host: host as unknown as WebSocket,
      call: {} as Call,
      recorder,
      keep,
    },
  );
  let sequence = 0;
  const write = (kind: number, payload: Buffer, set = 0): Buffer => {
    const id = randomBytes(16);
    const message = {
      type: 'input_stream_data',
      sequence: sequence++,
      flags: set,
      id,
      payloadType: kind,
      payload,
    } as const;
    const frame = encodeMessage(message, 0);
    client.say(frame, true);
    return frame;
  };
  const tell = (kind: string, message: object): void =>
    host.say(Buffer.from(JSON.stringify({ type: kind, message })), false);
  /** Messages that the client was sent. */
  const told = () => client.sent.map((frame) => decodeMessage(frame as Buffer));
  const lastWords = (): string =>
    told()
      .filter((message) => message.type === 'channel_closed')
      .map(({ payload }) => (JSON.parse(payload.toString()) as { Output: string }).Output)
      .join();
  let acknowledged = 0;
  /** The client acknowledges what it was sent. */
  const acknowledge = (): void => {
    const sent = told().filter(({ type }) => type === 'output_stream_data');
    for (const { sequence: number } of sent.slice(acknowledged)) {
      const payload = json({ AcknowledgedMessageSequenceNumber: number });
      const id = randomBytes(16);
      client.say(encodeMessage({ type: 'acknowledge', sequence: 0, flags: 3, id, payloadType: 0, payload }, 0), true);
    }
    acknowledged = sent.length;
  };
  /** What the host was told of a kind. */
  const ordered = (kind: string): { readonly bytes: number }[] =>
    host.sent.flatMap((frame) => {
      if (typeof frame !== 'string') return [];
      const { type, message } = JSON.parse(frame) as { type: string; message: { bytes: number } };
      return type === kind ? [message] : [];
    });
  const granted = (): number[] => ordered('ExecCredit').map(({ bytes }) => bytes);
  return { session, client, host, write, tell, told, lastWords, acknowledge, ordered, granted };
}

describe('a session', () => {
  test('ends, and nothing else does, for what is no message and was read when the host made room for it', async () => {
    const { session, host, write, tell, lastWords } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    // As much as the host takes, and once more.
    for (let times = 0; times < 5; times++) write(payloadType.output, Buffer.alloc(mostPayload));
    write(payloadType.size, Buffer.from('that is no JSON'));
    expect(lastWords()).toBe('');
    expect(host.sent.filter((frame) => typeof frame !== 'string').length).toBeLessThan(5);
    tell('ExecCredit', { bytes: execLimits.inputBytes });
    await run;
    expect(lastWords()).toBe('a payload is not JSON');
    expect(host.readyState).toBe(3);
  });

  test('keeps no answers for a client that does not read them', async () => {
    const { session, client, write, host } = open();
    const run = session.run(new AbortController().signal);
    const frame = write(payloadType.handshakeResponse, json({}));
    client.bufferedAmount = 64 * 1024 * 1024;
    const before = client.sent.length;
    for (let times = 0; times < 100; times++) client.say(frame, true);
    expect(client.sent).toHaveLength(before);
    client.bufferedAmount = 0;
    client.say(frame, true);
    expect(client.sent.length).toBeGreaterThan(before);
    client.close();
    await run;
    expect(host.readyState).toBe(3);
  });

  test('has one exit code, however often the host says one', async () => {
    const { session, client, write, tell, told } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    for (let code = 3; code < 100; code++) tell('ExecExit', { code });
    const codes = told().filter((message) => message.payloadType === payloadType.exitCode);
    expect(new Set(codes.map(({ payload }) => payload.toString()))).toEqual(new Set(['3']));
    client.close();
    await run;
  });

  test('takes no more frames from a host than their number allows, however short they are', async () => {
    const { session, client, host, write } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    for (let frames = 0; frames < 20_000; frames++) host.say(Buffer.of(1, 120), true);
    await run;
    expect(host.readyState).toBe(3);
    expect(client.sent.length).toBeLessThan(17_000);
  });

  test('says to the host that output has arrived when that is worth a frame', async () => {
    const { session, client, host, write, acknowledge, granted } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    for (let keys = 0; keys < 100; keys++) host.say(Buffer.of(1, 120), true);
    acknowledge();
    expect(granted()).toEqual([]);
    const more = 40;
    for (let frames = 0; frames < more; frames++) {
      host.say(Buffer.alloc(execLimits.chunkBytes + 1, 1), true);
      acknowledge();
    }
    const sum = granted().reduce((all, bytes) => all + bytes, 0);
    expect(sum).toBeGreaterThan((more - 1) * execLimits.chunkBytes);
    expect(host.readyState).toBe(1);
    client.close();
    await run;
  });

  test('lets a host go on after a log that was full until all that it may send had arrived', async () => {
    const log = { isFull: true, drained: (): void => undefined };
    const recorder: Recorder = Object.assign(log, {
      write: () => undefined,
      failure: new Promise<string>(() => undefined),
      end: async () => undefined,
    });
    const { session, client, host, write, acknowledge, granted } = open(recorder);
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    for (let room: number = execLimits.outputBytes; room > 0;) {
      const bytes = Math.min(execLimits.chunkBytes, room - execCost(0));
      host.say(Buffer.alloc(bytes + 1, 1), true);
      room -= execCost(bytes);
    }
    acknowledge();
    expect(granted()).toEqual([]);
    log.isFull = false;
    log.drained();
    // One credit is of no more than that (`execOrder`): the host would take no other.
    expect(granted()).toEqual([execLimits.outputBytes]);
    expect(host.readyState).toBe(1);
    client.close();
    await run;
  });

  test('keeps nothing for a host that says that it took input, and reads none', async () => {
    const { session, host, write, lastWords } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    write(payloadType.output, Buffer.alloc(mostPayload));
    expect(host.readyState).toBe(1);
    host.bufferedAmount = 64 * 1024 * 1024;
    write(payloadType.output, Buffer.alloc(mostPayload));
    await run;
    expect(host.sent.filter((frame) => typeof frame !== 'string')).toHaveLength(1);
    expect(lastWords()).toBe('The connection to the host of the task was lost.');
  });

  test('tells the host once that there is no more input', async () => {
    const { session, client, write, ordered } = open();
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    for (let times = 0; times < 100; times++) write(payloadType.output, Buffer.alloc(0), flags.last);
    expect(ordered('ExecInputEnd')).toHaveLength(1);
    client.close();
    await run;
  });

  test('ends within a minute when the right to it is gone, and not while nobody can tell', async () => {
    const clock = new SteppedClock();
    let answer = async (): Promise<Decision> => ({ allowed: true, reason: 'a policy allows it' });
    const asked: unknown[] = [];
    const authorize: SessionPorts['authorizer']['authorize'] = (principal, { action }) => {
      asked.push([principal, action]);
      return answer();
    };
    const { session, client, write, lastWords } = open(undefined, { clock, authorizer: { authorize } });
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    const until = async (time: number): Promise<void> => {
      while (client.readyState === 1 && clock.monotonic() < time) {
        clock.step(time);
        await new Promise(setImmediate);
      }
    };
    await until(100_000);
    answer = () => Promise.reject(new Error('the store is away'));
    await until(200_000);
    expect([client.readyState, lastWords()]).toEqual([1, '']);
    answer = async () => ({ allowed: false, reason: 'the access key is not active any more' });
    await until(260_000);
    expect(client.readyState).toBe(3);
    await run;
    expect(lastWords()).toBe('The right to run commands in this task was taken away.');
    expect(asked[0]).toEqual([record.principal, 'ecs:ExecuteCommand']);
  });

  test('waits half a minute for a client whose connection broke, which is sent what did not arrive; not for one that went', async () => {
    const clock = new SteppedClock();
    const { session, client, host, write } = open(undefined, { clock });
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    const step = async (to: number): Promise<void> => {
      while (host.readyState === 1 && clock.monotonic() < to) {
        clock.step(to);
        await new Promise(setImmediate);
      }
    };
    client.terminate();
    host.say(Buffer.of(1, 97, 98), true);
    await step(29_000);
    const again = new End();
    session.attach(again as unknown as WebSocket);
    const data = again.sent.map((frame) => decodeMessage(frame as Buffer)).map(({ payload }) => payload.toString());
    expect(data.at(-1)).toBe('ab');
    await step(70_000);
    expect(host.readyState).toBe(1);
    // It takes the place of one that nobody has seen break.
    const third = new End();
    session.attach(third as unknown as WebSocket);
    expect([again.readyState, host.readyState]).toEqual([3, 1]);
    third.terminate();
    await step(101_000);
    expect(host.readyState).toBe(3);
    await run;
    const late = new End();
    session.attach(late as unknown as WebSocket);
    expect(late.readyState).toBe(3);
  });

  test('waits also for a client whose next connection broke before anybody listened to it', async () => {
    const { session, client, host, write } = open(undefined, { clock: new SteppedClock() });
    const run = session.run(new AbortController().signal);
    write(payloadType.handshakeResponse, json({}));
    client.terminate();
    const broken = new End();
    broken.terminate();
    session.attach(broken as unknown as WebSocket);
    await new Promise(setImmediate);
    const third = new End();
    session.attach(third as unknown as WebSocket);
    expect([third.readyState, host.readyState]).toEqual([1, 1]);
    third.close();
    await run;
    expect(host.readyState).toBe(3);
  });

  test('ends when somebody asked for that, whoever sees it first', async () => {
    const clock = new SteppedClock();
    const seen = open(undefined, { clock }, async () => true);
    const run = seen.session.run(new AbortController().signal);
    while (seen.client.readyState === 1) {
      clock.step(60_000);
      await new Promise(setImmediate);
    }
    await run;
    expect(seen.lastWords()).toBe('The session was terminated.');
    const told = open();
    const over = told.session.run(new AbortController().signal);
    told.host.close(execEnded);
    await over;
    expect(told.lastWords()).toBe('The session was terminated.');
  });

  test('ends when it cannot be logged, also when that was so before it began', async () => {
    const ended: string[] = [];
    const { session, host, lastWords } = open({
      write: () => undefined,
      isFull: false,
      drained: () => undefined,
      failure: Promise.resolve('the log group is gone'),
      end: async () => void ended.push('ended'),
    });
    await session.run(new AbortController().signal);
    expect(lastWords()).toBe('The session cannot be logged any more: the log group is gone');
    expect([host.readyState, ended]).toEqual([3, ['ended']]);
  });

  test('does not begin on a server that stops, or with a host that has gone', async () => {
    const stopping = open();
    await stopping.session.run(AbortSignal.abort());
    expect([stopping.lastWords(), stopping.host.readyState]).toEqual([
      'The server is stopping; run the command again.',
      3,
    ]);
    const gone = open();
    gone.host.readyState = 3;
    await gone.session.run(new AbortController().signal);
    expect(gone.lastWords()).toBe('The connection to the host of the task was lost.');
    expect(gone.client.readyState).toBe(3);
  });
});
