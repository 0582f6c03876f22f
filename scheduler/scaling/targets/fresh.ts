import type { ServiceRef } from '../../services/index.ts';
import type { ServiceReadings } from '../../signals/usage/index.ts';
import { judge, type Judged, looks, type Readings, type Wish } from '../rules/index.ts';
import type { FreshNumbers } from './commit.ts';
import type { PolicyRecord, TrackingPolicy } from './records.ts';

/**
 * What a policy's metric is measured by as it comes in, between the minutes that its alarms look at. Metrics of one's own, and math, are of
 * the periods that they are sent or asked for in.
 */
export type FreshSource =
  | { readonly kind: 'cpu' | 'memory' }
  | { readonly kind: 'requests'; readonly group: string }
  | undefined;

export function freshSourceOf(policy: PolicyRecord): FreshSource {
  if (policy.type !== 'tracking' || !('predefined' in policy.asked)) return undefined;
  const { predefined, label } = policy.asked;
  if (predefined === 'ECSServiceAverageCPUUtilization') return { kind: 'cpu' };
  if (predefined === 'ECSServiceAverageMemoryUtilization') return { kind: 'memory' };
  const group = label?.split('/').at(-1);
  return group === undefined ? undefined : { kind: 'requests', group };
}

/** Policies that readings of their service's tasks say something of. */
export const readsTasks = (policy: PolicyRecord): boolean => {
  const kind = freshSourceOf(policy)?.kind;
  return kind === 'cpu' || kind === 'memory';
};

/** What the last readings of a policy's metric say; undefined where there are none. */
export function judgedFresh(
  policy: PolicyRecord,
  { account }: Pick<ServiceRef, 'account'>,
  known: ServiceReadings | undefined,
  fresh: Pick<FreshNumbers, 'rates'>,
): Judged | undefined {
  const source = freshSourceOf(policy);
  if (policy.type !== 'tracking' || source === undefined) return undefined;
  const readings =
    source.kind === 'requests' ? requestReadings(fresh.rates(account, source.group, looks)) : known?.[source.kind];
  return readings === undefined ? undefined : judge(readings, policy.target);
}

const requestReadings = (rates: ReturnType<FreshNumbers['rates']>): Readings | undefined =>
  rates === undefined
    ? undefined
    : {
        sums: rates.perMinute,
        tasks: rates.targets,
        counted: { events: rates.requests, minutes: rates.minutes },
      };

/** What a policy wants that its readings say to be above its target: out alone, as what is below has to be so for many minutes. */
export function freshWish(
  policy: TrackingPolicy,
  { value, means }: NonNullable<Judged['above']>,
  tasks: number,
  at: number,
  cooldowns: Pick<Wish, 'outCooldown' | 'inCooldown'>,
): Wish {
  const [metric] = Object.values(policy.asked);
  const shown = means.map((mean) => Math.round(mean * 10) / 10).toReversed();
  return {
    kind: 'tracking',
    policy: policy.name,
    alarm: {
      readings: `the last readings of ${metric} (${shown.join(', ')}) were above the target of ${policy.target}`,
    },
    point: { at, value },
    side: 'high',
    target: policy.target,
    tasks,
    scalesIn: false,
    ...cooldowns,
  };
}
