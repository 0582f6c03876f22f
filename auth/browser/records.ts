import type { Principal } from '../contract/index.ts';

/** A browser's session. Times in milliseconds since the epoch. */
export interface SessionRecord {
  /** Who signed in: by the key or session in it, policies are those that hold at each call. */
  readonly principal: Principal;
  /** SHA-256 of what the page holds beside the cookie. */
  readonly proofHash: string;
  readonly begun: number;
  /** When it was last used, to within a minute. */
  readonly used: number;
  /** When it ends whatever happens. */
  readonly expires: number;
}

/** What belongs to one principal, so that nobody has more than a few. */
export interface OwnerRecord {
  /** Hashes of the tokens of its sessions, oldest first. */
  readonly sessions: readonly string[];
  /** The hash of its code that was not used yet. */
  readonly code?: string;
}

/** A code that becomes a session once. */
export interface CodeRecord {
  readonly principal: Principal;
  readonly expires: number;
}
