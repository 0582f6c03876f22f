/** An inclusive range of bytes, `end` one less than `start` for nothing at all. @throws RangeError outside of the blob */
export function checkRange(
  range: { readonly start: number; readonly end: number } | undefined,
  size: number,
): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size - 1 };
  const { start, end } = range;
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end < size) return range;
  throw new RangeError(`bytes ${start} to ${end} do not lie in a blob of ${size} bytes`);
}
