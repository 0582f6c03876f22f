import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { openEmbedded, openHaproxy, type TrafficEngine } from '@slipway/scheduler/balancing/engines';
import type { LocalEngine } from '@slipway/scheduler/balancing/traffic';
import type { ServerConfig } from './config.ts';

/** Seconds after which what a target's deregistration left over ends; a drain takes an hour at most. */
const hardStopAfter = 3_630;

/**
 * The engine that carries the traffic of load balancers on this machine: HAProxy where it is installed, else a process of Node's. It
 * outlives the server and is found again by its folder.
 */
export function trafficEngines({
  data,
  loadBalancing: { engine },
}: {
  readonly data: string;
  readonly loadBalancing: Pick<ServerConfig['loadBalancing'], 'engine'>;
}): readonly (LocalEngine & Pick<TrafficEngine, 'kind'>)[] {
  if (engine === 'off') return [];
  const program = engine === 'embedded' ? undefined : findHaproxy(process.env['PATH'] ?? '');
  if (program === undefined && engine === 'haproxy')
    throw new Error(
      'there is no HAProxy on this machine: install it, or choose auto (SLIPWAY_LB_ENGINE of a server, --engine of slipway balancer).',
    );
  const folder = join(data, 'traffic');
  // Two servers of one machine have a folder each.
  const tail = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  const id = `${hostname()}-${tail}`;
  if (program === undefined) return [{ id, kind: 'embedded', open: () => openEmbedded({ folder }) }];
  const user = process.getuid?.() === 0 && hasUser('haproxy') ? { name: 'haproxy', group: 'haproxy' } : undefined;
  return [
    {
      id,
      kind: 'haproxy',
      open: async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        return openHaproxy({ folder, program, hardStopAfter, ...(user === undefined ? {} : { user }) });
      },
    },
  ];
}

/** Debian puts it where only root looks. */
const findHaproxy = (path: string): string | undefined =>
  [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin']
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, 'haproxy'))
    .find((program) => existsSync(program));

const hasUser = (name: string): boolean =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .some((line) => line.startsWith(`${name}:`));
