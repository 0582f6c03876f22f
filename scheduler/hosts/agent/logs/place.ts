import { z } from 'zod';

const consumed = z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]);

const place = z.object({
  /** The last part of the engine's log before which nothing is wanted any more: its time, as the engine writes it (empty: before the first part) … */
  time: z.string().max(64),
  /** … and as which one of those of that time it stands there. */
  nth: z.number().int().nonnegative(),
  /** Seconds since the epoch: no part behind it is older. */
  since: z.number().int().nonnegative(),
  /** What is not wanted behind it either, of each source: so many parts, and bytes of the next. */
  stdout: consumed,
  stderr: consumed,
});

/** A place in the engine's log of a container, behind an event: from there on the same events come again, and none twice. */
export type Place = z.infer<typeof place>;

/** The beginning of a container's log. */
export const beginning: Place = { time: '', nth: 0, since: 0, stdout: [0, 0], stderr: [0, 0] };

export const writePlace = (at: Place): string => JSON.stringify(at);

/** What {@link writePlace} wrote. Undefined for what nobody wrote: it came from outside. */
export function readPlace(text: string): Place | undefined {
  try {
    return place.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
