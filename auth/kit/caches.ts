/**
 * Options of an LRU cache with at most so many entries that takes room as it fills. `max` takes all of it when the cache is made: some
 * 30 bytes an entry, and together a twentieth of a server's start.
 */
export const growingTo = (entries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } => ({
  maxSize: entries,
  sizeCalculation: () => 1,
});
