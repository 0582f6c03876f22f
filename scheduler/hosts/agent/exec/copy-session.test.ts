import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { copyLimits, type CopyStart } from '../../../exec/protocol/index.ts';
import { until } from '../../testing/bench.ts';
import { silent } from '../../testing/callers.ts';
import type { ArchiveEngine, InContainer } from './archives.ts';
import { CopySession } from './copy-session.ts';

/** The agent's end of a connection. */
class End extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  status: number | undefined;
  readonly sent: (string | Buffer)[] = [];
  resume = (): void => undefined;
  send = (frame: string | Buffer): void => void this.sent.push(frame);
  close = (status?: number): void => {
    this.status = status;
    this.readyState = 3;
    this.emit('close');
  };
  terminate = this.close;

  get bytes(): number {
    return this.sent.reduce((sum, frame) => sum + (typeof frame === 'string' ? 0 : frame.length), 0);
  }

  said(): { readonly type: string; readonly message: { readonly reason?: string; readonly bytes?: number } }[] {
    return this.sent.flatMap((frame) => (typeof frame === 'string' ? [JSON.parse(frame)] : []));
  }
}

const files: Readonly<Record<string, InContainer>> = {
  '/tmp': { is: 'folder', leads: '' },
  '/tmp/file': { is: 'other', leads: '' },
  '/tmp/link': { is: 'link', leads: '/tmp/elsewhere' },
};

function begin(engine: Partial<ArchiveEngine>, refusal: () => string | undefined = () => undefined) {
  const end = new End();
  const archives: ArchiveEngine = {
    stat: async (_, path) => files[path],
    read: () => Promise.reject(new Error('nothing is read')),
    write: () => Promise.reject(new Error('nothing is written')),
    ...engine,
  };
  const ports = { archives, clock: systemClock, log: silent, refusal };
  const run = new CopySession(end as unknown as WebSocket, ports).run(new AbortController().signal);
  const tell = (type: string, message: object): void =>
    void end.emit('message', Buffer.from(JSON.stringify({ type, message })), false);
  const start = (direction: CopyStart['direction'], path: string): void =>
    tell('CopyStart', {
      sessionId: 's',
      taskArn: 'arn',
      containerName: 'main',
      runtimeId: 'ab'.repeat(32),
      direction,
      path,
    });
  const last = () =>
    until(() => end.said().find(({ type }) => type === 'CopyEnd' || type === 'CopyRefused'), 'the end');
  return { end, run, tell, start, last };
}

const collected = async (archive: Readable): Promise<number> => {
  let bytes = 0;
  for await (const part of archive) bytes += (part as Buffer).length;
  return bytes;
};

test('an archive is sent no faster than its client takes it', async () => {
  const all = 3 * copyLimits.windowBytes;
  let read = 0;
  const content = function* (): Generator<Buffer> {
    for (; read < all; read += 100_000) yield Buffer.alloc(100_000);
  };
  const { end, run, tell, start, last } = begin({
    read: async () => Readable.from(content(), { objectMode: false, highWaterMark: 1 }),
  });
  start('from', '/tmp');
  await until(() => (end.bytes > copyLimits.windowBytes - copyLimits.frameBytes ? true : undefined), 'a full window');
  expect(end.said()).toEqual([{ type: 'CopyReady', message: { is: 'folder' } }]);
  // What waits is what stands before the window, and a piece or two before that.
  expect([end.bytes <= copyLimits.windowBytes, read < copyLimits.windowBytes + 400_000]).toEqual([true, true]);
  for (let times = 0; times < 3; times += 1) {
    const before = end.bytes;
    tell('CopyCredit', { bytes: copyLimits.windowBytes });
    await until(() => (end.bytes > before ? true : undefined), 'more');
  }
  const told = setInterval(() => tell('CopyCredit', { bytes: copyLimits.windowBytes }), 10);
  expect(await last()).toEqual({ type: 'CopyEnd', message: {} });
  clearInterval(told);
  expect(end.bytes).toBeGreaterThanOrEqual(all);
  end.close();
  await run;
});

test('an archive goes into a folder, or under the name that is asked for, also behind a link; its client is told what was taken', async () => {
  const written: [folder: string, bytes: number][] = [];
  for (const [path, is, name, folder] of [
    ['/tmp', 'folder', undefined, '/tmp'],
    ['/tmp/new', 'nothing', 'new', '/tmp'],
    ['/tmp/file', 'other', 'file', '/tmp'],
    ['/tmp/link', 'nothing', 'elsewhere', '/tmp'],
  ] as const) {
    const { end, run, tell, start, last } = begin({
      write: async (_, into, archive) => void written.push([into, await collected(archive)]),
    });
    start('to', path);
    await until(() => end.said()[0], 'the copy');
    expect(end.said()[0]).toEqual({ type: 'CopyReady', message: { is, ...(name && { name }) } });
    for (let frames = 0; frames < 10; frames += 1) end.emit('message', Buffer.alloc(copyLimits.frameBytes), true);
    tell('CopyInputEnd', {});
    expect((await last()).type).toBe('CopyEnd');
    const taken = end.said().flatMap(({ type, message }) => (type === 'CopyCredit' ? [message.bytes ?? 0] : []));
    expect(taken).toEqual([copyLimits.creditBytes, copyLimits.creditBytes]);
    expect(written.pop()).toEqual([folder, 10 * copyLimits.frameBytes]);
    end.close();
    await run;
  }
});

test('what cannot be copied is told: nothing there, no folder, what the engine says, what may not be', async () => {
  const said = async (direction: 'from' | 'to', path: string, ...given: Parameters<typeof begin>) => {
    const { end, run, start, last } = begin(...given);
    start(direction, path);
    const { message } = await last();
    end.close();
    await run;
    return message.reason;
  };
  expect(await said('from', '/none', {})).toBe('there is no /none in the container');
  expect(await said('to', '/none/file', {})).toBe('there is no folder /none in the container');
  expect(await said('to', '/tmp/new/', {})).toBe('there is no folder /tmp/new/ in the container');
  expect(await said('from', '/tmp', {})).toBe('nothing is read');
  expect(await said('to', '/tmp', {})).toBe('nothing is written');
  expect(await said('from', '/tmp', {}, () => 'the task is over')).toBe('the task is over');
});

test('it ends with its task, and breaks the archive off: half of one is none to the engine', async () => {
  for (const how of ['task', 'connection'] as const) {
    const over = { why: undefined as string | undefined };
    const broken = Promise.withResolvers<unknown>();
    const { end, run, start, last } = begin(
      {
        write: async (_, _into, archive, signal) => {
          const aborted = new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason)),
          );
          await Promise.race([collected(archive), aborted]).catch((error: unknown) => {
            broken.resolve(error);
            throw error;
          });
        },
      },
      () => over.why,
    );
    start('to', '/tmp');
    await until(() => end.said()[0], 'the copy');
    end.emit('message', Buffer.alloc(1000), true);
    if (how === 'task') {
      over.why = 'the task is over';
      await last();
    }
    end.close();
    expect(end.said().at(-1)?.message.reason).toBe(how === 'task' ? 'the task is over' : undefined);
    expect(await broken.promise).toBeInstanceOf(Error);
    await run;
  }
});

test.each([
  ['bytes', copyLimits.frameBytes, copyLimits.windowBytes / copyLimits.frameBytes],
  ['frames', 1, copyLimits.frames],
])('more %s than there is room for end it', async (_, bytes, most) => {
  const { end, run, start } = begin({ write: () => new Promise(() => undefined) });
  start('to', '/none');
  for (let frames = 0; frames < most; frames += 1) end.emit('message', Buffer.alloc(bytes), true);
  expect(end.status).toBeUndefined();
  end.emit('message', Buffer.alloc(bytes), true);
  expect(end.status).toBe(1008);
  await run;
});
