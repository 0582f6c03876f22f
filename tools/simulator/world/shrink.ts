import type { Outcome } from './outcome.ts';
import type { Fault, Plan, UserAction } from './plan.ts';
import { World } from './world.ts';

/**
 * The shortest plan found that still breaks the same invariant: leaves out faults, then actions of users, in halves and then one
 * by one, as long as it goes on breaking.
 * @param runs how often the world is played at the most
 */
export async function shrink(broken: Outcome, runs: number): Promise<Outcome> {
  const invariant = broken.violation?.invariant;
  let best = broken;
  let left = runs;
  const stillBreaks = async (plan: Plan): Promise<boolean> => {
    if (left-- <= 0) return false;
    const outcome = await new World(plan, false).play();
    if (outcome.violation?.invariant !== invariant) return false;
    best = outcome;
    return true;
  };
  for (let before = Infinity; left > 0 && sizeOf(best.plan) < before;) {
    before = sizeOf(best.plan);
    await thin<Fault>(best.plan.faults, (faults) => stillBreaks({ ...best.plan, faults }));
    await thin<UserAction>(best.plan.users, (users) => stillBreaks({ ...best.plan, users }));
  }
  return best;
}

const sizeOf = ({ faults, users }: Plan): number => faults.length + users.length;

/** Tries the list without one part after the other, in ever smaller parts. */
async function thin<T>(list: readonly T[], works: (list: readonly T[]) => Promise<boolean>): Promise<void> {
  let kept = list;
  for (let part = Math.ceil(kept.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let from = 0; from < kept.length;) {
      const without = [...kept.slice(0, from), ...kept.slice(from + part)];
      if (without.length < kept.length && (await works(without))) kept = without;
      else from += part;
    }
  }
}
