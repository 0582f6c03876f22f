import { definePartition, type OwnedRows } from '@slipway/storage/records';

const alarms = definePartition('alarms/<account>', 'the alarms of one account');
export const alarmsPartition = alarms.name;

const digits = (value: number, count: number): string => String(value).padStart(count, '0');

/** Later than any time, in as many digits. */
const endOfTime = 99_999_999_999_999;

export const alarmKeys = {
  alarms: 'alarm/',
  alarm: (name: string): string => `alarm/${name}`,
  /** What happened to alarms, the newest first. */
  history: 'history/',
  /** Where what is older than a time begins. */
  historyBefore: (at: number): string => `history/${digits(endOfTime - at, 14)}`,
  historyItem: (at: number, id: string): string => `history/${digits(endOfTime - at, 14)}/${id}`,
  /** Actions that are to be carried out, in their order. */
  actions: 'action/',
  action: (at: number, id: string): string => `action/${digits(at, 14)}/${id}`,
  /** What webhooks of an alarm are signed with. */
  secret: (name: string): string => `secret/${name}`,
  /** Up to when alarms have been evaluated. */
  progress: 'progress',
  /** The lease of whoever evaluates. */
  keeper: 'keeper',
} as const;

export const alarmRows: OwnedRows = {
  partition: alarms,
  owner: 'scheduler/signals/alarms/store',
  keys: [alarmKeys.alarms, alarmKeys.history, alarmKeys.actions, 'secret/', alarmKeys.progress],
};
