import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { expect, test } from 'vitest';

import { refuseUpgrade } from './peer.ts';

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
