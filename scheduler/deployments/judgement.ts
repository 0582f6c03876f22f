import type { Compared, JudgeRule, MeasuredRecord, Share, StepJudgement, Tally } from '../state/index.ts';

import { evidenceOfNotWorse, evidenceOfWorse, requestsNeeded } from './evidence.ts';

/** Upper bounds of the classes of latency that engines count in, in seconds; above the last is one class more. */
export type LatencyBounds = readonly number[];

/** The share of answers of the old revision that stayed below what counts as slow. */
const usual = 0.95;

const noTally: Tally = { requests: 0, failed: 0, classes: [] };

/** What the groups of one revision have counted together. */
function sumOf(tallies: MeasuredRecord['sums'], groups: readonly string[]): Tally {
  return groups.reduce((sum, group) => addTally(sum, tallies[group] ?? noTally), noTally);
}

const addTally = (one: Tally, other: Tally): Tally => ({
  requests: one.requests + other.requests,
  failed: one.failed + other.failed,
  classes: Array.from(
    { length: Math.max(one.classes.length, other.classes.length) },
    (_, index) => (one.classes[index] ?? 0) + (other.classes[index] ?? 0),
  ),
});

/** The two revisions of a step, by the last parts of the ARNs of their target groups. */
export interface Sides {
  readonly own: readonly string[];
  readonly other: readonly string[];
}

/**
 * What is counted of one step says of the new revision. Pure: of the same counts it says the same.
 *
 * With every kind of bad requests, failed and slow, and every step of a deployment a good revision could be called worse: each gets its
 * part of `alpha`, so that all of them together have no more. A bad one is let pass only when every one of them is wrong about it: `beta`
 * is not shared out.
 * @param steps how many steps of the deployment are judged in all
 */
export function judge(
  rule: JudgeRule,
  measured: Pick<MeasuredRecord, 'sums' | 'before'>,
  sides: Sides,
  { steps, bounds }: { readonly steps: number; readonly bounds: LatencyBounds },
): { readonly verdict: 'worse' | 'not worse' | 'open'; readonly compared: readonly Compared[] } {
  const [own, other] = [sumOf(measured.sums, sides.own), sumOf(measured.sums, sides.other)];
  const kinds = (rule.failed === undefined ? 0 : 1) + (rule.slow === undefined ? 0 : 1);
  const alpha = rule.alpha / 100 / kinds / Math.max(1, steps);
  const compared: Compared[] = [];
  if (rule.failed !== undefined) {
    const failed = ({ requests, failed: bad }: Tally): Share => ({ requests, bad });
    compared.push(compareShares('failed', failed(own), failed(other), rule.failed / 100, alpha, rule.beta / 100));
  }
  if (rule.slow !== undefined) {
    const place = slowAbove(sumOf(measured.before, sides.other), bounds);
    const above = place === undefined ? undefined : bounds[place];
    const slow = ({ classes }: Tally): Share =>
      place === undefined
        ? { requests: 0, bad: 0 }
        : { requests: total(classes), bad: total(classes.slice(place + 1)) };
    compared.push({
      ...compareShares('slow', slow(own), slow(other), rule.slow / 100, alpha, rule.beta / 100),
      ...(above === undefined ? {} : { above }),
    });
  }
  const verdicts = compared.map(({ verdict }) => verdict);
  if (verdicts.includes('worse')) return { verdict: 'worse', compared };
  return { verdict: verdicts.every((verdict) => verdict === 'not worse') ? 'not worse' : 'open', compared };
}

function compareShares(
  what: Compared['what'],
  own: Share,
  other: Share,
  margin: number,
  alpha: number,
  beta: number,
): Compared {
  if (evidenceOfWorse(own, other) >= Math.log(1 / alpha)) return { what, own, other, verdict: 'worse' };
  if (evidenceOfNotWorse(own, other, margin) >= Math.log(1 / beta)) return { what, own, other, verdict: 'not worse' };
  if (own.requests === 0 || other.requests === 0) return { what, own, other, verdict: 'open' };
  const share = (own.bad + other.bad) / (own.requests + other.requests);
  const needs = share + margin >= 1 ? undefined : requestsNeeded(share, other.requests / own.requests, margin, beta);
  return { what, own, other, verdict: 'open', ...(needs === undefined ? {} : { needs }) };
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/**
 * The class of latency that 95 of 100 answers of the old revision were in or below, before any that are judged: what is in a class above
 * it is slow. Undefined while there was no answer.
 */
function slowAbove({ classes }: Tally, bounds: LatencyBounds): number | undefined {
  const all = total(classes);
  if (all === 0) return undefined;
  let seen = 0;
  for (const [place, count] of classes.entries()) {
    seen += count;
    if (seen >= usual * all) return Math.min(place, bounds.length - 1);
  }
  return bounds.length - 1;
}

/** What was compared, in words for people. */
export function comparedText({ what, above, own, other, verdict, needs }: Compared): string {
  const kind = what === 'failed' ? 'failed' : `took longer than ${above === undefined ? 'usual' : `${above} s`}`;
  const of = ({ requests, bad }: Share): string =>
    `${bad} of ${requests}${requests === 0 ? '' : ` (${percent(bad / requests)})`}`;
  const open =
    verdict === 'open' && needs !== undefined ? `, of about ${needs} requests of the new one that it takes` : '';
  return `${of(own)} requests of the new revision ${kind}, ${of(other)} of the old one${open}`;
}

/** A step's numbers, in words for people. */
export const judgementText = ({
  compared,
  problem,
  isIdle,
}: Pick<StepJudgement, 'compared' | 'problem' | 'isIdle'>): string =>
  isIdle === true
    ? 'nobody asked either revision for anything, so it goes on; send requests to the service while a step rests, or give it more time (within), to have it judged'
    : (problem ?? textOf(compared));

const textOf = (compared: readonly Compared[]): string =>
  compared.length === 0 ? 'engines have counted nothing yet' : compared.map(comparedText).join('; ');

const percent = (share: number): string => `${Math.round(share * 10_000) / 100} %`;
