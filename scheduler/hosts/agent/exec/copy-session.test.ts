import { duplexPair, Readable } from 'node:stream';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import { CopyChannel, copyLimits, type CopyStart } from '../../../exec/protocol/index.ts';
import { ConnectionEnd } from '../../../exec/testing/connection-end.ts';
import { until } from '../../testing/bench.ts';
import { silent } from '../../testing/callers.ts';
import type { ArchiveEngine, InContainer } from './archives.ts';
import { CopySession } from './copy-session.ts';

/** The agent's end of a connection, which reads nothing more once it has enough. */
class End extends ConnectionEnd {
  /** Pieces of an archive that have room; then no more has until `drain`. */
  room = Infinity;
  readonly texts: Buffer[] = [];
  readonly #coming: (readonly [Buffer, boolean])[] = [];
  bytes = 0;

  sendAll(...given: Parameters<CopyChannel['sendAll']>): Promise<void> {
    return CopyChannel.prototype.sendAll.apply(this as unknown as CopyChannel, given);
  }

  say(text: Buffer): boolean {
    this.texts.push(text);
    return true;
  }

  send(bytes: Buffer): boolean {
    this.bytes += bytes.length;
    this.room -= 1;
    return this.room > 0;
  }

  come(bytes: Buffer, isArchive: boolean): void {
    this.#coming.push([bytes, isArchive]);
    if (!this.isPaused) this.resume();
  }

  override resume(): void {
    super.resume();
    while (!this.isPaused && this.#coming.length > 0) this.emit('message', ...(this.#coming.shift() ?? []));
  }

  /** Frames that nobody has read yet. */
  get left(): number {
    return this.#coming.length;
  }

  said(): { readonly type: string; readonly message: { readonly reason?: string } }[] {
    return this.texts.map((text) => JSON.parse(text.toString()) as ReturnType<End['said']>[0]);
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
  const run = new CopySession(end as unknown as CopyChannel, ports).run(new AbortController().signal);
  const tell = (type: string, message: object): void => end.come(Buffer.from(JSON.stringify({ type, message })), false);
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

test('an archive is read no faster than its client takes it', async () => {
  const pieces = 100;
  let read = 0;
  const content = function* (): Generator<Buffer> {
    for (; read < pieces; read += 1) yield Buffer.alloc(copyLimits.frameBytes);
  };
  const { end, run, start, last } = begin({
    read: async () => Readable.from(content(), { objectMode: false, highWaterMark: 1 }),
  });
  end.room = 10;
  start('from', '/tmp');
  await until(() => (end.room <= 0 ? true : undefined), 'no more room');
  expect(end.said()).toEqual([{ type: 'CopyReady', message: { is: 'folder' } }]);
  // Whatever else goes on meanwhile: what waits is what was read ahead, a piece or two.
  await new Promise((resolve) => setImmediate(resolve));
  expect([end.bytes, read < 15]).toEqual([10 * copyLimits.frameBytes, true]);
  end.room = Infinity;
  end.emit('drain');
  expect(await last()).toEqual({ type: 'CopyEnd', message: {} });
  expect(end.bytes).toBe(pieces * copyLimits.frameBytes);
  end.close();
  await run;
});

test('an archive goes into a folder, or under the name that is asked for, also behind a link', async () => {
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
    for (let frames = 0; frames < 10; frames += 1) end.come(Buffer.alloc(copyLimits.frameBytes), true);
    tell('CopyInputEnd', {});
    expect((await last()).type).toBe('CopyEnd');
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
    end.come(Buffer.alloc(1000), true);
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

test('what its client sends waits where it came from until the engine takes it, and what comes behind its end ends it', async () => {
  const taken = Promise.withResolvers<void>();
  const { end, run, tell, start } = begin({
    write: async (_, _into, archive) => {
      await taken.promise;
      await collected(archive);
      await new Promise(() => undefined);
    },
  });
  start('to', '/tmp');
  for (let frames = 0; frames < 10; frames += 1) end.come(Buffer.alloc(copyLimits.frameBytes), true);
  expect([end.isPaused, end.left]).toEqual([true, 9]);
  taken.resolve();
  await until(() => (end.isPaused || end.left > 0 ? undefined : true), 'more to be read');
  tell('CopyInputEnd', {});
  end.come(Buffer.alloc(1000), true);
  expect(end.readyState).toBe(end.CLOSED);
  await Promise.race([run, Promise.resolve()]);
});

test('who says twice that its archive is whole is one who says it for ever', async () => {
  const { end, run, tell, start } = begin({ write: async (_, _into, archive) => void (await collected(archive)) });
  start('to', '/tmp');
  tell('CopyInputEnd', {});
  tell('CopyInputEnd', {});
  expect(end.readyState).toBe(end.CLOSED);
  await run;
});

test('a connection that is gone before the engine begins to read ends it too', async () => {
  const archive = new Readable({ read: () => undefined });
  const reading = Promise.withResolvers<void>();
  const { end, run, start } = begin({
    read: async () => {
      reading.resolve();
      // As it is over here, nobody has listened yet.
      end.close();
      return archive;
    },
  });
  start('from', '/tmp');
  await reading.promise;
  await run;
  expect([archive.destroyed, end.bytes]).toEqual([true, 0]);
});

test('a copy whose connection ended behind what the engine did not take is over when the engine fails', async () => {
  const [near, far] = duplexPair();
  const disk = Promise.withResolvers<void>();
  const archives: ArchiveEngine = {
    stat: async (_, path) => files[path],
    read: () => Promise.reject(new Error('nothing is read')),
    write: () => disk.promise,
  };
  const ports = { archives, clock: systemClock, log: silent, refusal: () => undefined };
  const run = new CopySession(new CopyChannel(near, Buffer.alloc(0)), ports).run(new AbortController().signal);
  const frame = (kind: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head[0] = kind;
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
  };
  const of = { sessionId: 's', taskArn: 'arn', containerName: 'main', runtimeId: 'ab'.repeat(32) };
  const message = { ...of, direction: 'to', path: '/tmp' };
  const archive = frame(1, Buffer.alloc(copyLimits.frameBytes));
  far.resume();
  far.write(
    Buffer.concat([frame(0, Buffer.from(JSON.stringify({ type: 'CopyStart', message }))), archive, archive, archive]),
  );
  await until(() => near.isPaused() || undefined, 'more than the engine takes');
  near.destroy();
  await until(() => near.closed || undefined, 'the end of the connection');
  disk.reject(new Error('no space left on device'));
  await expect(run).resolves.toBeUndefined();
});
