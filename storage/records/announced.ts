import type { Json } from './record-store.ts';

/** An event as the store keeps it, in its partition's stream of a topic. */
export interface AnnouncedEvent {
  /** Strictly increasing within a partition and topic. */
  readonly position: number;
  readonly partition: string;
  readonly topic: string;
  readonly type: string;
  readonly data: Json;
  /** Milliseconds since the epoch, by the committing server's clock. */
  readonly time: number;
}

/** One partition's stream of a topic: the positions still kept are `first` to `last`. */
export interface AnnouncedStream {
  readonly partition: string;
  readonly first: number;
  readonly last: number;
}

/** How a record store hands out the events that its commits announced; the event log is built on this. */
export interface EventSource {
  /** Kept events after a position, in order. */
  announced(partition: string, topic: string, after: number, limit: number): Promise<readonly AnnouncedEvent[]>;
  /**
   * First every stream of the topic, then those that grew, as it happens, whichever process committed. A stream may come
   * more than once. Ends when the signal aborts.
   */
  streams(topic: string, signal: AbortSignal): AsyncIterable<readonly AnnouncedStream[]>;
}
