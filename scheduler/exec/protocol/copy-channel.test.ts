import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, connect, type Socket } from 'node:net';

import { afterEach, expect, test, vi } from 'vitest';

import { acceptCopy, CopyChannel } from './copy-channel.ts';
import { copyLimits } from './copy.ts';
import { giveBack } from './give-back.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** Both ends of a connection: a channel, and what is at its other end. @param head what came before */
async function pair(head = Buffer.alloc(0)): Promise<{ readonly channel: CopyChannel; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  far.on('error', () => far.destroy());
  const [socket] = (await once(server, 'connection')) as [Socket];
  open.push(server, { close: () => socket.destroy() }, { close: () => far.destroy() });
  return { channel: new CopyChannel(socket, head), far };
}

function frame(kind: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = kind;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** What a channel tells of, until it has told so much. */
function heard(channel: CopyChannel, pieces: (readonly [string, boolean])[], enough: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    channel.on('message', (bytes, isArchive) => {
      const last = pieces.at(-1);
      // Where an archive is cut has no meaning.
      if (isArchive && last?.[1] === true) pieces[pieces.length - 1] = [last[0] + bytes.toString(), true];
      else pieces.push([bytes.toString(), isArchive]);
      if (enough()) resolve();
    });
  });
}

test('texts and an archive come in order, wherever what brings them is cut', async () => {
  const all = Buffer.concat([
    frame(0, Buffer.from('ready')),
    frame(1, Buffer.from('one')),
    frame(1, Buffer.from('two')),
    frame(0, Buffer.from('end')),
  ]);
  const wanted = [
    ['ready', false],
    ['onetwo', true],
    ['end', false],
  ];
  for (const size of [1, 2, 4, 7, all.length]) {
    // What came with the upgrade is the first of it.
    const { channel, far } = await pair(Buffer.from(all.subarray(0, size)));
    const pieces: (readonly [string, boolean])[] = [];
    const came = heard(channel, pieces, () => pieces.at(-1)?.[0] === 'end');
    channel.resume();
    for (let at = size; at < all.length; at += size) far.write(all.subarray(at, at + size));
    await came;
    expect(pieces).toEqual(wanted);
  }
});

test('tells of nothing while it is paused, in the middle of what came too', async () => {
  const three = Buffer.concat(['a', 'b', 'c'].map((text) => frame(0, Buffer.from(text))));
  const { channel } = await pair(three);
  const told: string[] = [];
  channel.on('message', (bytes) => {
    told.push(bytes.toString());
    if (told.length === 2) channel.pause();
  });
  channel.resume();
  expect(told).toEqual(['a', 'b']);
  channel.resume();
  expect(told).toEqual(['a', 'b', 'c']);
});

test.each([
  ['of a kind that there is not', frame(2, Buffer.from('x'))],
  ['of no bytes', frame(1, Buffer.alloc(0))],
  ['of more bytes than an archive has in one', Buffer.from([1, 0, 1, 0, 1])],
  ['of more bytes than a text has', Buffer.from([0, 0xff, 0xff, 0xff, 0xff])],
])(
  'a frame %s is nothing that can be read, before there is room made for it; nothing behind it is',
  async (_, bytes) => {
    const { channel } = await pair(Buffer.concat([bytes, frame(0, Buffer.from('more'))]));
    const told: (readonly [number, boolean])[] = [];
    channel.on('message', (text, isArchive) => told.push([text.length, isArchive]));
    channel.resume();
    channel.resume();
    expect(told).toEqual([[0, false]]);
  },
);

test('the end of a connection is told behind all that came, however late that is read', async () => {
  const { channel, far } = await pair();
  const told: string[] = [];
  channel.on('message', (text) => {
    told.push(text.toString());
    channel.pause();
  });
  channel.on('close', () => told.push('the end'));
  channel.resume();
  far.end(Buffer.concat(['a', 'b', 'c'].map((text) => frame(0, Buffer.from(text)))));
  far.resume();
  await once(far, 'close');
  await vi.waitFor(() => expect(channel.readyState).toBe(channel.CLOSED), { timeout: 60_000 });
  expect(told).toEqual(['a']);
  for (let times = 0; times < 3; times += 1) channel.resume();
  expect(told).toEqual(['a', 'b', 'c', 'the end']);
});

test('of a connection that is terminated nothing more is told but its end', async () => {
  const { channel, far } = await pair();
  const told: string[] = [];
  const over = once(channel, 'close');
  channel.on('message', (text) => {
    told.push(text.toString());
    channel.terminate();
  });
  channel.resume();
  far.write(Buffer.concat(['a', 'b'].map((text) => frame(0, Buffer.from(text)))));
  await over;
  expect(told).toEqual(['a']);
});

test('a connection that ended behind what nobody reads is over when it is terminated', async () => {
  const { channel, far } = await pair();
  const told: string[] = [];
  channel.on('message', (text) => {
    told.push(text.toString());
    channel.pause();
  });
  channel.on('close', () => told.push('the end'));
  channel.resume();
  far.end(Buffer.concat(['a', 'b'].map((text) => frame(0, Buffer.from(text)))));
  far.resume();
  await once(far, 'close');
  await vi.waitFor(() => expect(channel.readyState).toBe(channel.CLOSED), { timeout: 60_000 });
  channel.terminate();
  channel.terminate();
  expect(told).toEqual(['a', 'the end']);
});

test('of what comes behind a frame that cannot be read nothing is kept', async () => {
  const { channel, far } = await pair(Buffer.from(frame(2, Buffer.from('x'))));
  const told: number[] = [];
  channel.on('message', (text) => told.push(text.length));
  channel.resume();
  const put = vi.spyOn(Buffer, 'concat');
  far.end(Buffer.alloc(8 * 1024 * 1024));
  await once(channel, 'close');
  // What is kept is put together with what was; what the test's own process says to others is short.
  const most = 1024 * 1024;
  const kept = put.mock.calls.filter(([parts]) => parts.reduce((bytes, part) => bytes + part.length, 0) > most);
  expect([told, kept.length]).toEqual([[0], 0]);
  put.mockRestore();
});

test('says when there is no room for more bytes or frames, and when there is again; what was sent is given back', async () => {
  for (const size of [copyLimits.frameBytes, 1]) {
    const { channel, far } = await pair();
    far.pause();
    let frames = 0;
    const sent: Buffer[] = [];
    for (let hasRoom = true; hasRoom; frames += 1) {
      const bytes = Buffer.from(new ArrayBuffer(size));
      sent.push(bytes);
      hasRoom = channel.send(bytes);
    }
    expect(frames).toBeLessThanOrEqual(size === 1 ? 100_000 : 1_000);
    const drained = once(channel, 'drain');
    far.resume();
    await drained;
    expect(sent[0]?.buffer.byteLength).toBe(0);
  }
});

test('pieces of an archive that come at once go in frames as long as may be, before what is said behind them', async () => {
  const { channel, far } = await pair();
  const sent: number[] = [];
  for (const size of [10, copyLimits.frameBytes - 10, 5, 1])
    channel.send(Buffer.from(new ArrayBuffer(size)), () => sent.push(size));
  channel.say(Buffer.from('end'));
  channel.close();
  let came = Buffer.alloc(0);
  for await (const bytes of far as AsyncIterable<Buffer>) came = Buffer.concat([came, bytes]);
  const frames: (readonly [number | undefined, number])[] = [];
  for (let at = 0; at < came.length; at += 5 + came.readUInt32BE(at + 1))
    frames.push([came[at], came.readUInt32BE(at + 1)]);
  expect(frames).toEqual([
    [1, copyLimits.frameBytes],
    [1, 6],
    [0, 3],
  ]);
  expect(sent).toEqual([10, copyLimits.frameBytes - 10, 5, 1]);
});

test('what waits for its frame when the connection is gone waits no longer', async () => {
  const { channel } = await pair();
  const told = new Promise<void>((resolve) => channel.send(Buffer.from(new ArrayBuffer(10)), resolve));
  channel.terminate();
  await told;
  expect(channel.readyState).not.toBe(channel.OPEN);
});

test('what is behind a close arrives, and then the end of both sides', async () => {
  const { channel, far } = await pair();
  channel.resume();
  channel.say(Buffer.from('last'));
  channel.close();
  expect(channel.readyState).not.toBe(channel.OPEN);
  let came = '';
  far.on('data', (bytes) => (came += bytes.toString().slice(5)));
  await once(channel, 'close');
  expect([came, channel.readyState]).toEqual(['last', channel.CLOSED]);
  // To one that is over nothing more is said, and nobody waits.
  let waits = true;
  expect([channel.say(Buffer.from('x'), () => (waits = false)), waits]).toEqual([true, false]);
});

test('memory is given back once all that came in it was', () => {
  const memory = Buffer.from(new ArrayBuffer(10));
  giveBack(memory.subarray(0, 4));
  giveBack(memory.subarray(6));
  expect(memory.buffer.byteLength).toBe(10);
  giveBack(memory.subarray(4, 6));
  expect(memory.buffer.byteLength).toBe(0);
});

test('what comes for another protocol is told which one copies speak, and its connection ended', async () => {
  const server = createHttpServer();
  const taken: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  server.on('upgrade', (asked, socket, head) => {
    taken.push(acceptCopy(asked, socket, head));
    socket.once('close', () => ended.resolve());
  });
  server.listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // One that never ends.
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  open.push({ close: () => far.destroy() });
  far.on('error', () => far.destroy());
  far.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  let answer = '';
  far.setEncoding('utf8').on('data', (text: string) => (answer += text));
  await ended.promise;
  await vi.waitFor(() => expect(answer).toContain('another version'), { timeout: 60_000 });
  expect(answer).toMatch(/^HTTP\/1\.1 426 .*\r\nUpgrade: slipway-copy\r\n/);
  expect(taken).toEqual([undefined]);
});
