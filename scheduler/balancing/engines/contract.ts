/**
 * What a traffic engine is told, what it answers and what can be seen of it. Every engine takes the whole desired state, with its
 * generation; it never asks a store, decides nothing about health, and outlives the server that told it.
 */

import type { DesiredState } from '../../routing/index.ts';

export type * from '../../routing/index.ts';

/** `reason` says what took the port, or which setting or capability permits it: it goes into the caller's error. */
export type BindResult = { readonly bound: true } | { readonly bound: false; readonly reason: string };

/** Answer to `apply`: new connections are served by `generation`, on every listener that is bound. */
export interface Applied {
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, BindResult>;
}

/** Counted since the engine's process began; a reader takes differences and expects them to begin anew. */
export interface Counts {
  readonly requests: number;
  readonly codes: Codes;
  /** Attempts to reach a target that failed, or that it did not answer. */
  readonly connectionErrors: number;
  /** From clients to targets, and back. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly latency: Latency;
}

/** How long targets took from the request to the head of their answer; HTTP only. */
export interface Latency {
  /** Answers by the classes of `latencyBounds` (`counts.ts`), and those above all of them. */
  readonly classes: readonly number[];
  /** Of all answers together. */
  readonly seconds: number;
}

export interface TargetObservation {
  readonly targetGroupId: string;
  readonly registrationId: string;
  /** Requests without their whole answer, and upgraded or plain connections, over all processes of the engine. */
  readonly inFlight: number;
  readonly counts: Counts;
}

export interface ListenerObservation {
  readonly id: string;
  readonly result: BindResult;
  readonly activeConnections: number;
  readonly newConnections: number;
  readonly requests: number;
}

export interface LoadBalancerObservation {
  readonly id: string;
  /** Answers that the engine made itself by their first digit, 2 to 5; those of targets are counted with the targets. */
  readonly engineCodes: Codes;
}

/** Answers by their first digit: 2, 3, 4, 5. */
export type Codes = readonly [number, number, number, number];

export interface Observation {
  /** What new connections are served by. */
  readonly generation: number;
  /** The lowest generation that any living process may still route a request by. This is what a drain waits for. */
  readonly oldestServing: number;
  readonly targets: readonly TargetObservation[];
  readonly listeners: readonly ListenerObservation[];
  readonly loadBalancers: readonly LoadBalancerObservation[];
}

/**
 * One engine of one host. All methods reject with an `EngineError` that says what to do; a rejected `apply` leaves the generation
 * before it in place.
 */
export interface TrafficEngine {
  readonly kind: 'embedded' | 'haproxy';
  /** Makes the state live for new connections. Calls are served one after the other; one that is overtaken by a newer answers with the newer. */
  apply(desired: DesiredState): Promise<Applied>;
  observe(): Promise<Observation>;
  /** Lets go of the engine: its process serves on, and the next `open` adopts it. */
  close(): Promise<void>;
  /** Ends the engine with all its connections. */
  stop(): Promise<void>;
}

/** What an engine cannot do, with what to do about it. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** Whether a target that was taken out of rotation in `generation` gets and carries nothing any more on this engine. */
export function isQuiet(
  seen: Observation,
  target: { targetGroupId: string; registrationId: string },
  generation: number,
): boolean {
  if (seen.oldestServing < generation) return false;
  return seen.targets.every(
    ({ targetGroupId, registrationId, inFlight }) =>
      targetGroupId !== target.targetGroupId || registrationId !== target.registrationId || inFlight === 0,
  );
}
