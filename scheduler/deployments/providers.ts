import type { CapacityProvider, CapacityProviderStrategy } from '../state/index.ts';

/** How many tasks there are on each provider; none where it is not named. Made of entries: read it by `tasksOn`. */
export type ProviderCounts = Readonly<Partial<Record<CapacityProvider, number>>>;

/** How many of them are on a provider, whatever its name. */
export const tasksOn = (counts: ProviderCounts, provider: CapacityProvider): number =>
  Object.hasOwn(counts, provider) ? (counts[provider] ?? 0) : 0;

/**
 * The capacity providers of the next tasks, one for each. First the base is met; then the next task goes where it leaves the least tasks
 * for each unit of weight, and where that is equal to the provider that the strategy names first. So every whole round of the weights is
 * exact, as many tasks come out alike whether they are started one by one or together, and what went is filled in where it is missing.
 * A weight of 0 gets no more than its base, except that the only provider gets everything (ECS: `CapacityProviderStrategyItem`;
 * in what order the weights are met, and who has the remainder, AWS does not say).
 *
 * @param strategy not empty; with more than one provider, some weight is above 0
 * @param have the tasks that stay
 * @param count how many are to be started, from 0
 */
export function nextProviders(
  strategy: CapacityProviderStrategy,
  have: ProviderCounts,
  count: number,
): readonly CapacityProvider[] {
  const items = strategy.map((item) => ({
    ...item,
    weight: strategy.length === 1 ? 1 : item.weight,
    tasks: tasksOn(have, item.capacityProvider),
  }));
  return Array.from({ length: count }, () => {
    const next =
      items.find(({ base, tasks }) => tasks < base) ??
      items
        .filter(({ weight }) => weight > 0)
        .reduce((best, item) => (share(item) * best.weight < share(best) * item.weight ? item : best));
    next.tasks++;
    return next.capacityProvider;
  });
}

/** What the weight counts: the tasks beyond the base, with the next one. */
const share = ({ base, tasks }: { readonly base: number; readonly tasks: number }): number => tasks - base + 1;

/** How so many tasks are shared out when all of them are started anew. */
export function sharesOf(strategy: CapacityProviderStrategy, count: number): ProviderCounts {
  return countProviders(nextProviders(strategy, {}, count));
}

/** Tasks by their provider; those without one count nowhere. */
export function countProviders(providers: Iterable<CapacityProvider | undefined>): ProviderCounts {
  const counts = new Map<CapacityProvider, number>();
  for (const provider of providers) if (provider !== undefined) counts.set(provider, (counts.get(provider) ?? 0) + 1);
  return Object.fromEntries(counts);
}
