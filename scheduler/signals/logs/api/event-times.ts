/** Milliseconds. */
export const day = 86_400_000;
/** How far ahead an event may be, and how old (API reference, PutLogEvents). */
export const mostAhead = 2 * 3_600_000;
export const mostAge = 14 * day;

/**
 * Why PutLogEvents leaves an event out (API reference): it is too far ahead, too old, or older than the group keeps its events.
 * @param timestamp and now, milliseconds since the epoch
 */
export function leftOut(
  timestamp: number,
  now: number,
  retentionInDays: number | undefined,
): 'too new' | 'too old' | 'expired' | undefined {
  if (timestamp > now + mostAhead) return 'too new';
  if (timestamp < now - mostAge) return 'too old';
  return retentionInDays !== undefined && timestamp < now - retentionInDays * day ? 'expired' : undefined;
}
