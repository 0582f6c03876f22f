import { EventEmitter } from 'node:events';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { until } from '../../testing/bench.ts';
import { silent } from '../../testing/callers.ts';
import { execCost, execLimits } from '../../wire/index.ts';
import type { Written } from './demultiplexed.ts';
import type { ExecProcess } from './engine.ts';
import { ExecSession } from './session.ts';

/** The agent's end of a connection. */
class End extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly sent: string[] = [];
  resume = (): void => undefined;
  send = (frame: string): void => void this.sent.push(frame);
  close = (): void => {
    this.readyState = 3;
    this.emit('close');
  };
  terminate = this.close;

  /** The room that the server was given, in the order in which it was. */
  credits(): number[] {
    return this.sent.flatMap((frame) => {
      const { type, message } = JSON.parse(frame) as { type: string; message: { bytes: number } };
      return type === 'ExecCredit' ? [message.bytes] : [];
    });
  }
}

/** A session whose command runs until it is ended. @param starting when it is started */
function begin(own: Pick<ExecProcess, 'write' | 'resize' | 'endInput'>, starting = Promise.resolve()) {
  const end = new End();
  const ended = Promise.withResolvers<void>();
  const process: ExecProcess = {
    ...own,
    output: (async function* () {
      await ended.promise;
      yield* [] as Written[];
    })(),
    exitCode: async () => 0,
    kill: async () => ended.resolve(),
  };
  const engine = { start: () => starting.then(() => process) };
  const ports = { engine, clock: systemClock, log: silent, refusal: () => undefined, user: () => '0' };
  const run = new ExecSession(end as unknown as WebSocket, ports).run(new AbortController().signal);
  const tell = (type: string, message: object): void =>
    void end.emit('message', Buffer.from(JSON.stringify({ type, message })), false);
  tell('ExecStart', {
    sessionId: 's',
    taskArn: 'arn',
    containerName: 'main',
    runtimeId: 'ab'.repeat(32),
    command: ['cat'],
    tty: false,
    cols: 80,
    rows: 24,
  });
  return { end, run, tell };
}

test('the server is given room for more input at first, and again when enough was taken', async () => {
  let taken = 0;
  const { end, run } = begin({
    write: async (bytes) => void (taken += bytes.length),
    endInput: () => undefined,
    resize: async () => undefined,
  });
  const first = execLimits.inputBytes - execLimits.firstInputBytes;
  expect(end.credits()).toEqual([first]);
  for (let keys = 0; keys < 100; keys++) end.emit('message', Buffer.of(120), true);
  await until(() => (taken === 100 ? true : undefined), 'the keys taken');
  expect(end.credits()).toEqual([first]);
  const large = Buffer.alloc(execLimits.creditBytes);
  end.emit('message', large, true);
  const all = 100 * execCost(1) + execCost(large.length);
  await until(() => (end.credits().length === 2 ? true : undefined), 'room for as much again');
  expect(end.credits()).toEqual([first, all]);
  expect(end.readyState).toBe(1);
  end.close();
  await run;
});

test('the terminal has the newest size in the end, by one call of the engine after the other, and input ends once', async () => {
  const [starting, first] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const sizes: number[] = [];
  const written: string[] = [];
  const { end, run, tell } = begin(
    {
      write: async (bytes) => void written.push(bytes.toString()),
      endInput: () => void written.push('end'),
      resize: async (cols) => {
        sizes.push(cols);
        await first.promise;
      },
    },
    starting.promise,
  );
  // While it is being started, it is started with the size of before.
  tell('ExecResize', { cols: 100, rows: 24 });
  starting.resolve();
  await until(() => (sizes.length > 0 ? true : undefined), 'the size of a command that was being started');
  for (let cols = 101; cols <= 200; cols++) tell('ExecResize', { cols, rows: 24 });
  expect(sizes).toEqual([100]);
  first.resolve();
  await until(() => (sizes.length > 1 ? true : undefined), 'the newest size');
  end.emit('message', Buffer.from('x'), true);
  for (let times = 0; times < 100; times++) tell('ExecInputEnd', {});
  await until(() => (written.includes('end') ? true : undefined), 'the end of the input');
  expect([sizes, written]).toEqual([
    [100, 200],
    ['x', 'end'],
  ]);
  end.close();
  await run;
});
