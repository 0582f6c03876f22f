import { array, assert, constantFrom, integer, property, record, string, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { logLimits } from '../../wire/index.ts';
import { EngineLogGarbled, EngineLogReader, type LogPart, type LogSource } from './engine-log.ts';
import { EventAssembler, type PlacedEvent } from './events.ts';
import { firstLines, LogPatternRefused } from './first-lines.ts';
import { beginning, readPlace, writePlace } from './place.ts';

const numRuns = { nightly: 3000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;
const most = logLimits.messageBytes;
const part = (text: string | Buffer, more: Partial<LogPart> = {}): LogPart => ({
  source: 'stdout',
  time: '2026-01-02T03:04:05.000000001Z',
  text: Buffer.from(text),
  partial: false,
  ...more,
});
const messages = (events: readonly PlacedEvent[]): string[] => events.map(({ message }) => message);

/** An answer of the engine, of parts. */
function answerOf(parts: readonly LogPart[], terminal: boolean): Buffer {
  return Buffer.concat(
    parts.map(({ source, time, text, partial }) => {
      const body = Buffer.concat([Buffer.from(`${time} `), text, Buffer.from(partial ? '' : '\n')]);
      const header = Buffer.from([source === 'stderr' ? 2 : 1, 0, 0, 0, 0, 0, 0, 0]);
      header.writeUInt32BE(body.length, 4);
      return terminal ? body : Buffer.concat([header, body]);
    }),
  );
}

function read(answer: Buffer, terminal: boolean, cuts: readonly number[]): LogPart[] {
  const reader = new EngineLogReader(terminal);
  const ends = [...new Set([...cuts.map((cut) => cut % (answer.length + 1)), answer.length])].toSorted((a, b) => a - b);
  let from = 0;
  return ends.flatMap((to) => {
    const chunk = answer.subarray(from, to);
    from = to;
    return reader.push(chunk);
  });
}

describe('the log of an engine', () => {
  test('is read the same however it is cut, with and without a terminal', () => {
    const line = record({
      source: constantFrom<LogSource[]>('stdout', 'stderr'),
      text: string({ unit: constantFrom('a', ' ', 'ü', '\u0000', '\r') }),
    });
    assert(
      property(
        array(line, { maxLength: 12 }),
        array(integer({ min: 0, max: 5000 }), { maxLength: 12 }),
        (lines, cuts) => {
          for (const terminal of [false, true]) {
            const parts = lines.map(({ source, text }) => part(text, { source: terminal ? 'stdout' : source }));
            expect(read(answerOf(parts, terminal), terminal, cuts)).toEqual(parts);
          }
        },
      ),
      { numRuns },
    );
  });

  test('has long lines in parts, also without frames', () => {
    const parts = [part('a'.repeat(16_384), { partial: true }), part('b'.repeat(16_384), { partial: true }), part('c')];
    for (const terminal of [false, true])
      expect(read(answerOf(parts, terminal), terminal, [7, 16_384, 16_420, 16_450])).toEqual(parts);
  });

  test('is refused in a form that nobody knows, before it fills the memory', () => {
    const frame = (kind: number, length: number): Buffer => {
      const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
      header.writeUInt32BE(length, 4);
      return header;
    };
    for (const answer of [frame(9, 10), frame(1, 2 ** 31), Buffer.concat([frame(1, 3), Buffer.from('abc')])])
      expect(() => new EngineLogReader(false).push(answer)).toThrow(EngineLogGarbled);
    expect(() => new EngineLogReader(true).push(Buffer.alloc(100, 'x'))).toThrow(EngineLogGarbled);
  });
});

describe('events', () => {
  test('are lines, whose parts are glued; empty ones are none', () => {
    const made = new EventAssembler();
    const events = [
      part('first half, ', { partial: true }),
      part('of another', { source: 'stderr' }),
      part('second half'),
      part(''),
    ].flatMap((one) => made.push(one, 0));
    expect(messages(events)).toEqual(['of another', 'first half, second half']);
    expect(messages(made.push(part('x'), 0))).toEqual(['x']);
  });

  test('are cut where they are too long, between characters, and what is no UTF-8 counts as what stands for it', () => {
    const made = new EventAssembler();
    const cut = (line: Buffer): string[] => {
      const events: PlacedEvent[] = [];
      for (let from = 0; from < line.length; from += 16_384)
        events.push(
          ...made.push(part(line.subarray(from, from + 16_384), { partial: from + 16_384 < line.length }), 0),
        );
      return messages(events);
    };
    expect(cut(Buffer.alloc(most, 'x')).map(({ length }) => length)).toEqual([most]);
    expect(cut(Buffer.alloc(most + 1, 'x')).map(({ length }) => length)).toEqual([most, 1]);
    const wide = cut(Buffer.from('€'.repeat(100_000)));
    expect(wide.join('')).toBe('€'.repeat(100_000));
    for (const garbage of [Buffer.alloc(300_000, 0xff), Buffer.alloc(300_000, 0x80), Buffer.alloc(600_000)]) {
      const pieces = cut(garbage);
      expect(pieces.join('')).toBe(garbage.toString('utf8'));
      expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(most);
    }
  });

  test('of an endless line take no more memory than one event', () => {
    const made = new EventAssembler();
    let bytes = 0;
    for (let count = 0; count < 2000; count++)
      for (const { message } of made.push(part(Buffer.alloc(16_384, 'y'), { partial: true }), 0))
        bytes += message.length;
    expect(bytes).toBeGreaterThan(2000 * 16_384 - 2 * most);
  });

  test('leave nothing behind of lines that are none, or that wait for another output', () => {
    const empty = new EventAssembler();
    const glued = new EventAssembler(beginning, () => false);
    const open = new EventAssembler();
    open.push(part('not at its end', { source: 'stderr', partial: true }), 0);
    for (let count = 0; count < 50_000; count++) {
      for (const made of [empty, glued]) made.push(part(''), 0);
      open.push(part('x'), 0);
      for (const made of [empty, glued, open]) if (made.remembered > 5000) throw new Error('it remembers too much');
    }
    expect(messages(empty.push(part('a line'), 0))).toEqual(['a line']);
  });

  test('of several lines begin where a pattern says, and end with the next one or in time', () => {
    const made = new EventAssembler(
      beginning,
      firstLines({ mode: 'blocking', maxBufferSize: 1, multilinePattern: '^INFO' }),
    );
    expect(made.push(part('INFO one'), 0)).toEqual([]);
    expect(made.push(part('  more'), 10)).toEqual([]);
    expect(messages(made.push(part('INFO two'), 20))).toEqual(['INFO one\n  more\n']);
    expect(made.flush(1000, 5000)).toEqual([]);
    expect(messages(made.flush(5020, 5000))).toEqual(['INFO two\n']);
    expect(made.flush(9000, 5000)).toEqual([]);
    made.push(part('x'.repeat(200_000)), 0);
    expect(messages(made.push(part('y'.repeat(200_000)), 0)).map(({ length }) => length)).toEqual([200_001]);
  });

  test('of several lines are never longer than an event may be, also where a line fills one without its end', () => {
    for (const length of [most - 1, most, most + 1, 2 * most]) {
      const made = new EventAssembler(beginning, () => true);
      const events = [...made.push(part('x'.repeat(length)), 0), ...made.push(part('next'), 0), ...made.end(0)];
      const texts = messages(events);
      expect(texts.join('').replaceAll('\n', '')).toBe(`${'x'.repeat(length)}next`);
      expect(texts.at(-1)).toBe('next\n');
      expect(Math.max(...texts.map((text) => Buffer.byteLength(text)))).toBeLessThanOrEqual(most);
    }
  });

  test('begin with dates of strftime', () => {
    const starts = firstLines({ mode: 'blocking', maxBufferSize: 1, datetimeFormat: '\\[%b %d, %Y %H:%M:%S\\]' })!;
    expect(starts('[Dec 01, 2025 23:59:59] it began')).toBe(true);
    expect(starts('[Dec 32, 2025 23:59:59] it did not')).toBe(false);
    const precise = firstLines({ mode: 'blocking', maxBufferSize: 1, datetimeFormat: '%Y-%m-%dT%H:%M:%S%L' })!;
    expect([precise('2026-11-29T01:02:03.456Z x'), precise('  at Foo.bar (2026)')]).toEqual([true, false]);
    expect(() => firstLines({ mode: 'blocking', maxBufferSize: 1, multilinePattern: '(' })).toThrow(LogPatternRefused);
  });

  test('are the same, and none twice, when they are read again from the place behind any of them', () => {
    const kinds = tuple(
      constantFrom<LogSource[]>('stdout', 'stderr'),
      constantFrom('ab', '', 'INFO x', 'z'.repeat(most + 5), 'q'.repeat(20_000)),
      integer({ min: 0, max: 1 }),
    );
    assert(
      property(
        array(kinds, { minLength: 1, maxLength: 25 }),
        integer({ min: 0, max: 24 }),
        integer({ min: 0, max: 1 }),
        (lines, stop, mode) => {
          let nanos = 0;
          const queues: LogPart[][] = lines.map(([source, text, step]) => {
            nanos += step;
            const time = `2026-01-02T03:04:05.${String(nanos).padStart(9, '0')}Z`;
            const parts: LogPart[] = [];
            for (let from = 0; ; from += 16_384) {
              const partial = text.length - from >= 16_384;
              parts.push(part(text.slice(from, from + 16_384), { source, time, partial }));
              if (!partial) return parts;
            }
          });
          // The parts of a line stand in order; others of the other source may stand between them.
          const log: LogPart[] = [];
          const bySource = Map.groupBy(queues, ([first]) => first!.source);
          const [one = [], other = []] = [...bySource.values()].map((all) => all.flat());
          for (let place = 0; place < Math.max(one.length, other.length); place++)
            log.push(...one.slice(place, place + 1), ...other.slice(place, place + 1));
          const starts = mode === 0 ? undefined : (line: string) => line.startsWith('INFO');
          const run = (from = beginning): PlacedEvent[] => {
            const made = new EventAssembler(from, starts);
            const events = log.flatMap((each) => made.push(each, 0));
            expect(made.seeking).toBe(false);
            return [...events, ...made.end(0)];
          };
          const whole = run();
          const at = whole[stop % Math.max(1, whole.length)];
          if (at === undefined) return;
          const place = readPlace(writePlace(at.place));
          expect(place).toEqual(at.place);
          expect(messages(run(place))).toEqual(messages(whole.slice(whole.indexOf(at) + 1)));
        },
      ),
      { numRuns },
    );
  });
});
