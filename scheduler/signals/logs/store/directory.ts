import { type Json, type RecordStore, scan, type Stored, transact } from '@slipway/storage/records';
import type { Clock } from '@slipway/storage/clock';
import { type RandomBytes } from '../../../state/index.ts';
import { checkName, isTooLong } from './checks.ts';
import {
  type LogGroup,
  LogGroupExists,
  LogGroupMissing,
  type LogGroupSettings,
  type LogStream,
  LogStreamExists,
  LogStreamMissing,
  type NamePage,
  type StreamPage,
} from './contract.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { DeadRecord, GroupRecord, SeenRecord, StreamRecord, UsageRecord } from './records.ts';

export interface DirectoryPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Streams that are sorted by their last event are read in pages of this many. */
const streamPage = 1000;

/** Groups and streams, as records. */
export class Directory {
  readonly #ports: DirectoryPorts;

  constructor(ports: DirectoryPorts) {
    this.#ports = ports;
  }

  async createGroup(account: string, name: string, settings: LogGroupSettings): Promise<LogGroup> {
    checkName('log group', name);
    const record: GroupRecord = { ...settings, id: this.#newId(), createdAt: this.#ports.clock.now() };
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      if ((await tx.get(logKeys.group(name))) !== undefined) throw new LogGroupExists(name);
      tx.put(logKeys.group(name), json(record));
    });
    return { ...record, name, storedBytes: 0 };
  }

  async group(account: string, name: string): Promise<LogGroup | undefined> {
    if (isTooLong(name)) return undefined;
    const found = await this.#ports.records.get<GroupRecord>(logsPartition(account), logKeys.group(name));
    return found && (await this.#described(account, [found]))[0];
  }

  /** @throws LogGroupMissing */
  async known(account: string, name: string): Promise<GroupRecord> {
    if (isTooLong(name)) throw new LogGroupMissing(name);
    const found = await this.#ports.records.get<GroupRecord>(logsPartition(account), logKeys.group(name));
    if (found === undefined) throw new LogGroupMissing(name);
    return found.value;
  }

  async groups(account: string, { prefix = '', after, limit }: NamePage) {
    const page = await this.#ports.records.list<GroupRecord>(logsPartition(account), {
      prefix: logKeys.group(prefix),
      after: after === undefined ? undefined : logKeys.group(after),
      limit,
    });
    return { groups: await this.#described(account, page.records), more: page.more };
  }

  async changeGroup(account: string, name: string, change: (settings: LogGroupSettings) => LogGroupSettings) {
    await this.known(account, name);
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      const record = await tx.get<GroupRecord>(logKeys.group(name));
      if (record === undefined) throw new LogGroupMissing(name);
      const { id, createdAt, ...settings } = record;
      tx.put(logKeys.group(name), json({ ...change(settings), id, createdAt }));
    });
    const group = await this.group(account, name);
    if (group === undefined) throw new LogGroupMissing(name);
    return group;
  }

  async deleteGroup(account: string, name: string, check?: (group: LogGroup) => void): Promise<void> {
    await this.known(account, name);
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      const record = await tx.get<GroupRecord>(logKeys.group(name));
      if (record === undefined) throw new LogGroupMissing(name);
      const usage = await tx.peek<UsageRecord>(logKeys.usage(record.id));
      check?.({ ...record, name, storedBytes: usage?.value.bytes ?? 0 });
      tx.remove(logKeys.group(name));
      const deletion: DeadRecord = { at: this.#ports.clock.now() };
      tx.put(logKeys.deletion(record.id), { ...deletion });
    });
  }

  async createStream(account: string, group: string, name: string): Promise<LogStream> {
    checkName('log stream', name);
    const record: StreamRecord = { id: this.#newId(), createdAt: this.#ports.clock.now() };
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      // Without a condition on the version of the group: what is created beside its deletion goes with what it had.
      const found = await tx.peek<GroupRecord>(logKeys.group(group));
      if (found === undefined) throw new LogGroupMissing(group);
      tx.require({ key: logKeys.group(group), exists: true });
      const key = logKeys.stream(found.value.id, name);
      if ((await tx.get(key)) !== undefined) throw new LogStreamExists(group, name);
      tx.put(key, { ...record });
    });
    return { ...record, name };
  }

  async stream(account: string, group: string, name: string): Promise<LogStream | undefined> {
    const { id } = await this.known(account, group);
    if (isTooLong(name)) return undefined;
    const found = await this.#ports.records.get<StreamRecord>(logsPartition(account), logKeys.stream(id, name));
    return found && (await this.#streams(account, id, [found]))[0];
  }

  /** What `put` and `read` need of a stream. @throws LogGroupMissing, LogStreamMissing */
  async knownStream(
    account: string,
    group: string,
    name: string,
  ): Promise<{ readonly group: string; readonly id: string; readonly name: string }> {
    const { id } = await this.known(account, group);
    if (isTooLong(name)) throw new LogStreamMissing(group, name);
    const found = await this.#ports.records.get<StreamRecord>(logsPartition(account), logKeys.stream(id, name));
    if (found === undefined) throw new LogStreamMissing(group, name);
    return { group: id, id: found.value.id, name };
  }

  async streams(account: string, group: string, page: StreamPage) {
    const { id } = await this.known(account, group);
    if (page.order === 'name' && !page.descending) {
      const found = await this.#ports.records.list<StreamRecord>(logsPartition(account), {
        prefix: logKeys.stream(id, page.prefix ?? ''),
        after: page.after && logKeys.stream(id, page.after.name),
        limit: page.limit,
      });
      return { streams: await this.#streams(account, id, found.records), more: found.more };
    }
    return this.#sorted(account, id, page);
  }

  /** Reads all streams of the group, and keeps one more than are asked for. */
  async #sorted(account: string, id: string, { order, descending, prefix = '', after, limit }: StreamPage) {
    const compare = (one: Pick<LogStream, 'name' | 'lastEventAt'>, other: Pick<LogStream, 'name' | 'lastEventAt'>) =>
      (descending ? -1 : 1) *
      ((order === 'lastEvent' ? (one.lastEventAt ?? 0) - (other.lastEventAt ?? 0) : 0) ||
        Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)));
    let kept: LogStream[] = [];
    let batch: Stored<StreamRecord>[] = [];
    const settle = async (): Promise<void> => {
      const found = await this.#streams(account, id, batch);
      batch = [];
      kept.push(...found.filter((stream) => after === undefined || compare(after, stream) < 0));
      kept = kept.toSorted(compare).slice(0, limit + 1);
    };
    const { records } = this.#ports;
    for await (const stored of scan<StreamRecord>(records, logsPartition(account), {
      prefix: logKeys.stream(id, prefix),
    })) {
      batch.push(stored);
      if (batch.length >= streamPage) await settle();
    }
    await settle();
    return { streams: kept.slice(0, limit), more: kept.length > limit };
  }

  async deleteStream(account: string, group: string, name: string): Promise<void> {
    const { group: id } = await this.knownStream(account, group, name);
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      const record = await tx.get<StreamRecord>(logKeys.stream(id, name));
      if (record === undefined) throw new LogStreamMissing(group, name);
      tx.remove(logKeys.stream(id, name));
      const dead: DeadRecord = { at: this.#ports.clock.now() };
      tx.put(logKeys.dead(id, record.id), { ...dead });
    });
  }

  async #described(account: string, found: readonly Stored<GroupRecord>[]): Promise<LogGroup[]> {
    const usage = await this.#ports.records.getMany<UsageRecord>(
      logsPartition(account),
      found.map(({ value }) => logKeys.usage(value.id)),
    );
    return found.map(({ key, value }) => ({
      ...value,
      name: key.slice(logKeys.groups.length),
      storedBytes: usage.get(logKeys.usage(value.id))?.value.bytes ?? 0,
    }));
  }

  async #streams(account: string, group: string, found: readonly Stored<StreamRecord>[]): Promise<LogStream[]> {
    const seen = await this.#ports.records.getMany<SeenRecord>(
      logsPartition(account),
      found.map(({ value }) => logKeys.seen(group, value.id)),
    );
    return found.map(({ key, value }) => {
      const when = seen.get(logKeys.seen(group, value.id))?.value;
      const name = key.slice(logKeys.streamsOf(group).length);
      return {
        ...value,
        name,
        ...(when && { firstEventAt: when.first, lastEventAt: when.last, lastIngestionAt: when.ingested }),
      };
    });
  }

  #newId(): string {
    return Buffer.from(this.#ports.random(8)).toString('hex');
  }
}

const json = (record: GroupRecord): Json => ({ ...record });
