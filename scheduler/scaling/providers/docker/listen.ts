import { createServer } from 'node:net';

import type { Loopback } from './relay.ts';

// Listens in the network that it is started in, hands that over, and ends.
const { host, port } = JSON.parse(process.argv[2] ?? '') as Loopback;
const server = createServer({ allowHalfOpen: true });
server.listen(port, host, () => {
  process.send?.('listening', server, undefined, () => process.exit(0));
});
