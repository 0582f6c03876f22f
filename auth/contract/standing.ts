import type { Principal } from './principal.ts';

/** Whether a principal that a token speaks for may still act. */
export interface Standing {
  /**
   * False when its access key was deleted or made inactive, its user or role is gone, or its session was revoked.
   * Asked for every request that carries a docker token; may answer from a cache of at most 5 seconds.
   */
  standing(principal: Principal): Promise<boolean>;
}
