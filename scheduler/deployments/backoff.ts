const minute = 60_000;

/** Attempts that fail at once are repeated without delay this often; a flaky pull should not cost a minute. */
const freeAttempts = 2;

/**
 * How long to wait before the next start of tasks that never reach RUNNING. AWS publishes the cap (27 minutes) and not
 * the curve; ours: two attempts at once, then 10 s, doubling, up to 27 minutes. An attempt is as many failures in a row
 * as the service wants tasks, so that twenty tasks that fail together count as one attempt.
 * @param failures consecutive tasks that never reached RUNNING
 */
export function startDelay(failures: number, desired: number): number {
  const attempt = Math.ceil(failures / Math.max(1, desired));
  if (attempt <= freeAttempts) return 0;
  return Math.min(27 * minute, 10_000 * 2 ** Math.min(20, attempt - freeAttempts - 1));
}

/**
 * How long to wait before the next start of tasks that reach RUNNING and end before they ever are healthy. ECS restarts
 * them at once, for ever; on one's own machine that is a busy loop of containers, so after three attempts the pace drops
 * from 1 s to at most one attempt in 10 s.
 */
export function crashDelay(crashes: number, desired: number): number {
  const attempt = Math.ceil(crashes / Math.max(1, desired));
  if (attempt <= 3) return 0;
  return Math.min(10_000, 1_000 * 2 ** Math.min(10, attempt - 4));
}
