import { randomBytes, randomInt } from 'node:crypto';

import type { Clock } from '@slipway/storage/clock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { SteppedClock } from '../../control/testing/stepped-clock.ts';
import { seededRandom } from '../../placement/index.ts';

import {
  BadMessage,
  decodeMessage,
  encodeMessage,
  ExecClient,
  joinCommand,
  json,
  type MessageType,
  payloadType,
  ReliableStream,
  splitCommand,
  type StreamPorts,
} from './index.ts';

describe('a message', () => {
  const messages = fc.record({
    type: fc.constantFrom<MessageType>('input_stream_data', 'output_stream_data', 'acknowledge', 'channel_closed'),
    sequence: fc.maxSafeNat(),
    flags: fc.nat(3),
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
    payloadType: fc.nat(12),
    payload: fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  });

  test('is read as it was written, and no frame with another byte in what counts is taken', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, where, change) => {
        const frame = encodeMessage(message, 1_700_000_000_000);
        expect(decodeMessage(frame)).toEqual(message);
        const at = 80 + (where % (frame.length - 80));
        // The type of the payload is not covered by its digest.
        if (at >= 112 && at < 116) return;
        frame.writeUInt8(frame.readUInt8(at) ^ change, at);
        expect(() => decodeMessage(frame)).toThrow(BadMessage);
      }),
    );
  });

  test('has the layout of the plug-in: the lower half of the id comes first', () => {
    const id = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    const frame = encodeMessage(
      { type: 'input_stream_data', sequence: 7, flags: 2, id, payloadType: 1, payload: Buffer.from('ls') },
      5,
    );
    expect(frame.readUInt32BE(0)).toBe(116);
    expect(frame.toString('latin1', 4, 36)).toBe('input_stream_data'.padEnd(32));
    expect([frame.readUInt32BE(36), frame.readBigUInt64BE(40), frame.readBigInt64BE(48)]).toEqual([1, 5n, 7n]);
    expect(frame.toString('hex', 64, 80)).toBe('8899aabbccddeeff0011223344556677');
    expect([frame.readUInt32BE(112), frame.readUInt32BE(116), frame.toString('latin1', 120)]).toEqual([1, 2, 'ls']);
  });

  test('is refused where it is none', () => {
    for (const bytes of [0, 119, 70_000]) expect(() => decodeMessage(Buffer.alloc(bytes))).toThrow(BadMessage);
    expect(() => decodeMessage(Buffer.alloc(120))).toThrow(/header/);
  });
});

describe('the words of a command', () => {
  test.each<[string, string[] | undefined]>([
    ['/bin/sh', ['/bin/sh']],
    [`sh -c 'a "b" $c'`, ['sh', '-c', 'a "b" $c']],
    [`a\\ b "c \\" \\d" ''`, ['a b', 'c " \\d', '']],
    ['a|b > c', ['a|b', '>', 'c']],
    [' \t\n', []],
    [`'a`, undefined],
    ['a\\', undefined],
  ])('%j', (text, words) => {
    expect(splitCommand(text)).toEqual(words);
  });

  test('come back from what they are joined to', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(splitCommand(joinCommand(words))).toEqual(words);
      }),
    );
  });
});

/** Lets so much time go by, and whoever waited for it do what follows. */
async function pass(clock: SteppedClock, ms: number): Promise<void> {
  clock.step(clock.monotonic() + ms);
  await new Promise(setImmediate);
}

const acknowledgement = (sequence: number): Buffer => {
  const payload = json({ AcknowledgedMessageSequenceNumber: sequence });
  const id = randomBytes(16);
  return encodeMessage({ type: 'acknowledge', sequence: 0, flags: 3, id, payloadType: 0, payload }, 0);
};

/** A server's side of which nobody hears. */
const serverSide = (clock: Clock, more: Partial<StreamPorts>): ReliableStream =>
  new ReliableStream({
    clock,
    random: randomBytes,
    transmit: () => undefined,
    sends: 'output_stream_data',
    receives: 'input_stream_data',
    hasRoom: () => true,
    deliver: () => undefined,
    closed: () => undefined,
    drained: () => undefined,
    ...more,
  });

/** A connection that loses, repeats, delays and reorders frames. */
class BadWire {
  readonly #waiting: { readonly at: number; readonly frame: Buffer }[] = [];
  readonly #clock: Clock;
  readonly #random: (below: number) => number;
  constructor(clock: Clock, random: (below: number) => number) {
    this.#clock = clock;
    this.#random = random;
  }

  send(frame: Buffer): void {
    const times = [0, 1, 1, 1, 1, 2][this.#random(6)] ?? 1;
    for (let time = 0; time < times; time++)
      this.#waiting.push({ at: this.#clock.monotonic() + this.#random(600), frame: Buffer.from(frame) });
  }

  arrived(): Buffer[] {
    const now = this.#clock.monotonic();
    const due = this.#waiting.filter(({ at }) => at <= now);
    for (const one of due) this.#waiting.splice(this.#waiting.indexOf(one), 1);
    return due.sort((one, other) => one.at - other.at).map(({ frame }) => frame);
  }
}

describe('a stream over a connection on which messages and acknowledgements are lost, late, repeated and out of order', () => {
  const sizes = { small: 10, usual: 40, large: 1_000 } as const;
  const rounds = sizes[(process.env['SLIPWAY_TEST_SIZE'] ?? 'usual') as keyof typeof sizes] ?? sizes.usual;

  test(`brings all bytes both ways, in order, each once (${rounds} seeds)`, async () => {
    // The same in each usual run; longer ones draw others.
    const first = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 1 : randomInt(2 ** 31);
    for (let seed = first; seed < first + rounds; seed++) {
      const clock = new SteppedClock();
      const draw = seededRandom(seed);
      const random = (below: number): number => Math.floor(draw() * below);
      const [up, down] = [new BadWire(clock, random), new BadWire(clock, random)];
      const got = { server: Buffer.alloc(0), client: Buffer.alloc(0), size: '', exit: -1 };
      const over = new AbortController();
      let open = true;
      const server = serverSide(clock, {
        transmit: (frame) => down.send(frame),
        hasRoom: () => open,
        deliver: ({ payloadType: type, payload }) => {
          if (type === payloadType.output) got.server = Buffer.concat([got.server, payload]);
          if (type === payloadType.size) got.size = payload.toString();
          if (type === payloadType.handshakeResponse) server.send(payloadType.handshakeComplete, json({}));
        },
      });
      const input = randomBytes(1 + random(100_000));
      const output = randomBytes(1 + random(100_000));
      const client = new ExecClient({
        clock,
        random: randomBytes,
        socket: { send: (frame) => typeof frame !== 'string' && up.send(frame) },
        output: (bytes) => {
          got.client = Buffer.concat([got.client, bytes]);
        },
        ready: () => {
          client.write(input);
          client.resize(80, 24);
          for (let from = 0; from < output.length; from += 5_000)
            server.send(payloadType.output, output.subarray(from, from + 5_000));
          server.send(payloadType.exitCode, Buffer.from('3'));
        },
        exited: (code) => {
          got.exit = code;
        },
        closed: () => undefined,
      });
      const runs = [client.run('token', over.signal), server.run(over.signal)];
      server.send(payloadType.handshakeRequest, json({ RequestedClientActions: [] }));
      for (let step = 0; step < 5_000 && (got.exit < 0 || got.size === '' || !server.isDrained); step++) {
        await pass(clock, 100);
        // Now and then nobody takes what comes.
        if (random(10) === 0) open = !open;
        for (const frame of up.arrived()) server.receive(frame);
        for (const frame of down.arrived()) client.receive(frame);
        if (open) server.resume();
      }
      over.abort();
      expect([seed, await Promise.all(runs)]).toEqual([seed, ['ended', 'ended']]);
      expect([seed, got.server.equals(input), got.client.equals(output)]).toEqual([seed, true, true]);
      expect([seed, got.size, got.exit]).toEqual([seed, '{"cols":80,"rows":24}', 3]);
    }
  });

  test('a peer that acknowledges nothing for five minutes is given up', async () => {
    const clock = new SteppedClock();
    const sent: number[] = [];
    const stream = serverSide(clock, { transmit: () => sent.push(clock.monotonic()) });
    const run = stream.run(new AbortController().signal);
    stream.send(payloadType.output, Buffer.from('x'));
    for (let time = 0; time < 310_000; time += 100) await pass(clock, 100);
    expect(await run).toBe('silent');
    expect(sent.slice(0, 4)).toEqual([0, 300, 900, 2_100]);
    expect(sent.length).toBeLessThan(120);
  });

  test('a peer that takes a second for every message is soon sent each once', async () => {
    const clock = new SteppedClock();
    let sent = 0;
    const stream = serverSide(clock, { transmit: () => (sent += 1) });
    const over = new AbortController();
    const run = stream.run(over.signal);
    for (let sequence = 0; sequence < 20; sequence++) {
      stream.send(payloadType.output, Buffer.from('x'));
      for (let step = 0; step < 10; step++) await pass(clock, 100);
      stream.receive(acknowledgement(sequence));
    }
    expect(stream.isDrained).toBe(true);
    expect(sent).toBeLessThan(25);
    over.abort();
    await run;
  });

  test('a slow link is not filled with messages that it has already', async () => {
    const clock = new SteppedClock();
    const link: Buffer[] = [];
    let sent = 0;
    const transmit = (frame: Buffer): void => {
      sent += 1;
      link.push(frame);
    };
    const stream = serverSide(clock, { transmit });
    const over = new AbortController();
    const run = stream.run(over.signal);
    const [messages, window] = [300, 16];
    let begun = 0;
    // One message in half a second comes through it, and so does each that is sent again.
    for (let step = 0; step < 20 * messages && (begun < messages || !stream.isDrained); step++) {
      for (; begun < messages && stream.messages < window; begun++) stream.send(payloadType.output, Buffer.from('x'));
      await pass(clock, 100);
      const frame = step % 5 === 0 ? link.shift() : undefined;
      if (frame !== undefined) stream.receive(acknowledgement(decodeMessage(frame).sequence));
    }
    expect(stream.isDrained).toBe(true);
    expect(sent).toBeLessThan(2 * messages);
    over.abort();
    await run;
  });

  test('what a peer says wrongly ends with an error that says so, and nothing else', () => {
    const stream = serverSide(new SteppedClock(), {
      hasRoom: () => false,
      deliver: () => {
        throw new Error('nothing is to be delivered');
      },
    });
    const frame = (type: MessageType, sequence: number, payload: Buffer): Buffer =>
      encodeMessage({ type, sequence, flags: 0, id: randomBytes(16), payloadType: 1, payload }, 0);
    expect(() => stream.receive(frame('acknowledge', 0, Buffer.from('{')))).toThrow(BadMessage);
    expect(() => stream.receive(frame('acknowledge', 0, json({ AcknowledgedMessageSequenceNumber: -1 })))).toThrow(
      BadMessage,
    );
    stream.receive(frame('acknowledge', 0, json({ AcknowledgedMessageSequenceNumber: 5 })));
    // Nothing of this is kept without bound: 64 MiB that nobody takes, in order and out of it.
    for (let sequence = 0; sequence < 1_024; sequence++)
      stream.receive(frame('input_stream_data', sequence * 2, Buffer.alloc(64 * 1024)));
    expect(stream.bytes).toBe(0);
  });

  test('messages without bytes wait for room in no greater number than may be kept', () => {
    let open = false;
    let delivered = 0;
    const stream = serverSide(new SteppedClock(), { hasRoom: () => open, deliver: () => (delivered += 1) });
    const payload = Buffer.alloc(0);
    for (let sequence = 0; sequence < 10_000; sequence++) {
      const message = {
        type: 'input_stream_data',
        sequence,
        flags: 0,
        id: randomBytes(16),
        payloadType: 1,
        payload,
      } as const;
      stream.receive(encodeMessage(message, 0));
    }
    expect(delivered).toBe(0);
    open = true;
    stream.resume();
    expect(delivered).toBe(4_000);
  });
});
