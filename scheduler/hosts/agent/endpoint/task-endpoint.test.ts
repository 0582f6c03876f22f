import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { expect, test } from 'vitest';

import { addressesOf } from './firewall.ts';
import { addressOfBridge, connectionsPerAddress, endpointServer } from './task-endpoint.ts';

const own = ['172.17.0.1'];

test.each([
  ['the gateway that the network names', { IPAM: { Config: [{ Gateway: '10.9.0.1' }] } }, own, '10.9.0.1'],
  ['an IPv4 one only', { IPAM: { Config: [{ Gateway: 'fd00::1' }, { Gateway: '10.9.0.1' }] } }, own, '10.9.0.1'],
  ["a fresh engine's interface itself", { IPAM: { Config: [{ Subnet: '172.17.0.0/16' }] } }, own, '172.17.0.1'],
  ['an engine without addresses of its own', { IPAM: {} }, own, '172.17.0.1'],
  ['none where neither says one', { IPAM: { Config: null } }, [], undefined],
])('the address of the bridge: %s', (_what, network, addresses, address) => {
  expect(addressOfBridge(network as Parameters<typeof addressOfBridge>[0], addresses)).toBe(address);
});

test('an interface tells its addresses; one that is not there has none', async () => {
  expect(await addressesOf('lo')).toContain('127.0.0.1');
  expect(await addressesOf('no-such-one')).toEqual([]);
});

test('idle connections of one address leave room for those of others', async () => {
  const server = endpointServer((_request, response) => void response.end());
  server.on('connection', (socket) => void socket.write('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const sockets: Socket[] = [];
  /** Whether a connection from an address is served. */
  const served = async (localAddress: string): Promise<boolean> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    sockets.push(socket);
    socket.on('error', () => undefined);
    return Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
  };
  try {
    const first = await Promise.all(Array.from({ length: connectionsPerAddress + 50 }, () => served('127.0.0.2')));
    expect(first.filter(Boolean)).toHaveLength(connectionsPerAddress);
    expect(await served('127.0.0.3')).toBe(true);
    // What one gives back it may have again.
    const held = sockets[first.indexOf(true)];
    held?.destroy();
    let again = false;
    while (!again) again = await served('127.0.0.2');
    expect(again).toBe(true);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
