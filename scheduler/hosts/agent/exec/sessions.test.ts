import { EventEmitter } from 'node:events';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { taskSchema } from '../../wire/index.ts';
import { until } from '../../testing/bench.ts';
import { type Dial, UpgradeRefused } from '../channel.ts';
import type { LiveTask } from '../endpoint/index.ts';
import { dockerArchives } from './archives.ts';
import { ExecSessions, type ExecSessionsPorts } from './sessions.ts';

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

/** A host whose connections are opened so: as whom its first command is run, and what it warns of. */
function host(
  containerName: string,
  dial: Dial,
  dialCopy: ExecSessionsPorts['dialCopy'] = () => Promise.reject(new Error('nothing is copied')),
) {
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
  const inspected = {
    Id: runtimeId,
    State: { Running: true },
    Config: { User: '1000:1000' },
    HostConfig: { Runtime: 'runsc' },
  };
  const live = { saved: { task }, inspected: new Map([[containerName, inspected]]) } as unknown as LiveTask;
  const asked = Promise.withResolvers<string>();
  const warned: string[] = [];
  const warn = (_about: object, message: string): void => void warned.push(message);
  const log = { info: () => undefined, warn, error: () => undefined };
  const sessions = new ExecSessions({
    engine: {
      start: (_command, as) => {
        asked.resolve(as);
        return Promise.reject(new Error('enough'));
      },
    },
    archives: dockerArchives(undefined as never),
    tasks: () => [live],
    dial,
    isolation: 'runsc',
    dialCopy,
    copyUrl: () => Promise.resolve(new URL('http://127.0.0.1')),
    url: () => Promise.resolve(new URL('ws://127.0.0.1')),
    clock: systemClock,
    random: () => 0,
    log: log as never,
  });
  return { sessions, user: asked.promise, warned };
}

test.each([
  ['files', '1000:1000'],
  ['free', '0'],
])('a command in the container %s is run as %s', async (containerName, user) => {
  const of = host(containerName, () => Promise.resolve(ordering(containerName)));
  of.sessions.wanted({ sessionId: 's', taskArn: arn });
  expect(await of.user).toBe(user);
  await of.sessions.stop();
});

test('nothing is copied into or out of a container that is isolated, which would not see it', async () => {
  const said: string[] = [];
  const end = new EventEmitter();
  const message = { sessionId: 's', taskArn: arn, containerName: 'free', runtimeId, direction: 'to', path: '/tmp' };
  const resume = (): void => {
    if (said.length === 0) end.emit('message', Buffer.from(JSON.stringify({ type: 'CopyStart', message })), false);
  };
  const say = (text: Buffer): void => {
    said.push(text.toString());
    end.emit('close');
  };
  const terminate = (): boolean => end.emit('close');
  const channel = Object.assign(end, { resume, say, terminate });
  const never = () => Promise.reject(new Error('no command is run'));
  const of = host('free', never, () => Promise.resolve(channel as never));
  of.sessions.wanted({ sessionId: 's', taskArn: arn, copies: true });
  await until(() => said[0], 'the refusal');
  expect(said[0]).toMatch(/CopyRefused.*isolated by runsc.*slipway exec -i and tar/);
  await of.sessions.stop();
});

test('servers that have not the client, or cannot be reached, are asked until it is another one', async () => {
  const answers: Error[] = [
    new UpgradeRefused('SessionNotHereException', 'not here'),
    new Error('connect ECONNREFUSED'),
    new UpgradeRefused('', 'the upgrade was answered with status 503', 503),
    new UpgradeRefused('ServerException', 'the store is away', 500),
    new UpgradeRefused('ThrottlingException', 'slow down', 429),
  ];
  const of = host('free', () => {
    const answer = answers.shift();
    return answer === undefined ? Promise.resolve(ordering('free')) : Promise.reject(answer);
  });
  of.sessions.wanted({ sessionId: 's', taskArn: arn });
  expect(await of.user).toBe('0');
  expect(answers).toEqual([]);
  await of.sessions.stop();
});

test('a server that refuses the host is not asked again', async () => {
  let asked = 0;
  const of = host('free', () => {
    asked += 1;
    return Promise.reject(new UpgradeRefused('AccessDeniedException', 'it is not yours'));
  });
  of.sessions.wanted({ sessionId: 's', taskArn: arn });
  await until(() => (of.warned.length > 0 ? true : undefined), 'the refusal told of');
  expect([asked, of.warned]).toEqual([1, ['a session came to nothing']]);
  await of.sessions.stop();
});
