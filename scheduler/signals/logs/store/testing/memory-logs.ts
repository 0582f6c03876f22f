import { Bell, settledOrAborted } from '@slipway/storage/records';
import { checkEvents, checkName } from '../checks.ts';
import {
  type LogEvent,
  type LogGroup,
  LogGroupExists,
  LogGroupMissing,
  type LogGroupSettings,
  type LogStore,
  type LogStream,
  LogStreamExists,
  LogStreamMissing,
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
  type TailedEvent,
  type TailedGroup,
} from '../contract.ts';
import { eventId } from '../ids.ts';

interface Stream {
  readonly info: LogStream;
  readonly events: LogEvent[];
  mark?: ShippedMark | undefined;
}

interface Group {
  info: LogGroup;
  readonly streams: Map<string, Stream>;
}

/** The log store as one list in memory, without limits or budgets: what the real one is held against, and fast in tests. */
export class MemoryLogs implements LogStore {
  readonly #now: () => number;
  readonly #accounts = new Map<string, Map<string, Group>>();
  readonly #taken: (TailedEvent & { readonly account: string })[] = [];
  readonly #followers = new Set<Bell>();
  #ids = 0;
  #sequence = 0;

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  createGroup(account: string, name: string, settings: LogGroupSettings): Promise<LogGroup> {
    return answer(() => {
      checkName('log group', name);
      const groups = this.#accounts.get(account) ?? new Map<string, Group>();
      if (groups.has(name)) throw new LogGroupExists(name);
      const info = { ...settings, name, id: String(++this.#ids), createdAt: this.#now(), storedBytes: 0 };
      groups.set(name, { info, streams: new Map() });
      this.#accounts.set(account, groups);
      return info;
    });
  }

  group(account: string, name: string): Promise<LogGroup | undefined> {
    return answer(() => this.#find(account, name)?.info);
  }

  groups(account: string, page: NamePage): Promise<{ readonly groups: readonly LogGroup[]; readonly more: boolean }> {
    return answer(() => {
      const all = [...(this.#accounts.get(account)?.values() ?? [])].map(({ info }) => info);
      const { names, more } = pageOf(all, page);
      return { groups: names, more };
    });
  }

  changeGroup(
    account: string,
    name: string,
    change: (settings: LogGroupSettings) => LogGroupSettings,
  ): Promise<LogGroup> {
    return answer(() => {
      const group = this.#group(account, name);
      const { id, createdAt, storedBytes, name: _name, ...settings } = group.info;
      group.info = { ...change(settings), name, id, createdAt, storedBytes };
      return group.info;
    });
  }

  deleteGroup(account: string, name: string, check?: (group: LogGroup) => void): Promise<void> {
    return answer(() => {
      const { info } = this.#group(account, name);
      check?.(info);
      this.#accounts.get(account)?.delete(name);
    });
  }

  createStream(account: string, group: string, name: string): Promise<LogStream> {
    return answer(() => {
      checkName('log stream', name);
      const { streams } = this.#group(account, group);
      if (streams.has(name)) throw new LogStreamExists(group, name);
      const info = { name, id: String(++this.#ids), createdAt: this.#now() };
      streams.set(name, { info, events: [] });
      return info;
    });
  }

  stream(account: string, group: string, name: string): Promise<LogStream | undefined> {
    return answer(() => {
      const stream = this.#group(account, group).streams.get(name);
      return stream && described(stream);
    });
  }

  streams(
    account: string,
    group: string,
    page: StreamPage,
  ): Promise<{ readonly streams: readonly LogStream[]; readonly more: boolean }> {
    return answer(() => {
      const order = (one: Place, other: Place): number =>
        (page.descending ? -1 : 1) *
        ((page.order === 'lastEvent' ? (one.lastEventAt ?? 0) - (other.lastEventAt ?? 0) : 0) ||
          byName(one.name, other.name));
      const all = [...this.#group(account, group).streams.values()].map(described).toSorted(order);
      const found = all.filter(
        (stream) =>
          stream.name.startsWith(page.prefix ?? '') && (page.after === undefined || order(page.after, stream) < 0),
      );
      return { streams: found.slice(0, page.limit), more: found.length > page.limit };
    });
  }

  deleteStream(account: string, group: string, name: string): Promise<void> {
    return answer(() => {
      if (!this.#group(account, group).streams.delete(name)) throw new LogStreamMissing(group, name);
    });
  }

  put(account: string, group: string, stream: string, events: readonly NewLogEvent[]): Promise<void> {
    return answer(() => {
      checkEvents(events);
      const { events: stored } = this.#stream(account, group, stream);
      const ingestionTime = this.#now();
      for (const { timestamp, message } of events) {
        const id = eventId(timestamp, ingestionTime, 0, ++this.#sequence);
        const event = { id, stream, timestamp, ingestionTime, message };
        stored.push(event);
        this.#taken.push({ ...event, account, group });
      }
      stored.sort(byId);
      for (const follower of this.#followers) follower.ring();
    });
  }

  async ship(account: string, group: string, stream: string, { first, events, resume }: Shipment) {
    const found = this.#stream(account, group, stream);
    const sent = events.slice(Math.max(0, (found.mark?.last ?? 0) - first + 1));
    if (sent.length === 0) return found.mark;
    const mark = { last: first + events.length - 1, resume };
    const rest = sent.filter((event) => event !== undefined);
    if (rest.length === 0) return mark;
    found.mark = mark;
    await this.put(account, group, stream, rest);
    return mark;
  }

  shipped(account: string, group: string, stream: string): Promise<ShippedMark | undefined> {
    return answer(() => this.#stream(account, group, stream).mark);
  }

  read(account: string, group: string, stream: string, options: ReadOptions): Promise<ReadPage> {
    return answer(() => {
      const { direction, from, limit, bytes = 1024 * 1024 } = options;
      const forward = direction === 'forward';
      const events = this.#stream(account, group, stream).events.filter(
        (event) => within(event, options) && (from === undefined || (forward ? event.id > from : event.id < from)),
      );
      const page = fill(forward ? events : events.toReversed(), limit, bytes);
      return { events: forward ? page : page.toReversed(), more: page.length < events.length };
    });
  }

  scan(account: string, group: string, options: ScanOptions): Promise<ScanPage> {
    return answer(() => {
      const { after = positionAt(0), limit, bytes = 1024 * 1024, terms = [], matches = () => true } = options;
      options.signal?.throwIfAborted();
      const all = [...this.#group(account, group).streams.values()].flatMap(({ info, events }) =>
        isWanted(info.name, options) ? events : [],
      );
      const looked = all.filter((event) => event.id > after && within(event, options)).toSorted(byId);
      const found = looked.filter((event) => terms.every((term) => event.message.includes(term)) && matches(event));
      const page = fill(found, limit, bytes);
      const next = page.length < found.length ? page.at(-1)?.id : undefined;
      const size = looked.reduce((sum, { message }) => sum + Buffer.byteLength(message), 0);
      return { events: page, next, scanned: { events: looked.length, bytes: size } };
    });
  }

  async *tail(account: string, groups: readonly TailedGroup[], signal: AbortSignal): AsyncGenerator<TailBatch> {
    const bell = new Bell();
    this.#followers.add(bell);
    let at = this.#taken.length;
    try {
      while (!signal.aborted) {
        const ring = bell.next();
        const events = this.#taken
          .slice(at)
          .filter(
            (event) =>
              event.account === account &&
              groups.some((wanted) => wanted.group === event.group && isWanted(event.stream, wanted)),
          );
        at = this.#taken.length;
        if (events.length > 0) yield { events: events.map(({ account: _account, ...event }) => event), gap: false };
        else await settledOrAborted(ring, signal);
      }
    } finally {
      this.#followers.delete(bell);
    }
  }

  #find(account: string, name: string): Group | undefined {
    return this.#accounts.get(account)?.get(name);
  }

  #group(account: string, name: string): Group {
    const group = this.#find(account, name);
    if (group === undefined) throw new LogGroupMissing(name);
    return group;
  }

  #stream(account: string, group: string, name: string): Stream {
    const stream = this.#group(account, group).streams.get(name);
    if (stream === undefined) throw new LogStreamMissing(group, name);
    return stream;
  }
}

type Place = Pick<LogStream, 'name' | 'lastEventAt'>;

function described({ info, events }: Stream): LogStream {
  if (events.length === 0) return info;
  const lastIngestionAt = Math.max(...events.map(({ ingestionTime }) => ingestionTime));
  return { ...info, firstEventAt: events[0]?.timestamp, lastEventAt: events.at(-1)?.timestamp, lastIngestionAt };
}

function pageOf<T extends { readonly name: string }>(all: readonly T[], { prefix = '', after, limit }: NamePage) {
  const found = all
    .filter(({ name }) => name.startsWith(prefix) && (after === undefined || byName(name, after) > 0))
    .toSorted((one, other) => byName(one.name, other.name));
  return { names: found.slice(0, limit), more: found.length > limit };
}

/** As many of the first events as fit, at least one. */
function fill(events: readonly LogEvent[], limit: number, bytes: number): readonly LogEvent[] {
  let size = 0;
  const over = events.findIndex(({ message }, index) => {
    size += Buffer.byteLength(message);
    return index >= limit || (index > 0 && size > bytes);
  });
  return over === -1 ? events : events.slice(0, over);
}

function within({ timestamp }: LogEvent, { start = 0, end = Infinity }: Pick<ReadOptions, 'start' | 'end'>): boolean {
  return timestamp >= start && timestamp < end;
}

function isWanted(stream: string, { streams, prefix = '' }: Omit<TailedGroup, 'group'>): boolean {
  return stream.startsWith(prefix) && (streams === undefined || streams.includes(stream));
}

const byName = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));
const byId = (one: LogEvent, other: LogEvent): number => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0);

async function answer<T>(work: () => T): Promise<T> {
  return work();
}
