import { EventEmitter } from 'node:events';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { taskSchema } from '../../wire/index.ts';
import type { LiveTask } from '../endpoint/index.ts';
import { ExecSessions } from './sessions.ts';

const arn = 'arn:aws:ecs:us-east-1:000000000000:task/default/abc';
const runtimeId = 'ab'.repeat(32);

/** A connection on which a server orders a command as soon as it is listened to. */
function ordering(containerName: string): WebSocket {
  const ws = new EventEmitter();
  const close = (): boolean => ws.emit('close');
  const message = { sessionId: 's', taskArn: arn, containerName, runtimeId, command: ['id'], tty: false };
  const text = JSON.stringify({ type: 'ExecStart', message: { ...message, cols: 80, rows: 24 } });
  const resume = (): boolean => ws.emit('message', Buffer.from(text), false);
  return Object.assign(ws, { readyState: 1, OPEN: 1, resume, close, terminate: close, send: () => undefined }) as never;
}

test.each([
  ['files', '1000:1000'],
  ['free', '0'],
])('a command in the container %s is run as %s', async (containerName, user) => {
  const task = taskSchema.parse({
    arn,
    desiredStatus: 'RUNNING',
    enableExecuteCommand: true,
    containers: [
      { name: 'files', image: 'web', mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }] },
      { name: 'free', image: 'web' },
    ],
    volumes: [
      {
        name: 'data',
        type: 'efs',
        fileSystem: { id: 'fs-0123456789abcdef0', path: '/', user: { uid: 1000, gid: 1000 } },
      },
    ],
  });
  const inspected = { Id: runtimeId, State: { Running: true }, Config: { User: '1000:1000' } };
  const live = { saved: { task }, inspected: new Map([[containerName, inspected]]) } as unknown as LiveTask;
  const asked = Promise.withResolvers<string>();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const sessions = new ExecSessions({
    engine: {
      start: (_command, as) => {
        asked.resolve(as);
        return Promise.reject(new Error('enough'));
      },
    },
    tasks: () => [live],
    dial: () => Promise.resolve(ordering(containerName)),
    url: () => Promise.resolve(new URL('ws://127.0.0.1')),
    clock: systemClock,
    random: () => 0,
    log: log as never,
  });
  sessions.wanted('s', arn);
  expect(await asked.promise).toBe(user);
  await sessions.stop();
});
