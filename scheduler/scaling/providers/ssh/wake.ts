import { createSocket } from 'node:dgram';

import { runProgram } from '../run-program.ts';
import type { PoolMachine } from './pool.ts';

/** The port of Wake-on-LAN (discard). */
const port = 9;

/** What a network card wakes by: six bytes of ones, and its address sixteen times. */
export function magicPacket(mac: string): Buffer {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => address)]);
}

/** Whether somebody could wake a machine that does not answer. */
export const canWake = ({ wake, mac }: PoolMachine): boolean => wake !== undefined || mac !== undefined;

/** Has a machine wake up; it does not wait until it has. @throws ProviderError, or what the network throws */
export async function wakeUp(
  { wake, mac, broadcast }: PoolMachine,
  options: { readonly env: Readonly<Record<string, string>>; readonly timeout: number; readonly signal: AbortSignal },
): Promise<void> {
  if (wake !== undefined) await runProgram(wake, { ...options, input: '' });
  if (mac === undefined) return;
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.setBroadcast(true);
        socket.send(magicPacket(mac), port, broadcast, (error) => (error === null ? resolve() : reject(error)));
      });
    });
  } finally {
    socket.close();
  }
}
