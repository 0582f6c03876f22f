import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import type { Names } from './machine.ts';

/** What engines of machines take over from the one of this computer: where images come from and names are asked for. */
const shared = ['registry-mirrors', 'dns', 'dns-opts', 'dns-search', 'proxies', 'storage-driver'] as const;
const usual = '/etc/docker/daemon.json';

const sharedShape = z.record(z.string(), z.unknown());

/**
 * The settings of a machine's engine: everything that it has is its own, and what else there is in this computer's is left out.
 * @param endpoint where the server answers: its registry is asked in the clear where it is served so
 */
export async function engineConfig(
  { engine, run, socket }: Names,
  endpoint: string | undefined,
  file = usual,
): Promise<object> {
  const known = await readFile(file, 'utf8').then(
    (text) => sharedShape.parse(JSON.parse(text)),
    () => ({}) as z.output<typeof sharedShape>,
  );
  const given = known['insecure-registries'];
  const plain = endpoint?.startsWith('http:') === true ? [new URL(endpoint).host] : [];
  return {
    ...Object.fromEntries(shared.filter((name) => name in known).map((name) => [name, known[name]])),
    'insecure-registries': [...(Array.isArray(given) ? (given as unknown[]) : []), ...plain],
    'data-root': engine,
    'exec-root': join(run, 'exec'),
    pidfile: join(run, 'dockerd.pid'),
    hosts: [`unix://${socket}`],
  };
}
