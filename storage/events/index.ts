export type { ConsumeOptions, DeadLetter, Delivery, EventLog, LoggedEvent } from './event-log.ts';
export { consumerRows } from './group-state.ts';
export { openEventLog } from './open-event-log.ts';
