import type { Share } from '../state/index.ts';

/**
 * The sequential test of canary judgement: whether the share of bad requests of a new revision is higher than that of the old one, by
 * counts that may be looked at as often as one likes.
 *
 * For one revision with the share `p`, `M(p) = B(½ + bad, ½ + good) / B(½, ½) / (p^bad (1-p)^good)` (Robbins' beta mixture) is a
 * nonnegative martingale that begins with 1, whatever else is counted in between; so is the product of those of both revisions at their
 * true shares. The lowest product over all pairs of shares of a hypothesis is at most that one where the hypothesis is true, and by
 * Ville's inequality it ever reaches `1/e` with a probability of at most `e`: at any time, in any order, with any number of looks.
 */

/**
 * How much counts speak against `share of own <= share of other`: the logarithm of a value that reaches `1/e` with a probability of at
 * most `e` where it is true.
 */
export function evidenceOfWorse(own: Share, other: Share): number {
  const at = (p: number, q: number): number => martingale(own, p) + martingale(other, q);
  const [p, q] = [shareOf(own), shareOf(other)];
  if (p <= q) return at(p, q);
  // The log of the product is convex: over the hypothesis it is lowest on its edge, where both have one share.
  const both = shareOf({ requests: own.requests + other.requests, bad: own.bad + other.bad });
  return at(both, both);
}

/**
 * The same against `share of own >= share of other + margin`.
 * @param margin above 0, below 1
 */
export function evidenceOfNotWorse(own: Share, other: Share, margin: number): number {
  const at = (q: number): number => martingale(own, q + margin) + martingale(other, q);
  const [p, q] = [shareOf(own), shareOf(other)];
  if (p >= q + margin) return martingale(own, p) + martingale(other, q);
  // On the edge the slope only grows: its zero is halved in on, or is an end.
  const slope = (x: number): number =>
    over(-own.bad, x + margin) +
    over(own.requests - own.bad, 1 - x - margin) +
    over(-other.bad, x) +
    over(other.requests - other.bad, 1 - x);
  let [low, high] = [0, 1 - margin];
  for (let turn = 0; turn < 60; turn++) {
    const middle = (low + high) / 2;
    if (slope(middle) > 0) high = middle;
    else low = middle;
  }
  return Math.min(at(low), at(high), at((low + high) / 2));
}

/**
 * How many requests of the new revision it takes, about, until it is called not worse: it is like the old one, and gets requests in the
 * proportion of those that were counted.
 * @param share of bad ones, of both
 * @param ratio of requests of the old one to those of the new one
 * @param error the probability that the verdict may be wrong with
 */
export function requestsNeeded(share: number, ratio: number, margin: number, error: number): number {
  const isEnough = (requests: number): boolean => {
    const of = (count: number): Share => ({ requests: count, bad: count * share });
    return evidenceOfNotWorse(of(requests), of(requests * ratio), margin) >= Math.log(1 / error);
  };
  let [low, high] = [0, 16];
  while (!isEnough(high) && high < 2 ** 40) [low, high] = [high, high * 2];
  while (high - low > Math.max(1, high / 200)) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high);
}

/** Of no requests none is bad. */
const shareOf = ({ requests, bad }: Share): number => (requests === 0 ? 0 : bad / requests);

/** ln M(p). */
function martingale({ requests, bad }: Share, p: number): number {
  const good = requests - bad;
  return logBeta(bad + 0.5, good + 0.5) - Math.log(Math.PI) - times(bad, Math.log(p)) - times(good, Math.log(1 - p));
}

/** Nothing of what is infinite is nothing. */
const times = (count: number, value: number): number => (count === 0 ? 0 : count * value);
const over = (count: number, value: number): number => (count === 0 ? 0 : count / value);

const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);

/** ln Γ(x) for x > 0: Stirling's series, moved up to where it is exact to 1e-12. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  while (z < 12) {
    shift += Math.log(z);
    z += 1;
  }
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z;
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift;
}
