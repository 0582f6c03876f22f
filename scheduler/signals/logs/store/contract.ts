/**
 * What the log store promises. Times are milliseconds since the epoch. Every call names its account; accounts share nothing.
 * Any server on the same stores sees what another one acknowledged.
 */

/** What may be set on a group. */
export interface LogGroupSettings {
  /** Days after which events go; absent: never. */
  readonly retentionInDays?: number | undefined;
  readonly tags: { readonly [key: string]: string };
  readonly logGroupClass: 'STANDARD' | 'INFREQUENT_ACCESS' | 'DELIVERY';
  readonly kmsKeyId?: string | undefined;
  readonly deletionProtectionEnabled?: boolean | undefined;
}

export interface LogGroup extends LogGroupSettings {
  readonly name: string;
  /** Another one for each group that ever had the name: rows that belong to a group (filters) are best kept under it. */
  readonly id: string;
  readonly createdAt: number;
  /** Bytes of messages in segments, 26 added for each event; what the last seconds brought is not in it yet. */
  readonly storedBytes: number;
}

export interface LogStream {
  readonly name: string;
  readonly id: string;
  readonly createdAt: number;
  /** Absent while the stream is empty. They come with compaction: up to a minute late. */
  readonly firstEventAt?: number | undefined;
  readonly lastEventAt?: number | undefined;
  readonly lastIngestionAt?: number | undefined;
}

export interface NewLogEvent {
  /** A whole number, 0 to 9,999,999,999,999. */
  readonly timestamp: number;
  /** At most 1 MiB of UTF-8. */
  readonly message: string;
}

/** What one sender has for a stream, and may send again. */
export interface Shipment {
  /** The number of the first event among all that the sender has for the stream; the others have the next ones. 1 or more. */
  readonly first: number;
  /** Undefined: one that is left out; its number counts as taken. */
  readonly events: readonly (NewLogEvent | undefined)[];
  /** The sender's own words for where it goes on behind these events, up to 1 KiB. */
  readonly resume: string;
}

/** How far the sender of a stream has come: all up to here is durable. */
export interface ShippedMark {
  /** The number of the last event that was taken. */
  readonly last: number;
  readonly resume: string;
}

export interface LogEvent extends NewLogEvent {
  /**
   * 56 decimal digits, unique and forever the same. Compared as text, ids are in the order of (timestamp, ingestion, who took it in
   * and as which one): the order of every answer. An id is a position: `positionAt` gives one for a timestamp.
   */
  readonly id: string;
  readonly stream: string;
  readonly ingestionTime: number;
}

export interface TailedEvent extends LogEvent {
  readonly group: string;
}

/** A page of names: `limit` at most, after `after`, all that begin with `prefix`. */
export interface NamePage {
  readonly prefix?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface StreamPage {
  readonly limit: number;
  readonly descending?: boolean | undefined;
  /** Streams by name, or by their last event (empty streams as if at 0, equal ones by name). */
  readonly order: 'name' | 'lastEvent';
  /** With the order `name` only. */
  readonly prefix?: string | undefined;
  /** The last stream of the page before, as it was answered. */
  readonly after?: Pick<LogStream, 'name' | 'lastEventAt'> | undefined;
}

export interface ReadOptions {
  /** `forward`: the first events after `from`. `backward`: the last events before it. Events ascend in either case. */
  readonly direction: 'forward' | 'backward';
  /** A position, not part of the answer. Default: before the first event, or behind the last one. */
  readonly from?: string | undefined;
  /** Inclusive. */
  readonly start?: number | undefined;
  /** Exclusive. */
  readonly end?: number | undefined;
  readonly limit: number;
  /** Stops before the event whose message would take the page past so many bytes; the first one always fits. Default 1 MiB. */
  readonly bytes?: number | undefined;
}

export interface ReadPage {
  readonly events: readonly LogEvent[];
  /** Whether there is more in this direction now. */
  readonly more: boolean;
}

export interface ScanOptions {
  /** Streams by name; unknown ones are ignored. Default: all of the group. */
  readonly streams?: readonly string[] | undefined;
  /** Streams whose name begins with this. */
  readonly prefix?: string | undefined;
  /** Inclusive. */
  readonly start?: number | undefined;
  /** Exclusive. */
  readonly end?: number | undefined;
  /**
   * Texts that a message must hold, each of them, as they stand (case-sensitive, anywhere). Events without them are left out before
   * `matches` is asked, mostly without being read: words in them that are bounded on both sides (`"abc-12"` with its quotes has two)
   * are looked up in an index, and anything else is searched as bytes.
   */
  readonly terms?: readonly string[] | undefined;
  /** Asked for each event in question, in no particular order; must be quick. What it throws ends the scan. */
  readonly matches?: ((event: LogEvent) => boolean) | undefined;
  /** `next` of the page before; a position. */
  readonly after?: string | undefined;
  readonly limit: number;
  /** As for `read`. Default 1 MiB. */
  readonly bytes?: number | undefined;
  /** When a page ends though it is not full. Default 128 MiB of messages looked at, or 300 ms. A page always comes further. */
  readonly budget?: { readonly bytes: number; readonly milliseconds: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ScanPage {
  /** In the order of their ids, over all pages. */
  readonly events: readonly LogEvent[];
  /** Where to go on; absent when the range has been seen to its end. A page may be empty and have one. */
  readonly next?: string | undefined;
  readonly scanned: { readonly events: number; readonly bytes: number };
}

export interface TailedGroup {
  readonly group: string;
  /** Default: all. */
  readonly streams?: readonly string[] | undefined;
  readonly prefix?: string | undefined;
}

/** What was acknowledged since the last batch. */
export interface TailBatch {
  readonly events: readonly TailedEvent[];
  /** The reader was so slow, or the store away for so long, that some events passed by unseen. */
  readonly gap: boolean;
}

export interface LogStore {
  /** @throws LogGroupExists, LogNameTooLong */
  createGroup(account: string, name: string, settings: LogGroupSettings): Promise<LogGroup>;
  group(account: string, name: string): Promise<LogGroup | undefined>;
  /** In the order of their names' bytes. */
  groups(account: string, page: NamePage): Promise<{ readonly groups: readonly LogGroup[]; readonly more: boolean }>;
  /**
   * Reads, changes and writes settings as one; `change` may be called again. What it throws is thrown.
   * @throws LogGroupMissing
   */
  changeGroup(
    account: string,
    name: string,
    change: (settings: LogGroupSettings) => LogGroupSettings,
  ): Promise<LogGroup>;
  /**
   * Removes a group with its streams and events: nothing of it is answered any more, bytes go with the next sweeps.
   * @param check looks at the group as it is when it goes; what it throws keeps it
   * @throws LogGroupMissing
   */
  deleteGroup(account: string, name: string, check?: (group: LogGroup) => void): Promise<void>;

  /** @throws LogGroupMissing, LogStreamExists, LogNameTooLong */
  createStream(account: string, group: string, stream: string): Promise<LogStream>;
  /** @throws LogGroupMissing */
  stream(account: string, group: string, stream: string): Promise<LogStream | undefined>;
  /** @throws LogGroupMissing */
  streams(
    account: string,
    group: string,
    page: StreamPage,
  ): Promise<{ readonly streams: readonly LogStream[]; readonly more: boolean }>;
  /** @throws LogGroupMissing, LogStreamMissing */
  deleteStream(account: string, group: string, stream: string): Promise<void>;

  /**
   * Takes events in. When it resolves they are durable, readable on every server, and on their way to followers; all of them, or none
   * when it throws (an unknown outcome of the record store aside: then all or none). Which times are too old or too new is the caller's
   * to decide.
   * @throws LogGroupMissing, LogStreamMissing
   * @throws LogsThrottled when the group is over its rate, or more waits to be written than memory is given for; nothing was taken
   * @throws RangeError for a timestamp or a message out of bounds
   */
  put(account: string, group: string, stream: string, events: readonly NewLogEvent[]): Promise<void>;
  /**
   * Takes in what one sender has for a stream, each event once however often it comes: the number of the last one is committed with
   * the events, and those up to it are left out. Resolves as `put` does; after an error it is not known what was taken, and sending
   * the same again is right.
   * @returns how far the stream is; undefined while nothing was shipped to it
   * @throws what `put` throws
   */
  ship(account: string, group: string, stream: string, shipment: Shipment): Promise<ShippedMark | undefined>;
  /** @throws LogGroupMissing, LogStreamMissing */
  shipped(account: string, group: string, stream: string): Promise<ShippedMark | undefined>;
  /**
   * Events of one stream from a position on.
   * @throws LogGroupMissing, LogStreamMissing, LogsDamaged
   */
  read(account: string, group: string, stream: string, options: ReadOptions): Promise<ReadPage>;
  /**
   * Events of a group that match, page by page.
   * @throws LogGroupMissing, LogsDamaged
   */
  scan(account: string, group: string, options: ScanOptions): Promise<ScanPage>;
  /**
   * Follows groups (those that do not exist yet as well) from now on, on every server: batches as they are acknowledged, each event
   * once. Ends when the signal aborts. A reader that does not ask holds nothing but its place.
   */
  tail(account: string, groups: readonly TailedGroup[], signal: AbortSignal): AsyncIterable<TailBatch>;
}

export class LogGroupMissing extends Error {
  override readonly name = 'LogGroupMissing';
  constructor(group: string) {
    super(`log group ${group} does not exist`);
  }
}

export class LogGroupExists extends Error {
  override readonly name = 'LogGroupExists';
  constructor(group: string) {
    super(`log group ${group} already exists`);
  }
}

export class LogStreamMissing extends Error {
  override readonly name = 'LogStreamMissing';
  constructor(group: string, stream: string) {
    super(`log group ${group} has no stream ${stream}`);
  }
}

export class LogStreamExists extends Error {
  override readonly name = 'LogStreamExists';
  constructor(group: string, stream: string) {
    super(`log group ${group} already has a stream ${stream}`);
  }
}

/** Names are parts of keys: one may have at most `nameBytes` bytes of UTF-8. There is no group or stream of such a name. */
export class LogNameTooLong extends Error {
  override readonly name = 'LogNameTooLong';
  constructor(what: string) {
    super(`the name of a ${what} may have at most ${nameBytes} bytes of UTF-8`);
  }
}

export const nameBytes = 900;

/** Nothing was taken; the same call may succeed after `retryAfter` milliseconds. */
export class LogsThrottled extends Error {
  override readonly name = 'LogsThrottled';
  readonly retryAfter: number;
  constructor(message: string, retryAfter: number) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Stored bytes are not what was stored. `slipway storage audit` names everything that is damaged. */
export class LogsDamaged extends Error {
  override readonly name: string = 'LogsDamaged';
}

/** What was stored has a format of a newer Slipway, of which a server writes into the same store: it is not damaged, but cannot be read here. */
export class LogsTooNew extends LogsDamaged {
  override readonly name = 'LogsTooNew';
}

/** The position before every event of a time. */
export function positionAt(timestamp: number): string {
  return String(timestamp).padStart(timeDigits, '0').padEnd(idDigits, '0');
}

/** The digits of an id that are its timestamp. */
export const timeDigits = 14;
export const idDigits = 56;

/** Whether a text is a position; for those that come from outside. */
export function isPosition(text: string): boolean {
  return /^0\d{55}$/.test(text);
}
