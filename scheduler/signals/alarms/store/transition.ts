import { type AlarmState, zonedTime } from '../evaluation/index.ts';
import { webhookOf } from '@slipway/auth/outbound';
import type { ActionRecord, AlarmRecord, AlarmStanding, HistoryRecord } from './records.ts';

/** What follows when the state of an alarm is set: all of it belongs into one commit. */
export interface Transition {
  readonly alarm: AlarmRecord;
  /** Empty where the state stays. */
  readonly history: readonly HistoryRecord[];
  readonly actions: readonly ActionRecord[];
}

/**
 * Sets the state of an alarm. Only a state that becomes another one is told, in the history and to the actions for it (CloudWatch: "alarms
 * invoke actions for sustained state changes only"). Pure.
 * @param newId a fresh identifier, one for each action
 */
export function changeState(alarm: AlarmRecord, standing: AlarmStanding, now: number, newId: () => string): Transition {
  const { reasonData: _, ...rest } = alarm;
  const changes = standing.state !== alarm.state;
  // Changes of an alarm have an order, also when several windows are caught up with in no time.
  const at = Math.max(now, Math.max(alarm.changedAt, alarm.configuredAt) + 1);
  const next: AlarmRecord = {
    ...rest,
    state: standing.state,
    reason: standing.reason,
    ...(standing.reasonData === undefined ? {} : { reasonData: standing.reasonData }),
    updatedAt: at,
    ...(changes ? { changedAt: at } : {}),
    ...(changes && standing.state === 'ALARM' ? { alarmedAt: at } : {}),
  };
  if (!changes) return { alarm: next, history: [], actions: [] };
  const composite = alarm.subject.kind === 'composite';
  const common = { alarm: alarm.name, composite, at } as const;
  return {
    alarm: next,
    history: [
      {
        ...common,
        kind: 'StateUpdate',
        summary: `Alarm updated from ${alarm.state} to ${standing.state}`,
        data: JSON.stringify({ version: '1.0', oldState: standingData(alarm), newState: standingData(next) }),
      },
    ],
    actions: alarm.actionsEnabled
      ? alarm.actions[standing.state].filter(isDelivered).map((action) => ({
          ...common,
          id: newId(),
          action,
          from: alarm.state,
          alarmThen: next,
          attempts: 0,
          nextAt: now,
        }))
      : [],
  };
}

/** Webhooks are told; whatever else an action may name reads the state of the alarm itself. */
const isDelivered = (action: string): boolean => webhookOf(action) !== undefined;

/** A state as items of the history have it. */
const standingData = ({ state, reason, reasonData }: AlarmStanding): object => ({
  stateValue: state,
  stateReason: reason,
  ...(reasonData === undefined ? {} : { stateReasonData: parsed(reasonData) }),
});

/** Reason data that SetAlarmState was given may be any text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** An item of the history for an action that was carried out, or given up. */
export function actionItem(action: ActionRecord, now: number, failure?: string): HistoryRecord {
  const done = failure === undefined;
  return {
    alarm: action.alarm,
    composite: action.composite,
    at: Math.max(now, action.at + 1),
    kind: 'Action',
    summary: done
      ? `Successfully executed action ${action.action}`
      : `Failed to execute action ${action.action}. Received error: "${failure}"`,
    data: JSON.stringify({
      actionState: done ? 'Succeeded' : 'Failed',
      stateUpdateTimestamp: action.at,
      notificationResource: action.action,
      publishedMessage: null,
      error: failure ?? null,
    }),
  };
}

/** An item of the history for what users do with an alarm. */
export function configurationItem(
  alarm: AlarmRecord,
  what: 'Created' | 'Updated' | 'Deleted',
  now: number,
): HistoryRecord {
  const { name, subject } = alarm;
  return {
    alarm: name,
    composite: subject.kind === 'composite',
    at: now,
    kind: 'ConfigurationUpdate',
    summary: `Alarm "${name}" ${what.toLowerCase()}`,
    data: JSON.stringify({
      version: '1.0',
      type: what === 'Created' ? 'Create' : what === 'Updated' ? 'Update' : 'Delete',
      at: zonedTime(now),
    }),
  };
}

/** States of alarms that a rule names, as one text: whether another evaluation would see anything new. */
export const seenOf = (children: readonly string[], stateOf: (alarm: string) => AlarmState | undefined): string =>
  children.map((child) => (stateOf(child) ?? '-').charAt(0)).join('');
