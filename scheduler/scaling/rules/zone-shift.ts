import { type Shift, slotLength } from './forecast.ts';

/**
 * By how many slots the local time of a zone is ahead of UTC: in summer by another number than in winter.
 * @param zone an IANA name
 * @param from when the first slot begins, and `to` the last one ends; milliseconds since the epoch
 * @throws RangeError when nobody knows the zone
 */
export function shiftIn(zone: string, from: number, to: number): Shift {
  const begins = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(zone);
  const changes = [{ slot: Number.NEGATIVE_INFINITY, ahead: slotsAhead(begins) }];
  for (
    let next = begins.getTimeZoneTransition('next');
    next !== null && next.epochMilliseconds < to;
    next = next.getTimeZoneTransition('next')
  )
    changes.push({ slot: (next.epochMilliseconds - from) / slotLength, ahead: slotsAhead(next) });
  return (slot) => changes.findLast((change) => change.slot <= slot)?.ahead ?? 0;
}

const slotsAhead = ({ offsetNanoseconds }: Temporal.ZonedDateTime): number =>
  Math.round(offsetNanoseconds / 1e6 / slotLength);
