import { BlockList } from 'node:net';

import type { NetworkState } from '../../wire/index.ts';
import { isTaskLink } from './attachment.ts';
import { agentProtocol } from './peers.ts';
import { run } from './run.ts';

interface Route {
  readonly dst?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly metric?: number;
}

const shown = async (...words: string[]): Promise<Route[]> =>
  JSON.parse((await run('ip', ['-json', 'route', 'show', ...words])) || '[]') as Route[];

const advice =
  'agents of different installations on one machine need networks of different ranges (CreateVpc), or SLIPWAY_TASK_NETWORK=off for all but one';

/**
 * Why a task here cannot have an address: another agent of this machine has a task with it, or sends to it elsewhere. One of the same
 * installation never does, as no two hosts have the same ranges. @throws NetworkError
 */
export async function addressConflict(address: string, prefix: string, metric: number): Promise<string | undefined> {
  const foreign = (await shown('match', address)).find((route) =>
    route.protocol === agentProtocol ? route.metric !== metric : route.dst === address && isForeign(route.dev, prefix),
  );
  return foreign && `the address ${address} is in use by another agent of this machine: ${advice}`;
}

/** Why this host cannot send to a peer's tasks: another agent of this machine has tasks with such addresses. @throws NetworkError */
export async function peerConflict(
  peers: readonly Pick<NetworkState['peers'][number], 'blocks'>[],
  prefix: string,
): Promise<{ readonly reason: string; readonly isTaken: (block: string) => boolean } | undefined> {
  const taken = (await shown('scope', 'link')).flatMap(({ dst = '', dev }) => (isForeign(dev, prefix) ? [dst] : []));
  if (taken.length === 0) return undefined;
  const isTaken = (block: string): boolean => {
    const range = new BlockList();
    const [base = '', bits = ''] = block.split('/');
    range.addSubnet(base, Number(bits));
    return taken.some((address) => range.check(address));
  };
  const block = peers.flatMap(({ blocks }) => blocks).find(isTaken);
  if (block === undefined) return undefined;
  return {
    reason: `tasks of another agent of this machine have addresses of ${block}, which is another host's: ${advice}`,
    isTaken,
  };
}

const isForeign = (device: string | undefined, prefix: string): boolean =>
  device !== undefined && isTaskLink(device) && !device.startsWith(prefix);
