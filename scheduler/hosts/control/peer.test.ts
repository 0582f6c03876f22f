import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { openWebSocket, refuseUpgrade } from './peer.ts';

test('a connection that is refused ends, also of one who never ends it', async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  try {
    const [socket] = (await once(server, 'connection')) as [Socket];
    let answer = '';
    far.setEncoding('utf8').on('data', (text: string) => (answer += text));
    const [ended, read] = [once(socket, 'close'), once(far, 'end')];
    refuseUpgrade(socket, 403, 'AccessDeniedException', 'not here');
    await Promise.all([ended, read]);
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[^]*\{"AccessDeniedException":"not here"\}$/);
  } finally {
    far.destroy();
    server.close();
  }
});

test('a connection that was over before it is upgraded is an error, and holds nobody', async () => {
  const http = createHttpServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server = new WebSocketServer({ noServer: true });
  const far = connect({ port: (http.address() as AddressInfo).port, host: '127.0.0.1' });
  try {
    const upgraded = once(http, 'upgrade');
    far.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const [request, socket, head] = (await upgraded) as [IncomingMessage, Socket, Buffer];
    const over = once(socket, 'close');
    socket.destroy();
    await over;
    await expect(openWebSocket(server, request, socket, head, () => undefined)).rejects.toThrow('closed during');
  } finally {
    far.destroy();
    http.close();
  }
});
