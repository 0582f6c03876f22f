const hidden = /\p{Cc}|\p{Cf}/gu;
/** What nearly every text is: it has nothing of that kind, and to see so takes a tenth of the time. */
const plain = /^[ -~]*$/;

/** Text of a caller as it may stand in a log line: no control characters (C1 included, which JSON leaves as they are), not longer than `max`. */
export function printable(text: string, max: number): string {
  const kept = text.length > max ? text.slice(0, max) : text;
  return plain.test(kept) ? kept : kept.replace(hidden, '?');
}
