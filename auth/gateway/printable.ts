/** Text of a caller as it may stand in a log line: no control characters (C1 included, which JSON leaves as they are), not longer than `max`. */
export const printable = (text: string, max: number): string => text.slice(0, max).replace(/\p{Cc}|\p{Cf}/gu, '?');
