import type { AlarmRecord, PointReader } from '../../signals/alarms/index.ts';

import type { ServiceRef } from '../../services/index.ts';
import { believedSide, type Judged, type Wish } from '../rules/index.ts';
import { freshWish } from './fresh.ts';
import { policyArn } from './keys.ts';
import type { PolicyRecord } from './records.ts';
import { alarmNames, sourceOf, usualCooldown } from './tracking.ts';

/** A policy that alarms act on. */
type Acted = Exclude<PolicyRecord, { type: 'predictive' }>;

/** A policy, and the alarm that acts on it as it stands. */
interface Asked {
  readonly policy: Acted;
  readonly alarm: AlarmRecord | undefined;
  readonly side: 'high' | 'low' | undefined;
}

/** Periods of a metric in which its newest point is looked for. */
const periods = 5;

/**
 * What the policies of one target say, with the newest points of the metrics of those that want anything.
 * @param judged by policy, what the last readings say: they are newer than what minutes say, and have the last word
 * @throws what the stores throw
 */
export async function wishesOf(
  ports: { readonly region: string; readonly points: PointReader },
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
  alarms: ReadonlyMap<string, AlarmRecord>,
  judged: ReadonlyMap<string, Judged>,
  now: number,
): Promise<readonly Wish[]> {
  const asked = policies.flatMap((policy) =>
    policy.type === 'predictive' ? [] : [askedOf(ports.region, ref, policy, alarms)],
  );
  const wanting = asked.filter(({ alarm }) => alarm?.subject.kind === 'metric');
  const read = await ports.points.read(
    ref.account,
    wanting.map(({ policy, alarm }) => windowOf(policy, alarm as AlarmRecord, now)),
  );
  const newest = new Map(wanting.map(({ policy }, index) => [policy, read[index]?.at(-1)] as const));
  return asked.flatMap(({ policy, alarm, side }): Wish[] => {
    const base = {
      policy: policy.name,
      alarm: alarm === undefined ? undefined : { name: alarm.name, state: alarm.state },
      point: newest.get(policy),
    };
    if (policy.type === 'tracking') {
      const cooldowns = {
        outCooldown: (policy.outCooldown ?? usualCooldown) * 1000,
        inCooldown: (policy.inCooldown ?? usualCooldown) * 1000,
      };
      const newest = judged.get(policy.name);
      const { above, tasks } = newest ?? {};
      const byAlarm: Wish = {
        ...base,
        kind: 'tracking',
        side: believedSide(side, newest),
        target: policy.target,
        scalesIn: policy.noScaleIn !== true,
        ...(tasks === undefined ? {} : { tasks }),
        ...cooldowns,
      };
      return above === undefined || tasks === undefined
        ? [byAlarm]
        : [byAlarm, freshWish(policy, above, tasks, now, cooldowns)];
    }
    const cooldown = (policy.cooldown ?? usualCooldown) * 1000;
    const threshold = alarm?.subject.kind === 'metric' ? alarm.subject.rule.threshold : 0;
    const { rule, actedOn } = policy;
    return [{ ...base, kind: 'step', rule, threshold, actedOn, outCooldown: cooldown, inCooldown: cooldown }];
  });
}

function askedOf(region: string, ref: ServiceRef, policy: Acted, alarms: ReadonlyMap<string, AlarmRecord>): Asked {
  if (policy.type === 'tracking') {
    const names = alarmNames(ref, policy);
    for (const side of ['high', 'low'] as const) {
      const alarm = alarms.get(names[side]);
      if (alarm?.state === 'ALARM' && alarm.actionsEnabled) return { policy, alarm, side };
    }
    return { policy, alarm: undefined, side: undefined };
  }
  const arn = policyArn(region, ref, policy);
  for (const alarm of alarms.values())
    if (alarm.actionsEnabled && alarm.actions[alarm.state].includes(arn)) return { policy, alarm, side: undefined };
  return { policy, alarm: undefined, side: undefined };
}

function windowOf(policy: Acted, { subject }: AlarmRecord, now: number) {
  if (subject.kind !== 'metric') throw new Error('a composite alarm has no metric');
  const { source, rule } = subject;
  const length = rule.period * 1000;
  const end = Math.floor(now / length) * length;
  return {
    source: policy.type === 'tracking' ? sourceOf(policy.metric) : source,
    start: end - periods * length,
    end,
    period: rule.period,
  };
}
