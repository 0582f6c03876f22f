import type { Log } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import { RateLimiter } from '@slipway/auth/rates';
import type { Sealer } from '@slipway/auth/tokens';
import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';
import type { RandomBytes } from '../../../state/index.ts';
import type { CountsPorts } from '../filters/index.ts';
import type { DeliveryNumbers } from '../subscriptions/index.ts';
import { checkEvents } from './checks.ts';
import { collect, type Collected, type Wanted } from './collect.ts';
import { type CompactionLimits, compactionLimits } from './compaction.ts';
import {
  type LogGroup,
  type LogGroupSettings,
  LogsDamaged,
  type LogStore,
  type LogStream,
  LogsThrottled,
  type NamePage,
  type NewLogEvent,
  positionAt,
  type ReadOptions,
  type ReadPage,
  type ScanOptions,
  type ScanPage,
  type Shipment,
  type ShippedMark,
  type StreamPage,
  type TailBatch,
  type TailedGroup,
} from './contract.ts';
import { Directory } from './directory.ts';
import { EventBlobs, isGone } from './event-blobs.ts';
import type { FileStream } from './event-file.ts';
import { deadStreams, filesOf } from './files.ts';
import { timestampOf, writerDigits } from './ids.ts';
import { Intake, type IntakeLimits, intakeLimits, Waiting } from './intake.ts';
import { Keeper } from './keeper.ts';
import { Shipping } from './shipping.ts';
import { tailed } from './tail.ts';

export interface LogsPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** Takes what metric filters count. */
  readonly metrics: CountsPorts['metrics'];
  /** Calls receivers of subscription filters, and opens what the calls are signed with. */
  readonly outbound: Pick<Outbound, 'fetch'>;
  readonly sealer: Sealer;
}

export interface LogStoreOptions {
  /** Bytes on disk that the logs of all accounts may take; beyond them the oldest of the largest group go. Asked every few seconds. */
  readonly maxBytes: () => number;
  /** Bytes a second that one group may bring to one server, saved up for two seconds. Default 10 MiB. */
  readonly groupRate?: number | undefined;
  readonly intake?: Partial<IntakeLimits> | undefined;
  readonly compaction?: Partial<CompactionLimits> | undefined;
}

/** Behind every event. */
const end = 9_999_999_999_999 + 1;
const pageBytes = 1024 * 1024;
const budget = { bytes: 128 * 1024 * 1024, milliseconds: 300 };

/** Logs on blobs and records. Nothing runs before it is used; `keep` does the upkeep. */
export class StoredLogs implements LogStore {
  readonly keeper: Keeper;
  readonly #ports: LogsPorts;
  readonly #blobs: EventBlobs;
  readonly #directory: Directory;
  readonly #rates: RateLimiter;
  readonly #intakeLimits: IntakeLimits;
  readonly #waiting: Waiting;
  readonly #intakes = new Map<string, Intake>();
  readonly #writer: number;
  readonly #shipping: Shipping;

  constructor(ports: LogsPorts, options: LogStoreOptions) {
    this.#ports = ports;
    this.#blobs = new EventBlobs(ports.blobs);
    this.#directory = new Directory(ports);
    const perSecond = options.groupRate ?? 10 * 1024 * 1024;
    this.#rates = new RateLimiter({ perSecond, burst: 2 * perSecond }, ports.clock);
    this.#intakeLimits = { ...intakeLimits, ...options.intake };
    this.#waiting = new Waiting(this.#intakeLimits.waitingBytes);
    this.#writer = Buffer.from(ports.random(6)).readUIntBE(0, 6) % 10 ** writerDigits;
    this.#shipping = new Shipping(ports.records, (account) => this.#intake(account));
    this.keeper = new Keeper({ ...ports, limit: options.maxBytes }, this.#blobs, {
      ...compactionLimits,
      ...options.compaction,
    });
  }

  createGroup(account: string, name: string, settings: LogGroupSettings): Promise<LogGroup> {
    return this.#directory.createGroup(account, name, settings);
  }

  group(account: string, name: string): Promise<LogGroup | undefined> {
    return this.#directory.group(account, name);
  }

  groups(account: string, page: NamePage): Promise<{ readonly groups: readonly LogGroup[]; readonly more: boolean }> {
    return this.#directory.groups(account, page);
  }

  changeGroup(
    account: string,
    name: string,
    change: (settings: LogGroupSettings) => LogGroupSettings,
  ): Promise<LogGroup> {
    return this.#directory.changeGroup(account, name, change);
  }

  deleteGroup(account: string, name: string, check?: (group: LogGroup) => void): Promise<void> {
    return this.#directory.deleteGroup(account, name, check);
  }

  createStream(account: string, group: string, stream: string): Promise<LogStream> {
    return this.#directory.createStream(account, group, stream);
  }

  stream(account: string, group: string, stream: string): Promise<LogStream | undefined> {
    return this.#directory.stream(account, group, stream);
  }

  streams(
    account: string,
    group: string,
    page: StreamPage,
  ): Promise<{ readonly streams: readonly LogStream[]; readonly more: boolean }> {
    return this.#directory.streams(account, group, page);
  }

  deleteStream(account: string, group: string, stream: string): Promise<void> {
    return this.#directory.deleteStream(account, group, stream);
  }

  async put(account: string, group: string, stream: string, events: readonly NewLogEvent[]): Promise<void> {
    const bytes = checkEvents(events);
    const found = await this.#directory.knownStream(account, group, stream);
    if (events.length === 0) return;
    const wait = this.#rates.spend(found.group, bytes);
    if (wait > 0) throw new LogsThrottled(`log group ${group} gets more than one group may bring to this server`, wait);
    const taken = events.map(({ timestamp, message }) => ({ timestamp, message: Buffer.from(message) }));
    await this.#intake(account).take(found, taken, bytes);
  }

  async ship(account: string, group: string, stream: string, shipment: Shipment): Promise<ShippedMark | undefined> {
    const bytes = checkEvents(shipment.events.filter((event) => event !== undefined));
    const found = await this.#directory.knownStream(account, group, stream);
    if (bytes > 0) {
      const wait = this.#rates.spend(found.group, bytes);
      if (wait > 0)
        throw new LogsThrottled(`log group ${group} gets more than one group may bring to this server`, wait);
    }
    return this.#shipping.ship(account, found, shipment);
  }

  async shipped(account: string, group: string, stream: string): Promise<ShippedMark | undefined> {
    return (await this.#shipping.mark(account, await this.#directory.knownStream(account, group, stream)))?.value;
  }

  async read(account: string, group: string, stream: string, options: ReadOptions): Promise<ReadPage> {
    const { direction, from, limit, bytes = pageBytes } = options;
    const found = await this.#directory.knownStream(account, group, stream);
    const forward = direction === 'forward';
    const page = await this.#collect(account, found.group, {
      isStream: ({ id }) => id === found.id,
      ...range(options, forward ? from : undefined, forward ? undefined : from),
      forward,
      limit,
      bytes,
      terms: [],
      matches: undefined,
    });
    return { events: forward ? page.events : page.events.toReversed(), more: page.next !== undefined };
  }

  async scan(account: string, group: string, options: ScanOptions): Promise<ScanPage> {
    const { id } = await this.#directory.known(account, group);
    const dead = await deadStreams(this.#ports.records, account, id);
    const names = options.streams && new Set(options.streams);
    const prefix = options.prefix ?? '';
    return this.#collect(account, id, {
      isStream: (stream: FileStream) =>
        stream.group === id &&
        stream.name.startsWith(prefix) &&
        (names?.has(stream.name) ?? true) &&
        !dead.has(stream.id),
      ...range(options, options.after, undefined),
      forward: true,
      limit: options.limit,
      bytes: options.bytes ?? pageBytes,
      terms: (options.terms ?? []).filter((term) => term !== ''),
      matches: options.matches,
      budget: options.budget ?? budget,
      signal: options.signal,
    });
  }

  tail(account: string, groups: readonly TailedGroup[], signal: AbortSignal): AsyncIterable<TailBatch> {
    return tailed(this.#ports, this.#blobs, account, groups, signal);
  }

  /** Compacts and lets go of what is over, on one server at a time, until the signal aborts. It never rejects. */
  keep(signal: AbortSignal): Promise<void> {
    return this.keeper.run(signal);
  }

  /** See {@link Keeper.room}. */
  room(): { readonly stored: number; readonly limit: number } | undefined {
    return this.keeper.room();
  }

  /** What this process did for subscription filters. */
  get deliveries(): DeliveryNumbers {
    return this.keeper.deliveries;
  }

  /** Writes what was taken in, and ends. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#intakes.values(), (intake) => intake.close()));
  }

  async #collect(account: string, group: string, wanted: Wanted): Promise<Collected> {
    const span = { start: timestampOf(wanted.after), end: Math.min(end, timestampOf(wanted.before) + 1) };
    for (let attempt = 1; ; attempt++) {
      try {
        const files = await filesOf(this.#ports.records, account, group, span);
        return await collect(this.#blobs, this.#ports.clock, files, wanted);
      } catch (error) {
        if (!isGone(error)) throw error;
        // It was compacted while this was reading; what is missing again and again is lost.
        if (attempt >= 3)
          throw new LogsDamaged(`log events are missing: ${(error as Error).message}`, { cause: error });
      }
    }
  }

  #intake(account: string): Intake {
    const known = this.#intakes.get(account);
    if (known !== undefined) return known;
    const intake = new Intake(account, this.#ports, this.#blobs, this.#writer, this.#intakeLimits, this.#waiting);
    this.#intakes.set(account, intake);
    return intake;
  }
}

/** The ids between which events lie. */
function range(
  { start = 0, end: until = end }: Pick<ReadOptions, 'start' | 'end'>,
  after: string | undefined,
  before: string | undefined,
): Pick<Wanted, 'after' | 'before'> {
  const low = positionAt(Math.min(end, Math.max(0, Math.ceil(start))));
  const high = positionAt(Math.min(end, Math.max(0, Math.ceil(until))));
  return {
    after: after === undefined || after < low ? low : after,
    before: before === undefined || before > high ? high : before,
  };
}
