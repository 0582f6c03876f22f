/** Milliseconds. */
export const timing = {
  /** Agents give a silent server up after a minute. */
  heartbeat: 30_000,
  /** A task that was sent, but whose message was not acknowledged, is sent again after this. */
  resendUnacknowledged: 5_000,
  /** A task that was acknowledged, but has not moved, is sent again after this. */
  resendAcknowledged: 30_000,
  /** Credentials near their end are sent anew, but not more often than this. */
  renewCredentials: 60_000,
  /** The whole list of tasks is sent this often, so that an agent finds what it should not run. */
  manifest: 300_000,
  /** The same while the agent has containers of which it is not known yet whether they may stay. */
  undecided: 20_000,
  /** A connection that the records do not show for so long is given up: the store has lost it, and the agent's next one is noted anew. */
  unknown: 15_000,
  /** A host that does not come for a session of ECS Exec is told of it again after this. */
  resendSession: 2_000,
  /** A task whose order to stop waits for its requests is looked at this often: on a host that is taken back it waits no longer than some time. */
  held: 5_000,
  tick: 1_000,
} as const;
