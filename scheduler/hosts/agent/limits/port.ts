import type { Limits } from './limits.ts';

/** The kernel or the engine does not limit what it was asked to; the message says what refused. */
export class LimitsError extends Error {
  override readonly name = 'LimitsError';
}

/** What an agent needs of its host to limit tasks as a whole; the simulation plays it. */
export interface TaskLimitsPort {
  /** Why this host cannot; undefined when it can. @throws EngineUnavailable */
  reason(): Promise<string | undefined>;
  /** The control group of a task as Docker's `CgroupParent` takes it; once {@link reason} has said nothing. */
  parentOf(group: string): string;
  /** Makes the group, or finds it, with these limits; before each start of a container in it. @throws LimitsError */
  hold(group: string, limits: Limits): Promise<void>;
  /** Whether a process is in the group; also true of one that is gone. */
  holds(group: string, pid: number): Promise<boolean>;
  /** How many processes of the group ended for want of memory, as far as the kernel counts them. */
  kills(group: string): Promise<number>;
  /** Removes this agent's groups, other than these, that no process is in any more. Returns how many. */
  sweep(kept: Pick<ReadonlySet<string>, 'has'>): Promise<number>;
  /** Removes a group by what a container says was its parent, also another agent's of this machine; nothing while it is in use. */
  release(parent: string): Promise<void>;
  /** Removes what stands on the host for this agent as a whole, when none of its groups is left. */
  close(): Promise<void>;
}

/** The limits of a host that limits each container on its own. */
export const noLimits = (reason: string): TaskLimitsPort => ({
  reason: async () => reason,
  parentOf: () => '',
  hold: () => Promise.reject(new LimitsError(reason)),
  holds: async () => false,
  kills: async () => 0,
  sweep: async () => 0,
  release: async () => undefined,
  close: async () => undefined,
});
