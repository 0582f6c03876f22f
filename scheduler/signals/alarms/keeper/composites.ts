import { alarmArn, type AlarmPlace } from '../actions/index.ts';
import { childrenOf, holds, parseRule } from '../composite/index.ts';
import { zonedTime } from '../evaluation/index.ts';
import type { AlarmRecord, AlarmStanding } from '../store/records.ts';
import { seenOf } from '../store/transition.ts';

/**
 * How a composite alarm stands, from the states of the alarms that its rule names. One whose children are as they were when it was last
 * evaluated stays as it is, so that a state that was set by hand stays until a child changes. Pure.
 * @returns undefined: nothing to write
 */
export function evaluateComposite(
  alarm: AlarmRecord,
  alarms: ReadonlyMap<string, AlarmRecord>,
  place: AlarmPlace,
): (AlarmStanding & { readonly seen: string }) | undefined {
  if (alarm.subject.kind !== 'composite') return undefined;
  const rule = parseRule(alarm.subject.rule);
  const children = childrenOf(rule);
  const stateOf = (name: string): AlarmRecord['state'] | undefined => alarms.get(name)?.state;
  const seen = seenOf(children, stateOf);
  if (alarm.seen === seen) return undefined;
  const state = holds(rule, stateOf) ? 'ALARM' : 'OK';
  if (state === alarm.state) {
    const { reason, reasonData } = alarm;
    return { state, reason, ...(reasonData === undefined ? {} : { reasonData }), seen };
  }
  const known = children.flatMap((name) => alarms.get(name) ?? []);
  const newest = known.reduce<AlarmRecord | undefined>(
    (best, one) => (best === undefined || one.changedAt > best.changedAt ? one : best),
    undefined,
  );
  const arn = (name: string): string => alarmArn(place, name);
  return {
    state,
    reason:
      newest === undefined
        ? `The rule is ${state === 'ALARM' ? 'TRUE' : 'FALSE'}`
        : `${arn(newest.name)} transitioned to ${newest.state} at ${new Date(newest.changedAt).toUTCString()}`,
    reasonData: JSON.stringify({
      triggeringAlarms: known.slice(0, 20).map((one) => ({
        arn: arn(one.name),
        state: { value: one.state, timestamp: zonedTime(one.changedAt) },
      })),
    }),
    seen,
  };
}
