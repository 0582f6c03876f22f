import type { Json } from '../records/index.ts';

/** One event as the log holds it. */
export interface LoggedEvent {
  /** Place in the partition's log; strictly increasing within a partition and topic. */
  readonly position: number;
  readonly partition: string;
  readonly topic: string;
  readonly type: string;
  readonly data: Json;
  /** Milliseconds since the epoch, by the committing server's clock. */
  readonly time: number;
}

/** One event handed to a consumer; it comes again after the redelivery time unless it is acknowledged. */
export interface Delivery extends LoggedEvent {
  /** 1 at the first delivery. */
  readonly attempt: number;
  /** The event is done with: never deliver it to this group again. */
  acknowledge(): Promise<void>;
  /** The event failed: deliver it again later, or move it to the dead-letter list after the last attempt. */
  reject(reason: string): Promise<void>;
}

export interface ConsumeOptions {
  /** The group that shares the work; each event goes to one member of each group. */
  readonly group: string;
  readonly topic: string;
  readonly signal: AbortSignal;
  /** Milliseconds after which an unacknowledged event is delivered again. Default 30,000. */
  readonly redeliverAfter?: number;
  /** Deliveries after which a rejected event goes to the dead-letter list. Default 10. */
  readonly attempts?: number;
}

export interface DeadLetter extends LoggedEvent {
  readonly group: string;
  readonly reason: string;
  readonly attempts: number;
}

/** The log that commits append to. Delivery is at least once, ordered per partition while nothing is redelivered. */
export interface EventLog {
  /** Events of a topic in one partition after a position, for replay and for reading without a group. */
  read(partition: string, topic: string, after: number, limit: number): Promise<readonly LoggedEvent[]>;
  /** Deliveries from every partition, as they happen; a new group starts at the oldest event kept. Ends when the signal aborts. */
  consume(options: ConsumeOptions): AsyncIterable<Delivery>;
  /** Makes a group start again after `position` of a partition's topic. */
  rewind(group: string, topic: string, partition: string, position: number): Promise<void>;
  deadLetters(group: string, topic: string): Promise<readonly DeadLetter[]>;
  /** Puts dead letters back for delivery; all of the group's when no positions are named. Returns how many. */
  redrive(group: string, topic: string, events?: readonly { partition: string; position: number }[]): Promise<number>;
}
