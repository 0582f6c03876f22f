import type { TargetStanding, Wish } from '../rules/index.ts';

type Tracking = Extract<Wish, { kind: 'tracking' }>;

/**
 * What target tracking policies come to, from the sentences of the documentation, by trying every count; slow, and written apart from what
 * decides. @returns the count, or that which is there
 */
export function slowlyDecided(standing: TargetStanding, wishes: readonly Tracking[], now: number): number {
  const { min, max, desired, running, lastOut, lastIn } = standing;
  const first = (fits: (count: number) => boolean): number | undefined => {
    for (let count = 0; count <= Math.max(max, desired, running) + 1; count++) if (fits(count)) return count;
    return undefined;
  };
  const enough = (count: number, tasks: number, value: number, target: number): boolean =>
    tasks * value <= count * target + 1e-7;

  // "Scales out if any of the policies is ready for scale-out", to the largest count.
  const outs = wishes.flatMap(({ alarm, point, side, target, tasks }) => {
    if (alarm === undefined || point === undefined || side !== 'high') return [];
    let of = running;
    if (tasks !== undefined && tasks < of) of = tasks;
    // What was measured before tasks were added is of those that there were.
    if ('name' in alarm && lastOut !== undefined && point.at < lastOut.at && lastOut.from < of) of = lastOut.from;
    // Load and no task: one more, if it is minutes that say so.
    if (of === 0) return 'name' in alarm ? [desired + 1] : [];
    const found = first((count) => enough(count, of, point.value, target));
    if (found === undefined) return [max > desired ? max : desired + 1];
    return found > desired ? [found] : [];
  });
  if (outs.length > 0) {
    if (standing.noScaleOut) return desired;
    const wanted = outs.toSorted((a, b) => b - a)[0] ?? max;
    const bounded = [wanted, max].toSorted((a, b) => a - b)[0] ?? wanted;
    const least = bounded < min ? min : bounded;
    return least > desired ? least : desired;
  }

  // "Scales in if all of them (with the scale-in portion enabled) are ready to scale in"; not while a deployment is in progress, nor in a cooldown.
  if (standing.noScaleIn || standing.isDeploying || (lastIn !== undefined && now < lastIn.until)) return desired;
  const voters = wishes.filter(({ scalesIn }) => scalesIn);
  const ins = voters.flatMap(({ alarm, point, side, target }) => {
    if (alarm === undefined || point === undefined || side !== 'low') return [];
    if (lastIn !== undefined && point.at < lastIn.at) return [];
    if (lastOut !== undefined && point.at < lastOut.at) return [];
    const found = first((count) => 2 * count >= running && enough(count, running, point.value, target));
    return found !== undefined && found < desired ? [found] : [];
  });
  if (ins.length === 0 || ins.length < voters.length) return desired;
  let wanted = ins.toSorted((a, b) => b - a)[0] ?? desired;
  if (wanted < min) wanted = min;
  if (wanted > max) wanted = max;
  return wanted < desired ? wanted : desired;
}
