import type { Codes, Counts, Latency } from './contract.ts';

/** Upper bounds of the classes of latencies, in seconds; a last class takes what is above all. Every engine has the same. */
export const latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export const noCodes: Codes = [0, 0, 0, 0];
export const noLatency: Latency = { classes: Array.from({ length: latencyBounds.length + 1 }, () => 0), seconds: 0 };
export const noCounts: Counts = {
  requests: 0,
  codes: noCodes,
  connectionErrors: 0,
  bytesIn: 0,
  bytesOut: 0,
  latency: noLatency,
};

/** The class that a latency falls into. */
export function latencyClass(seconds: number): number {
  const found = latencyBounds.findIndex((bound) => seconds <= bound);
  return found === -1 ? latencyBounds.length : found;
}

export function addCodes(a: Codes, b: Codes): Codes {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
}

/** The higher of two, for each digit. */
export function highestCodes(a: Codes, b: Codes): Codes {
  return a.map((count, i) => Math.max(count, b[i]!)) as unknown as Codes;
}

export function addLatency(a: Latency, b: Latency): Latency {
  return { classes: a.classes.map((count, i) => count + (b.classes[i] ?? 0)), seconds: a.seconds + b.seconds };
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    requests: a.requests + b.requests,
    codes: addCodes(a.codes, b.codes),
    connectionErrors: a.connectionErrors + b.connectionErrors,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    latency: addLatency(a.latency, b.latency),
  };
}

/**
 * What was counted between two readings of one engine. A count that is lower than before began anew with the engine's process, and what
 * it has since is all of it.
 */
export function countsBetween(before: Counts, after: Counts): Counts {
  const grown = (a: number, b: number): number => (b < a ? b : b - a);
  const isNew = after.latency.seconds < before.latency.seconds;
  return {
    requests: grown(before.requests, after.requests),
    codes: codesBetween(before.codes, after.codes),
    connectionErrors: grown(before.connectionErrors, after.connectionErrors),
    bytesIn: grown(before.bytesIn, after.bytesIn),
    bytesOut: grown(before.bytesOut, after.bytesOut),
    latency: {
      classes: after.latency.classes.map((count, i) => grown(isNew ? 0 : (before.latency.classes[i] ?? 0), count)),
      seconds: grown(before.latency.seconds, after.latency.seconds),
    },
  };
}

/** The same for answers alone. */
export function codesBetween(before: Codes, after: Codes): Codes {
  return after.map((count, i) => (count < before[i]! ? count : count - before[i]!)) as unknown as Codes;
}

/**
 * The latency that a share of answers stayed below, in seconds: the upper bound of its class. Undefined without answers, and `Infinity`
 * when it is above all bounds.
 * @param share 0 to 1, e.g. 0.99
 */
export function quantile({ classes }: Latency, share: number): number | undefined {
  const total = classes.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (const [i, count] of classes.entries()) {
    seen += count;
    if (seen >= share * total) return latencyBounds[i] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}
