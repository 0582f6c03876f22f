export type { ConsumeOptions, DeadLetter, Delivery, EventLog, LoggedEvent } from './event-log.ts';
