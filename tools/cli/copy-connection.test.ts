import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { acceptCopy, type CopyChannel, copyFrame, type CopyReport } from '@slipway/scheduler/exec/protocol';
import { afterEach, expect, test, vi } from 'vitest';
import { CopyConnection } from './copy-connection.ts';

const servers: Server[] = [];
const channels: CopyChannel[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const channel of channels.splice(0)) channel.terminate();
  for (const server of servers.splice(0)) server.close();
});

/** Opens a copy at a server that says something to whoever comes. @param says undefined for one that lets nobody in, and answers something else */
async function open(says?: (channel: CopyChannel) => void, refusal = JSON.stringify({ message: 'you may not' })) {
  const server = createServer((_request, response) => response.writeHead(403).end(refusal));
  servers.push(server);
  if (says !== undefined)
    server.on('upgrade', (request, socket, head) => {
      const channel = acceptCopy(request, socket, head);
      if (channel === undefined) return;
      channels.push(channel);
      channel.resume();
      says(channel);
    });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  return CopyConnection.open({ cluster: 'default', task: 'ab'.repeat(16), container: 'web' }, 'from', '/tmp/x');
}

const ready = (name?: string): CopyReport => ({ type: 'CopyReady', message: { is: 'nothing', ...(name && { name }) } });
const end: CopyReport = { type: 'CopyEnd', message: {} };

test('an archive comes whole, and is read no faster than it is taken', async () => {
  const piece = 60_000;
  let [sent, isOver] = [0, false];
  const { connection } = await open((channel) => {
    const more = (): void => {
      while (sent < 500) {
        sent += 1;
        if (!channel.send(Buffer.alloc(piece, sent))) return;
      }
      if (isOver) return;
      isOver = true;
      channel.say(copyFrame(end));
    };
    channel.on('drain', more);
    channel.say(copyFrame(ready()));
    more();
  });
  let [bytes, wrong] = [0, 0];
  for await (const part of connection.archive() as AsyncIterable<Buffer>) {
    for (const [at, byte] of part.entries()) if (byte !== ((Math.floor((bytes + at) / piece) + 1) & 0xff)) wrong += 1;
    bytes += part.length;
  }
  expect([bytes, wrong]).toEqual([500 * piece, 0]);
});

test('what the server says instead is told, and that the connection broke', async () => {
  await expect(open()).rejects.toThrow('you may not');
  await expect(open(undefined, 'There is nothing here.')).rejects.toThrow(
    'answers 403, and no upgrade to slipway-copy',
  );
  const refused: CopyReport = { type: 'CopyRefused', message: { reason: 'the task is over' } };
  await expect(open((channel) => channel.say(copyFrame(refused)))).rejects.toThrow('the task is over');
  const { connection } = await open((channel) => {
    channel.say(copyFrame(ready()));
    channel.close();
  });
  await expect(connection.finish()).rejects.toThrow('the connection broke');
});

test('what is sent of an archive that is whole by then is not missed', async () => {
  const { connection } = await open((channel) => {
    for (const report of [ready(), end]) channel.say(copyFrame(report));
    channel.close();
  });
  const came: Buffer[] = [];
  for await (const part of connection.archive() as AsyncIterable<Buffer>) came.push(part);
  const much = Readable.from([Buffer.alloc(10_000), Buffer.alloc(10_000_000)], { objectMode: false });
  await connection.send(much, () => undefined);
  expect(much.readableEnded).toBe(true);
  await connection.finish();
  expect(came).toEqual([]);
});

test.each(['../x', '/etc/x', '.', '..', 'x\0', ''])('a host that names a file %j is not believed', async (name) => {
  const message = Buffer.from(JSON.stringify({ type: 'CopyReady', message: { is: 'nothing', name } }));
  await expect(open((channel) => channel.say(message))).rejects.toThrow(
    'the server says what this command does not know',
  );
});

test('whatever else a file may be called is good', async () => {
  const { connection, ready: said } = await open((channel) => channel.say(copyFrame(ready('-x .. \n'))));
  expect(said).toEqual({ is: 'nothing', name: '-x .. \n' });
  connection.close();
});
