import { z } from 'zod';
import type { Applied, Observation } from '../contract.ts';

/** What the process answers over its socket: a body as JSON, with status 200, or `error` with another one. */
export const appliedShape = z.strictObject({
  generation: z.int(),
  listeners: z.array(
    z.tuple([
      z.string(),
      z.union([
        z.strictObject({ bound: z.literal(true) }),
        z.strictObject({ bound: z.literal(false), reason: z.string() }),
      ]),
    ]),
  ),
});

/** Most bytes of a desired state: 10,000 targets with their groups are below 4 MiB. */
export const longestState = 64 << 20;

export function writeApplied({ generation, listeners }: Applied): z.infer<typeof appliedShape> {
  return { generation, listeners: [...listeners] };
}

export function readApplied(given: unknown): Applied {
  const { generation, listeners } = appliedShape.parse(given);
  return { generation, listeners: new Map(listeners) };
}

/** The process is the program of this release or an older one: its observation is taken as it is. */
export function readObservation(given: unknown): Observation {
  return given as Observation;
}
