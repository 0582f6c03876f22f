import { connect } from 'node:net';
import type { FloodOptions, FloodStatus } from './flood.ts';

/**
 * Opens many connections that say something and then nothing, or little. A process of its own, so that the clients' work is
 * not the server's. Told what to do by its first message; every further one is answered with how the connections stand.
 */
const status: FloodStatus = { open: 0, closed: 0, answers: {} };
process.on('message', (message: FloodOptions | 'status') => {
  if (message === 'status') {
    process.send?.(status);
    return;
  }
  let left = message.count;
  const opening = setInterval(() => {
    for (let i = 0; i < 100 && left > 0; i++, left--) open(message);
    if (left === 0) clearInterval(opening);
  }, message.pause ?? 10);
});
process.once('disconnect', () => process.exit());

function open({ port, say, drip = '', every }: FloodOptions): void {
  let answer = '';
  let dripping: NodeJS.Timeout | undefined;
  const socket = connect(port, '127.0.0.1', () => {
    status.open++;
    socket.write(say, 'latin1');
    if (every !== undefined) dripping = setInterval(() => socket.writable && socket.write(drip, 'latin1'), every);
  });
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk.slice(0, 64)));
  socket
    .on('error', () => undefined)
    .on('close', () => {
      clearInterval(dripping);
      status.closed++;
      const code = answer.slice(9, 12);
      status.answers[code] = (status.answers[code] ?? 0) + 1;
    });
}
