export type { ConsumeOptions, DeadLetter, Delivery, EventLog, LoggedEvent } from './event-log.ts';
export { openEventLog } from './open-event-log.ts';
