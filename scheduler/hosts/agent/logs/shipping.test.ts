import { array, assert, asyncProperty, boolean, constantFrom, integer, record, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { logLimits } from '../../wire/index.ts';
import type { LogSource } from './engine-log.ts';
import { LogSetupRefused } from './shipping.ts';
import type { FakeContainerLog } from './testing/fake-engine-logs.ts';
import type { Fate } from './testing/fake-log-server.ts';
import { ShippingBench, shippedTask, until } from './testing/shipped-task.ts';

const numRuns = { nightly: 300, release: 1000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 25;
const most = logLimits.messageBytes;

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, place) => `line ${from + place}`);
const writeAll = (log: FakeContainerLog, lines: readonly string[]): void => {
  for (const line of lines) log.write('stdout', line);
};

describe('shipping', () => {
  test('brings lines of every container over one connection, and says when the containers may go', async () => {
    await using bench = new ShippingBench();
    const task = shippedTask(['web', 'side']);
    const web = bench.start(task, task.container('web'));
    const side = bench.start(task, task.container('side'), true);
    bench.server.connect(bench.agent);
    writeAll(web, numbered(0, 500));
    side.write('stdout', 'of a terminal');
    await until(() => bench.server.of(task.arn, 'web').length === 500, 'the lines');
    await until(() => bench.server.of(task.arn, 'side').length === 1, 'the other line');
    expect(bench.server.of(task.arn, 'web')).toEqual(numbered(0, 500));
    expect(bench.agent.mayRemove(task.arn, 0)).toBe(false);
    for (const log of [web, side]) {
      log.write('stdout', 'the last words');
      log.running = false;
      log.changed();
    }
    bench.agent.over(task.arn);
    await until(() => bench.agent.mayRemove(task.arn, 0), 'the last words to be stored');
    expect(bench.server.of(task.arn, 'web').at(-1)).toBe('the last words');
  });

  test('goes on when a container is started again', async () => {
    await using bench = new ShippingBench();
    const task = shippedTask(['web']);
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    web.write('stdout', 'first run');
    web.running = false;
    web.changed();
    await until(() => bench.server.of(task.arn, 'web').length === 1, 'the first run');
    web.running = true;
    web.write('stdout', 'second run');
    bench.agent.follow(task, task.container('web'), false);
    await until(() => bench.server.of(task.arn, 'web').length === 2, 'the second run');
    expect(bench.server.of(task.arn, 'web')).toEqual(['first run', 'second run']);
  });

  test('loses nothing while the store is away, and leaves what it has no room for to the engine', async () => {
    await using bench = new ShippingBench();
    const store = Promise.withResolvers<void>();
    bench.server.ready = store.promise;
    const task = shippedTask(['web']);
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    const lines = numbered(0, 15_000).map((line) => `${line} ${'.'.repeat(500)}`);
    writeAll(web, lines);
    // More than may wait in memory: the reader leaves, and opens the log again once there is room.
    await until(() => bench.engine.opened > 0, 'the log to be read');
    store.resolve();
    await until(() => bench.server.of(task.arn, 'web').length >= lines.length, 'all lines');
    expect(bench.server.of(task.arn, 'web')).toEqual(lines);
    expect([bench.server.dropped, bench.server.gaps]).toEqual([0, 0]);
  });

  test('of 50 containers that write while the store is away for a minute loses no line, and says how many it dropped of those that may lose some', async () => {
    await using bench = new ShippingBench();
    const store = Promise.withResolvers<void>();
    bench.server.ready = store.promise;
    const names = (of: string): string[] => Array.from({ length: 25 }, (_, place) => `${of}${place}`);
    const blocking = shippedTask(names('kept'), {}, 'kept');
    const lossy = shippedTask(names('lossy'), { mode: 'non-blocking', maxBufferSize: 2000 }, 'lossy');
    const writers = [blocking, lossy].flatMap((task) =>
      task.containers.map((container) => bench.start(task, container)),
    );
    bench.server.connect(bench.agent);
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      for (const log of writers) writeAll(log, numbered(25 * round, 25 * round + 25));
      // An eighth of a minute of the clock of the agent, which is hurried fifty times.
      await new Promise((resolve) => setTimeout(resolve, 60_000 / 50 / rounds));
    }
    const all = numbered(0, 25 * rounds);
    await until(() => bench.told.some((text) => text.startsWith('dropped lines')), 'lines to be dropped');
    for (const log of writers) {
      log.running = false;
      log.changed();
    }
    for (const { arn } of [blocking, lossy]) bench.agent.over(arn);
    store.resolve();
    await until(() => [blocking, lossy].every(({ arn }) => bench.agent.mayRemove(arn, 0)), 'everything to be stored');
    for (const { name } of blocking.containers) expect(bench.server.of(blocking.arn, name)).toEqual(all);
    let stored = 0;
    for (const { name } of lossy.containers) {
      const lines = bench.server.of(lossy.arn, name);
      expect(lines).toEqual(all.filter((line) => lines.includes(line)));
      stored += lines.length;
    }
    expect(stored + bench.server.dropped).toBe(25 * all.length);
    expect(bench.server.dropped).toBeGreaterThan(0);
  });

  test('says that lines are lost when the engine gave them up first', async () => {
    await using bench = new ShippingBench();
    const store = Promise.withResolvers<void>();
    bench.server.ready = store.promise;
    const task = shippedTask(['web']);
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    web.keeps = 1024 * 1024;
    web.write('stdout', 'before');
    await until(() => bench.engine.opened > 0, 'the log to be read');
    bench.kill(task);
    // Nobody reads meanwhile, and the place that was reached goes.
    bench.server.marks.set(`${task.arn} web`, {
      last: 1,
      resume: JSON.stringify({
        time: '2026-01-02T03:04:05.000001000Z',
        nth: 1,
        since: 0,
        stdout: [0, 0],
        stderr: [0, 0],
      }),
    });
    writeAll(
      web,
      numbered(0, 4000).map((line) => `${line} ${'.'.repeat(500)}`),
    );
    store.resolve();
    bench.server.connect(bench.agent);
    await until(() => bench.server.gaps > 0, 'the gap to be told');
    await until(
      () => bench.server.of(task.arn, 'web').some((line) => line.startsWith('line 3999 ')),
      'the newest line',
    );
    expect(bench.told.join()).toContain('gave up lines of a container');
  });

  test('with mode non-blocking drops what its buffer does not hold, and counts it', async () => {
    await using bench = new ShippingBench();
    const store = Promise.withResolvers<void>();
    bench.server.ready = store.promise;
    const task = shippedTask(['web'], { mode: 'non-blocking', maxBufferSize: 100_000 });
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    const lines = numbered(0, 2000);
    writeAll(web, lines);
    await until(() => bench.told.some((text) => text.startsWith('dropped lines')), 'lines to be dropped');
    web.running = false;
    web.changed();
    bench.agent.over(task.arn);
    store.resolve();
    await until(() => bench.agent.mayRemove(task.arn, 0), 'the rest to be stored');
    const stored = bench.server.of(task.arn, 'web');
    expect(stored.length + bench.server.dropped).toBe(lines.length);
    expect(bench.server.dropped).toBeGreaterThan(0);
    expect(stored).toEqual(lines.filter((line) => stored.includes(line)));
  });

  test('with mode non-blocking takes a line that is longer than the buffer, when nothing else waits', async () => {
    await using bench = new ShippingBench();
    const task = shippedTask(['web'], { mode: 'non-blocking', maxBufferSize: 4096 });
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    web.write('stdout', 'x'.repeat(10_000));
    await until(() => bench.server.of(task.arn, 'web').length === 1, 'the line');
    expect(bench.server.of(task.arn, 'web')).toEqual(['x'.repeat(10_000)]);
  });

  test('of one container that writes without end leaves the others their turn', async () => {
    await using bench = new ShippingBench();
    const names = ['flood', ...Array.from({ length: 20 }, (_, place) => `quiet${place}`)];
    const task = shippedTask(names);
    const flood = bench.start(task, task.container('flood'));
    const quiet = names.slice(1).map((name) => bench.start(task, task.container(name)));
    for (let count = 0; count < 60; count++) flood.write('stdout', 'x'.repeat(most));
    for (const log of quiet) log.write('stdout', 'one line');
    bench.server.connect(bench.agent);
    await until(() => names.slice(1).every((name) => bench.server.of(task.arn, name).length === 1), 'the quiet ones');
    await until(() => bench.server.of(task.arn, 'flood').length === 60, 'the loud one');
    const place = bench.server.entries.findLastIndex(({ containerName }) => containerName.startsWith('quiet'));
    expect(
      bench.server.entries.slice(place).filter(({ containerName }) => containerName === 'flood').length,
    ).toBeGreaterThan(5);
  });

  test('waits for a stream that is refused, and not for the others', async () => {
    await using bench = new ShippingBench();
    const task = shippedTask(['web', 'side']);
    let full = true;
    bench.server.refuse = ({ containerName }) =>
      containerName === 'web' && full ? { code: 'ThrottlingException', message: 'later', retryAfter: 10 } : undefined;
    const web = bench.start(task, task.container('web'));
    const side = bench.start(task, task.container('side'));
    bench.server.connect(bench.agent);
    for (const log of [web, side]) writeAll(log, numbered(0, 3));
    await until(() => bench.server.of(task.arn, 'side').length === 3, 'the one that is taken');
    expect(bench.server.of(task.arn, 'web')).toEqual([]);
    full = false;
    await until(() => bench.server.of(task.arn, 'web').length === 3, 'the other one');
    expect(bench.server.of(task.arn, 'web')).toEqual(numbered(0, 3));
  });

  test('asks for a stream again that was refused for good, while others go on', async () => {
    await using bench = new ShippingBench();
    const task = shippedTask(['web', 'side']);
    let missing = true;
    bench.server.refuse = ({ containerName }) =>
      containerName === 'web' && missing ? { code: 'ResourceNotFoundException', message: 'no group' } : undefined;
    const web = bench.start(task, task.container('web'));
    const side = bench.start(task, task.container('side'));
    bench.server.connect(bench.agent);
    web.write('stdout', 'kept meanwhile');
    await until(() => bench.told.includes('the lines of a container are not taken'), 'the refusal');
    side.write('stdout', 'not concerned');
    await until(() => bench.server.of(task.arn, 'side').length === 1, 'the other one');
    missing = false;
    await until(() => bench.server.of(task.arn, 'web').length === 1, 'what was kept');
    expect(bench.server.asked).toBeGreaterThan(1);
  });

  test('gives up containers of a task that is over and whose lines nobody takes', async () => {
    await using bench = new ShippingBench();
    bench.server.refuse = () => ({ code: 'ResourceNotFoundException', message: 'gone' });
    const task = shippedTask(['web']);
    const web = bench.start(task, task.container('web'));
    bench.server.connect(bench.agent);
    web.write('stdout', 'nobody wants me');
    web.running = false;
    web.changed();
    bench.agent.over(task.arn);
    await until(() => bench.agent.mayRemove(task.arn, 0), 'the container to be given up');
    expect(bench.told).toContain('lines of a container were never stored');
  });
});

describe('the check before a start', () => {
  test('is passed at once by tasks without such lines, and by those whose groups are there', async () => {
    await using bench = new ShippingBench();
    await bench.agent.check({ ...shippedTask([]), containers: [] });
    bench.server.connect(bench.agent);
    await bench.agent.check(shippedTask(['web']));
    expect(bench.server.asked).toBe(1);
  });

  test("fails with the control plane's reason, or a pattern that is none", async () => {
    await using bench = new ShippingBench();
    bench.server.open = () => ({ reason: 'ResourceInitializationError: failed to validate logger args: no group' });
    bench.server.connect(bench.agent);
    await expect(bench.agent.check(shippedTask(['web']))).rejects.toThrow(
      /^ResourceInitializationError: failed.* no group$/,
    );
    await expect(bench.agent.check(shippedTask(['web'], { multilinePattern: '[' }))).rejects.toThrow(LogSetupRefused);
  });

  test('is passed, after a while, when nobody answers', async () => {
    await using bench = new ShippingBench();
    await bench.agent.check(shippedTask(['web']));
    expect(bench.server.asked).toBe(0);
  });
});

type Step =
  | {
      readonly kind: 'write';
      readonly source: 'stdout' | 'stderr';
      readonly container: number;
      readonly count: number;
      readonly size: number;
      readonly step: number;
      /** Whether the other output has such a line at the same time. */
      readonly both: boolean;
    }
  | { readonly kind: 'kill' }
  | { readonly kind: 'connect' }
  | { readonly kind: 'end' };

const steps = array(
  tuple(
    integer({ min: 0, max: 9 }),
    record({
      kind: constantFrom('write' as const),
      source: constantFrom('stdout' as const, 'stderr' as const),
      container: integer({ min: 0, max: 2 }),
      count: integer({ min: 1, max: 40 }),
      size: constantFrom(0, 3, 200, 16_384, 20_000, most - 10, most + 1, 3_000_000),
      both: boolean(),
      step: constantFrom(0, 1, 1000, 1_000_000_000),
    }),
  ).map(([what, write]): Step =>
    what < 6 ? write : { kind: (['kill', 'connect', 'end', 'connect'] as const)[what - 6]! },
  ),
  { maxLength: 30 },
);

/** The messages that a line becomes. */
function piecesOf(line: string): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < line.length; from += most) pieces.push(line.slice(from, from + most));
  return pieces;
}

test('nothing is lost, doubled or put in another order, whatever is cut, killed and connected again', async () => {
  await assert(
    asyncProperty(
      steps,
      array(constantFrom<Fate[]>('answered', 'answered', 'lost', 'unanswered'), { maxLength: 30 }),
      integer(),
      async (played, fates, seed) => {
        await using bench = new ShippingBench();
        let state = seed >>> 0;
        bench.engine.random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
        let batch = 0;
        bench.server.fate = () => fates[batch++] ?? 'answered';
        const names = ['a', 'b', 'c'];
        const task = shippedTask(names);
        const logs = names.map((name) => bench.start(task, task.container(name), name === 'c'));
        const expected = new Map(
          names.flatMap((name) => [
            [`${name} o`, [] as string[]],
            [`${name} e`, []],
          ]),
        );
        let number = 0;
        for (const step of played) {
          if (step.kind === 'kill') bench.kill(task);
          else if (step.kind === 'end') bench.server.end();
          else if (step.kind === 'connect') bench.server.connect(bench.agent);
          else {
            const log = logs[step.container]!;
            const other = step.source === 'stdout' ? 'stderr' : 'stdout';
            const sources: readonly LogSource[] = log.terminal
              ? (['stdout'] as const)
              : step.both
                ? [step.source, other]
                : [step.source];
            for (let count = 0; count < (step.size > 10_000 ? 2 : step.count); count++) {
              const lines = sources.map((source) => {
                const mark = source === 'stdout' ? 'o' : 'e';
                // Every piece of it says of which source it is.
                const line = `${mark}${number++} ${mark.repeat(step.size)}`;
                expected.get(`${names[step.container]} ${mark}`)!.push(...piecesOf(line));
                return [source, line] as const;
              });
              log.writeBeside(lines, step.step);
            }
          }
          for (let turn = 0; turn < number % 40; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
        for (const log of logs) {
          log.running = false;
          log.changed();
        }
        bench.agent.over(task.arn);
        await until(() => {
          if (!bench.server.connected) bench.server.connect(bench.agent);
          return bench.agent.mayRemove(task.arn, 0);
        }, 'everything to be stored');
        for (const [key, pieces] of expected) {
          const [name = '', mark = ''] = key.split(' ');
          expect(bench.server.of(task.arn, name).filter((message) => message.startsWith(mark))).toEqual(pieces);
        }
        expect([bench.server.dropped, bench.server.gaps]).toEqual([0, 0]);
      },
    ),
    { numRuns },
  );
}, 600_000);
