import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { copyFrame, copyLimits, type CopyReport } from '@slipway/scheduler/exec/protocol';
import { afterEach, expect, test, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { CopyConnection } from './copy-connection.ts';

const servers: WebSocketServer[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});

/** Opens a copy at a server that says something to whoever comes. */
async function open(says: (ws: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  servers.push(server);
  await once(server, 'listening');
  server.on('connection', says);
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  return CopyConnection.open({ cluster: 'default', task: 'ab'.repeat(16), container: 'web' }, 'from', '/tmp/x');
}

const ready = (name?: string): CopyReport => ({ type: 'CopyReady', message: { is: 'nothing', ...(name && { name }) } });

test.each([
  ['bytes', copyLimits.frameBytes, copyLimits.windowBytes / copyLimits.frameBytes],
  ['pieces', 1, copyLimits.frames],
])('a host that sends more %s than there is room for has nobody hold them', async (_, bytes, most) => {
  const { connection } = await open((ws) => {
    ws.send(copyFrame(ready()));
    for (let frames = 0; frames <= most; frames += 1) ws.send(Buffer.alloc(bytes));
  });
  await expect(connection.finish()).rejects.toThrow('the host sends more than there is room for');
});

test.each(['../x', '/etc/x', '.', '..', 'x\0', ''])('a host that names a file %j is not believed', async (name) => {
  const message = JSON.stringify({ type: 'CopyReady', message: { is: 'nothing', name } });
  await expect(open((ws) => ws.send(message))).rejects.toThrow('the server says what this command does not know');
});

test('whatever else a file may be called is good', async () => {
  const { connection, ready: said } = await open((ws) => ws.send(copyFrame(ready('-x .. \n'))));
  expect(said).toEqual({ is: 'nothing', name: '-x .. \n' });
  connection.close();
});
