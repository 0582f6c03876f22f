/**
 * Sends one request over and over on a few connections: `replay.ts PORT CONNECTIONS COUNT`, the request in base64 on
 * standard input. A process of its own, so that the server's processor time is the server's alone.
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const [port = 0, connections = 0, count = 0] = process.argv.slice(2).map(Number);
const request = Buffer.from(await text(process.stdin), 'base64');
let left = count;
let status = '';

await Promise.all(
  Array.from({ length: connections }, () => {
    const done = Promise.withResolvers<void>();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received: Buffer = Buffer.alloc(0);
    const next = (): void => {
      if (left-- > 0) socket.write(request);
      else socket.end(() => done.resolve());
    };
    socket.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const head = received.indexOf('\r\n\r\n');
      if (head === -1) return;
      const header = received.toString('latin1', 0, head);
      const length = Number(/^content-length: (\d+)$/im.exec(header)?.[1] ?? 0);
      if (received.length < head + 4 + length) return;
      status ||= header.slice(0, header.indexOf('\r\n'));
      received = Buffer.alloc(0);
      next();
    });
    socket.on('error', done.reject);
    next();
    return done.promise;
  }),
);
process.stdout.write(status);
