import { networkInterfaces } from 'node:os';

import { ownAddress } from './peers.ts';

/**
 * The IPv4 address at which others reach this machine: the one that it talks to the world from, else the first one of an interface. A
 * machine that is alone is reached by itself.
 */
export async function machineAddress(): Promise<string> {
  const own = await ownAddress().catch(() => undefined);
  if (own !== undefined) return own;
  const found = Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ family, internal }) => family === 'IPv4' && !internal),
  );
  return found[0]?.address ?? '127.0.0.1';
}
