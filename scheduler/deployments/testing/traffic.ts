import { evidenceOfNotWorse, evidenceOfWorse } from '../evidence.ts';

/** The same numbers for the same seed, between 0 and 1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Requests to two revisions: their shares of bad ones, the new one's weight, and how they are judged, as shares of 1. */
export interface Traffic {
  readonly own: number;
  readonly other: number;
  readonly weight: number;
  readonly margin: number;
  readonly alpha: number;
  readonly beta: number;
  /** Requests in all, after which there is no verdict. */
  readonly most: number;
}

/** Traffic at a fixed weight, looked at after each portion, until one of the two is known. */
export function play(
  seed: number,
  { own: p, other: q, weight, margin, alpha, beta, most }: Traffic,
): { readonly verdict: 'worse' | 'not worse' | 'open'; readonly requests: number } {
  const random = randomOf(seed);
  const counts = { own: { requests: 0, bad: 0 }, other: { requests: 0, bad: 0 } };
  for (let portion = 40, seen = 0; seen < most; portion = Math.ceil(portion * 1.1)) {
    for (let request = 0; request < portion; request++, seen++) {
      const isOwn = random() < weight;
      const of = isOwn ? counts.own : counts.other;
      of.requests++;
      if (random() < (isOwn ? p : q)) of.bad++;
    }
    if (evidenceOfWorse(counts.own, counts.other) >= Math.log(1 / alpha))
      return { verdict: 'worse', requests: counts.own.requests };
    if (evidenceOfNotWorse(counts.own, counts.other, margin) >= Math.log(1 / beta))
      return { verdict: 'not worse', requests: counts.own.requests };
  }
  return { verdict: 'open', requests: counts.own.requests };
}
