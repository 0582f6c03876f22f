import { EventEmitter } from 'node:events';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { until } from '../../testing/bench.ts';
import { silent } from '../../testing/callers.ts';
import { execCost, execLimits } from '../../wire/index.ts';
import type { Written } from './demultiplexed.ts';
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

test('the server is given room for more input at first, and again when enough was taken', async () => {
  const end = new End();
  const ended = Promise.withResolvers<void>();
  let taken = 0;
  const process = {
    output: (async function* () {
      await ended.promise;
      yield* [] as Written[];
    })(),
    write: async (bytes: Buffer) => void (taken += bytes.length),
    endInput: () => undefined,
    resize: async () => undefined,
    exitCode: async () => 0,
    kill: async () => ended.resolve(),
  };
  const engine = { start: async () => process };
  const ports = { engine, clock: systemClock, log: silent, refusal: () => undefined, user: () => '0' };
  const run = new ExecSession(end as unknown as WebSocket, ports).run(new AbortController().signal);
  const message = {
    sessionId: 's',
    taskArn: 'arn',
    containerName: 'main',
    runtimeId: 'ab'.repeat(32),
    command: ['cat'],
    tty: false,
    cols: 80,
    rows: 24,
  };
  end.emit('message', Buffer.from(JSON.stringify({ type: 'ExecStart', message })), false);
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
