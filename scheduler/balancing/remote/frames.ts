import { z } from 'zod';

import { latencyBounds, type Observation } from '../engines/index.ts';

/** What a server and an engine on another host say to each other: one JSON text a frame. The server asks, the engine answers. */

/** Below it engines of other hosts connect; `name` and `kind` are said in the query. */
export const balancerPath = '/slipway/balancers/ws';

/** Most bytes of what a server asks: a desired state is the longest. */
export const longestRequest = 64 << 20;

/** Most bytes of what an engine answers: 10,000 targets are about 4 MiB. */
export const longestAnswer = 16 << 20;

/** What the engines of other hosts are called. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

export const requestShape = z.discriminatedUnion('call', [
  /** Adopts the engine's process, or starts one; again after a fault. */
  z.strictObject({ id: z.int(), call: z.literal('open') }),
  z.strictObject({ id: z.int(), call: z.literal('apply'), desired: z.unknown() }),
  z.strictObject({ id: z.int(), call: z.literal('observe') }),
  z.strictObject({ id: z.int(), call: z.literal('stop') }),
]);
export type Request = z.infer<typeof requestShape>;
/** A request before it has its number. */
export type Call = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** Most characters of a reason. */
export const longestText = 4_000;

const text = z.string().max(longestText);
const count = z.number().min(0);
const id = z.string().min(1).max(300);
const codes = z.tuple([count, count, count, count]);
const binding = z.union([
  z.strictObject({ bound: z.literal(true) }),
  z.strictObject({ bound: z.literal(false), reason: text }),
]);

/** What an engine of a later release says besides is left out. */
const observationShape = z.object({
  generation: z.int().min(0),
  oldestServing: z.int().min(0),
  targets: z.array(
    z.object({
      targetGroupId: id,
      registrationId: id,
      inFlight: count,
      counts: z.object({
        requests: count,
        codes,
        connectionErrors: count,
        bytesIn: count,
        bytesOut: count,
        latency: z.object({ classes: z.array(count).length(latencyBounds.length + 1), seconds: count }),
      }),
    }),
  ),
  listeners: z.array(
    z.object({ id, result: binding, activeConnections: count, newConnections: count, requests: count }),
  ),
  loadBalancers: z.array(z.object({ id, engineCodes: codes })),
});

export const answerShape = z.union([
  z.strictObject({ id: z.int(), answer: z.unknown() }),
  z.strictObject({ id: z.int(), error: text }),
  /** The engine has ended, with all it carried, and does not come back by itself. */
  z.strictObject({ leave: z.literal(true) }),
]);
export type Answer = z.infer<typeof answerShape>;

/** @throws ZodError for anything else */
export const readObservation = (given: unknown): Observation => observationShape.parse(given);

/** @returns undefined for what is no JSON, or not of that shape */
export function readFrame<T>(shape: z.ZodType<T>, data: Buffer): T | undefined {
  try {
    return shape.safeParse(JSON.parse(data.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
