import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { DiscoverPollEndpointCommand } from '@aws-sdk/client-ecs';
import { expect, test, vi } from 'vitest';

import { ecsClient, patience } from './control-plane-client.ts';
import type { ResolvedOptions } from './options.ts';

test('a control plane that takes a request and never answers it is given up', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const options = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: async () => ({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' }),
  } as unknown as ResolvedOptions;
  const client = ecsClient(options, () => 'secret');
  try {
    const taken = once(server, 'request');
    const asked = client.send(new DiscoverPollEndpointCommand({})).catch((error: unknown) => error);
    await taken;
    vi.advanceTimersByTime(patience.requestTimeout);
    expect(await asked).toMatchObject({ name: 'TimeoutError' });
  } finally {
    vi.useRealTimers();
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
});
