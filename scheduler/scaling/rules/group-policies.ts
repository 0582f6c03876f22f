import { stepCapacity, type StepRule } from './steps.ts';

/** How an Auto Scaling group stands. Times are milliseconds since the epoch. */
export interface GroupStanding {
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  /** When the desired capacity was last changed. */
  readonly scaledAt: number | undefined;
}

interface WishBase {
  readonly policy: string;
  /** What acts on the policy, in words: `a monitor alarm busy in state ALARM`. */
  readonly by: string;
  /** What the metric said last, and when its period began. */
  readonly point: { readonly at: number; readonly value: number };
  /** Capacity in service whose warm-up was over when the point was measured, and capacity that is on its way to that now. */
  readonly warm: number;
  readonly warming: number;
}

/** What a policy of a group says now. */
export type GroupWish =
  | (WishBase & { readonly kind: 'tracking'; readonly target: number; readonly side: 'high' | 'low' })
  | (WishBase & {
      readonly kind: 'step' | 'simple';
      readonly rule: StepRule;
      readonly threshold: number;
      /** The point that it acted on last. */
      readonly actedOn: number | undefined;
      /** Of a simple one, milliseconds from the last change of the capacity in which it does not act. */
      readonly cooldown: number;
    });

export interface GroupDecision {
  readonly desired: number;
  readonly policy: string;
  readonly by: string;
  readonly point: number;
}

/**
 * What the policies of a group come to (EC2 Auto Scaling user guide, "Dynamic scaling"): out to the largest capacity that one wants; in only where all
 * tracking policies that scale in want it, to the largest again. Pure.
 * @param wishes of those that something acts on
 * @param holding how many tracking policies that scale in are not among those that want in
 * @returns undefined: the capacity stays
 */
export function decideGroup(
  standing: GroupStanding,
  wishes: readonly GroupWish[],
  holding: number,
  now: number,
): GroupDecision | undefined {
  const wants = wishes.flatMap((wish) => {
    const desired = wish.kind === 'tracking' ? tracked(standing, wish) : stepped(standing, wish, now);
    return desired === undefined ? [] : [{ wish, desired }];
  });
  const outs = wants.filter(({ desired }) => desired > standing.desired);
  const ins = wants.filter(({ desired }) => desired < standing.desired);
  // One whose metric would be above its target again without a machine wants none to go, though its alarm says that it is low.
  const agree =
    holding === 0 && wishes.every((wish) => wish.kind !== 'tracking' || ins.some((want) => want.wish === wish));
  const counted = ins.filter(({ wish }) => wish.kind !== 'tracking' || agree);
  const [best] = (outs.length > 0 ? outs : counted).toSorted(
    (a, b) => b.desired - a.desired || (a.wish.policy < b.wish.policy ? -1 : 1),
  );
  if (best === undefined) return undefined;
  const bounded = Math.min(Math.max(best.desired, standing.min), standing.max);
  const moves = outs.length > 0 ? bounded > standing.desired : bounded < standing.desired;
  const { policy, by, point } = best.wish;
  return moves ? { desired: bounded, policy, by, point: point.at } : undefined;
}

/** The capacity at which the metric would be at its target, reckoned from what it was measured with: machines that warm up do not count. */
function tracked(
  { desired, scaledAt }: GroupStanding,
  { side, target, point: { at, value }, warm, warming }: Extract<GroupWish, { kind: 'tracking' }>,
): number | undefined {
  if (side === 'high') return warm === 0 ? undefined : Math.max(desired, up((warm * value) / target));
  // Nothing goes while something comes, nor by what was measured before the last change.
  if (warming > 0 || warm !== desired || at < (scaledAt ?? 0)) return undefined;
  return Math.min(desired, Math.max(up((warm * value) / target), up(warm / 2)));
}

function stepped(
  { desired, scaledAt }: GroupStanding,
  {
    kind,
    rule,
    threshold,
    point: { at, value },
    warming,
    actedOn,
    cooldown,
  }: Extract<GroupWish, { kind: 'step' | 'simple' }>,
  now: number,
): number | undefined {
  if (actedOn !== undefined && at <= actedOn) return undefined;
  if (kind === 'simple')
    return scaledAt !== undefined && now < scaledAt + cooldown ? undefined : stepCapacity(rule, desired, 0);
  // What warms up is a part of what is wanted, so that one step is not taken twice; nothing goes meanwhile.
  const base = Math.max(desired - warming, 0);
  const wanted = stepCapacity(rule, base, value - threshold);
  if (wanted === undefined || wanted === base) return undefined;
  if (wanted > base) return Math.max(wanted, desired);
  return warming > 0 ? undefined : wanted;
}

/** Rounds up, but not what is whole but for the last digits of a division. */
const up = (value: number): number => Math.ceil(value - 1e-9);
