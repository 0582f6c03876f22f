import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * The server behind every proxy of `bench:balancing`, in a process of its own: knows four requests and answers them from memory, so that what
 * a proxy costs is not hidden by what is behind it. Prints its port.
 */
const answerOf = (bytes: number): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bytes}\r\n\r\n`),
    Buffer.alloc(bytes, 'x'),
  ]);
const small = answerOf(100);
const large = answerOf(200 << 10);
/** The key that the benchmark sends, as RFC 6455, section 4.2.2, has it answered. */
const accept = createHash('sha1')
  .update('MDEyMzQ1Njc4OWFiY2RlZg==258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
  .digest('base64');
const upgraded = Buffer.from(
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
);

const server = createServer({ noDelay: true }, (socket) => {
  let head = '';
  let isTunnel = false;
  /** Bytes of a body that are still to come. */
  let rest = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (isTunnel) {
      socket.write(chunk);
      return;
    }
    for (let at = 0; at < chunk.length;) {
      if (rest > 0) {
        const taken = Math.min(rest, chunk.length - at);
        rest -= taken;
        at += taken;
        if (rest === 0) socket.write(small);
        continue;
      }
      const before = head.length;
      head += chunk.toString('latin1', at);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      at += end + 4 - before;
      const text = head.slice(0, end);
      head = '';
      if (/\r\nupgrade: websocket/i.test(text)) {
        isTunnel = true;
        socket.write(upgraded);
        return;
      }
      rest = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (rest === 0) socket.write(text.includes(' /large') ? large : small);
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
