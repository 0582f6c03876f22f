import type { Codes, Counts } from '../engines/index.ts';

/** What one engine has carried to a target group since it was first told of it, over restarts of the engine and of servers. */
export interface GroupSample {
  readonly kind: 'group';
  readonly engine: string;
  readonly id: string;
  readonly name: string;
  /** The name of the load balancer that sends to it. */
  readonly loadBalancer: string;
  /** When this was so, milliseconds since the epoch. */
  readonly at: number;
  /** When the engine was looked at before: what is new came since. */
  readonly since?: number;
  /** By registration. */
  readonly targets: Readonly<Record<string, TargetSample>>;
  /** Of targets that are no longer registered, together. */
  readonly gone: Counts;
}

export interface TargetSample {
  readonly inFlight: number;
  readonly counts: Counts;
}

/** The same of a load balancer: its listeners, and the answers that the engine made itself. */
export interface BalancerSample {
  readonly kind: 'balancer';
  readonly engine: string;
  readonly id: string;
  readonly name: string;
  readonly at: number;
  readonly engineCodes: Codes;
  readonly listeners: Readonly<Record<string, ListenerSample>>;
}

export interface ListenerSample {
  readonly port: number;
  readonly activeConnections: number;
  readonly connections: number;
  readonly requests: number;
}

export type Sample = GroupSample | BalancerSample;
