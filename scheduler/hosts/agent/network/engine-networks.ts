import { isIPv4 } from 'node:net';

import type Docker from 'dockerode';

import { engineCall } from '../docker.ts';

/** IPv4 ranges of the Docker engine's bridge networks, in order: what is in them is for others only where it is published. @throws EngineError, EngineUnavailable */
export async function engineNetworks(docker: Docker): Promise<readonly string[]> {
  const found = await engineCall(() => docker.listNetworks({ filters: { driver: ['bridge'] } }));
  return found
    .flatMap(({ IPAM }) => IPAM?.Config ?? [])
    .flatMap(({ Subnet: range = '' }) => (isIPv4(range.split('/')[0] ?? '') ? [range] : []))
    .sort();
}
