import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import { expect, test } from 'vitest';

import { until } from '../testing/bench.ts';
import { silent } from '../testing/callers.ts';
import { Channel, signedDial } from './channel.ts';
import { resolveOptions } from './options.ts';

/** A text frame of a server (RFC 6455, 5.2). */
const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);

/** An agent of a control plane on a port of this machine. */
const agentOf = (port: number) =>
  resolveOptions(
    {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: () => Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: 'secret' }),
      dataDir: '/nowhere',
      log: silent,
    },
    () => 'secret',
  );

test('who is refused a connection knows by what, and with which status', async () => {
  const body = JSON.stringify({ __type: 'ThrottlingException', message: 'slow down' });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.end(
        `HTTP/1.1 429 Too Many Requests\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      ),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = signedDial(agentOf(port), () => 'secret');
  const refused = dial(new URL(`ws://127.0.0.1:${port}/ws`), new AbortController().signal);
  await expect(refused).rejects.toMatchObject({ name: 'UpgradeRefused', code: 'ThrottlingException', status: 429 });
  server.close();
});

test('what the control plane says in one packet with its answer to the upgrade is heard', async () => {
  const server = createServer((socket) => {
    let request = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      request += String(data);
      const key = /^sec-websocket-key: (.+)\r$/im.exec(request)?.[1];
      if (key === undefined || !request.includes('\r\n\r\n')) return;
      request = '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head), frame('one'), frame('two')]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = agentOf(port);
  const heard: string[] = [];
  const channel = new Channel({
    name: 'control',
    options,
    url: () => Promise.resolve(new URL(`ws://127.0.0.1:${port}/ws`)),
    dial: signedDial(options, () => 'secret'),
    serve: (ws) => void ws.on('message', (data) => heard.push((data as Buffer).toString())),
    inactive: () => undefined,
  });
  const running = channel.run();
  await until(() => (heard.length > 1 ? true : undefined), 'both messages', 30_000);
  expect(heard.slice(0, 2)).toEqual(['one', 'two']);
  channel.stop();
  await running;
  server.close();
});
