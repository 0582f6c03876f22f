import { overlap, routes, whatLacks } from '@slipway/scheduler/scaling/providers';
import type { DockerMachines } from './provider-config.ts';

/** Why this computer can make no machines, and what to do about it; undefined when it can. */
export async function dockerTrouble({ range }: Pick<DockerMachines, 'range'>): Promise<string | undefined> {
  const lack = await whatLacks();
  if (lack !== undefined) return lack;
  return routes().then(
    (found) => overlap(range, found),
    (error: unknown) => (error as Error).message,
  );
}
