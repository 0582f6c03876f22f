import type { Clock } from '@slipway/storage/clock';
import { type Fence, hasRoom, type RecordStore, transact, type Transaction } from '@slipway/storage/records';

import { newEventId, type RandomBytes, sameRecord, toJson } from '../../../state/index.ts';
import { childrenOf, cycleThrough, parseRule } from '../composite/index.ts';
import { AlarmInRule, AlarmMissing, AlarmOfOtherKind, RuleGoesRound, TooManyAlarms } from './errors.ts';
import { alarmKeys, alarmsPartition } from './keys.ts';
import type { AlarmConfiguration, AlarmRecord, AlarmStanding, HistoryRecord } from './records.ts';
import { changeState, configurationItem, type Transition } from './transition.ts';

export interface AlarmPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Alarms of an account. AWS has no limit; all of them are in the memory of whoever evaluates. */
export const mostAlarms = 10_000;

/** Items of the history that are kept; the oldest go. */
export const mostHistory = 20_000;

/** Rows that are looked through at once. */
const batch = 1000;

/** The alarms of accounts, as records. Every change is one commit with its history, and with the actions that it brings about. */
export class Alarms {
  readonly #ports: AlarmPorts;

  constructor(ports: AlarmPorts) {
    this.#ports = ports;
  }

  async find(account: string, name: string): Promise<AlarmRecord | undefined> {
    const stored = await this.#ports.records.get<AlarmRecord>(alarmsPartition(account), alarmKeys.alarm(name));
    return stored?.value;
  }

  /** In the order of their names; those of a prefix, behind a name. */
  async *list(
    account: string,
    { prefix = '', after }: { readonly prefix?: string; readonly after?: string | undefined } = {},
  ) {
    const from = after === undefined ? undefined : alarmKeys.alarm(after);
    for (let place = from; ;) {
      const page = await this.#ports.records.list<AlarmRecord>(alarmsPartition(account), {
        prefix: alarmKeys.alarm(prefix),
        after: place,
        limit: batch,
      });
      for (const { value } of page.records) yield value;
      place = page.records.at(-1)?.key;
      if (!page.more || place === undefined) return;
    }
  }

  /** All alarms of an account by their names; at most {@link mostAlarms}. */
  async all(account: string): Promise<ReadonlyMap<string, AlarmRecord>> {
    const found = new Map<string, AlarmRecord>();
    for await (const alarm of this.list(account)) found.set(alarm.name, alarm);
    return found;
  }

  /** What is known of these alarms; those that do not exist are left out. */
  async states(account: string, names: readonly string[]): Promise<ReadonlyMap<string, AlarmRecord>> {
    const found = await Promise.all(names.map((name) => this.find(account, name)));
    return new Map(found.flatMap((alarm) => (alarm === undefined ? [] : [[alarm.name, alarm]])));
  }

  /**
   * Makes an alarm, or gives one that is there another configuration: its state and its tags stay.
   * @param tags of one that is made
   * @throws AlarmOfOtherKind, AlarmMissing (a rule names an alarm that is not there), RuleGoesRound, TooManyAlarms
   */
  async put(account: string, configuration: AlarmConfiguration, tags: Readonly<Record<string, string>>): Promise<void> {
    const { name, subject } = configuration;
    if (subject.kind === 'composite') checkChildren(name, subject.rule, await this.all(account));
    await this.#change(account, async (tx) => {
      const now = this.#ports.clock.now();
      const before = await tx.get<AlarmRecord>(alarmKeys.alarm(name));
      if (before === undefined && !(await hasRoom(tx, alarmKeys.alarms, mostAlarms)))
        throw new TooManyAlarms(mostAlarms);
      if (before !== undefined && before.subject.kind !== subject.kind) throw new AlarmOfOtherKind(name);
      const made: AlarmRecord = {
        state: 'INSUFFICIENT_DATA',
        reason: 'Unchecked: Initial alarm creation',
        tags,
        updatedAt: now,
        changedAt: now,
        ...(before === undefined ? {} : kept(before)),
        ...configuration,
        configuredAt: now,
      };
      tx.put(alarmKeys.alarm(name), toJson(made));
      return [configurationItem(made, before === undefined ? 'Created' : 'Updated', now)];
    });
  }

  /**
   * Deletes alarms, all or none.
   * @throws AlarmMissing, AlarmInRule (a composite alarm that stays names it)
   */
  async delete(account: string, names: readonly string[]): Promise<void> {
    const going = new Set(names);
    for (const [name, { subject }] of await this.all(account)) {
      if (going.has(name) || subject.kind !== 'composite') continue;
      const child = childrenOf(parseRule(subject.rule)).find((one) => going.has(one));
      if (child !== undefined) throw new AlarmInRule(child, name);
    }
    await this.#change(account, async (tx) => {
      const now = this.#ports.clock.now();
      const items: HistoryRecord[] = [];
      const missing: string[] = [];
      for (const name of going) {
        const alarm = await tx.get<AlarmRecord>(alarmKeys.alarm(name));
        if (alarm === undefined) missing.push(name);
        else items.push(configurationItem(alarm, 'Deleted', now));
        tx.remove(alarmKeys.alarm(name));
      }
      if (missing.length > 0) throw new AlarmMissing(missing);
      return items;
    });
  }

  /** Sets the state by hand: it is told as any other change, and stays until the next evaluation. @throws AlarmMissing */
  async setState(account: string, name: string, standing: AlarmStanding): Promise<void> {
    await transact(this.#ports.records, alarmsPartition(account), async (tx) => {
      const alarm = await tx.get<AlarmRecord>(alarmKeys.alarm(name));
      if (alarm === undefined) throw new AlarmMissing([name]);
      const now = this.#ports.clock.now();
      this.#write(tx, changeState({ ...alarm, setAt: now }, standing, now, this.newId));
    });
  }

  /** Changes what is not the subject of an alarm: whether it acts, its tags. @throws AlarmMissing */
  async amend(account: string, names: readonly string[], change: (alarm: AlarmRecord) => AlarmRecord): Promise<void> {
    await this.#change(account, async (tx) => {
      const now = this.#ports.clock.now();
      const items: HistoryRecord[] = [];
      for (const name of new Set(names)) {
        const alarm = await tx.get<AlarmRecord>(alarmKeys.alarm(name));
        if (alarm === undefined) throw new AlarmMissing([name]);
        const next = change(alarm);
        if (sameRecord(alarm, next)) continue;
        tx.put(alarmKeys.alarm(name), toJson(next));
        if (next.actionsEnabled !== alarm.actionsEnabled) items.push(configurationItem(next, 'Updated', now));
      }
      return items;
    });
  }

  /**
   * Writes what an evaluation found, under the fence of whoever evaluates, if the alarm is still as it was evaluated.
   * @returns the alarm as it was written; undefined when it is another one by now
   * @throws StaleEpoch
   */
  async evaluated(
    account: string,
    seen: AlarmRecord,
    standing: AlarmStanding & { readonly seen?: string },
    fence: Fence,
  ): Promise<AlarmRecord | undefined> {
    const key = alarmKeys.alarm(seen.name);
    return transact(
      this.#ports.records,
      alarmsPartition(account),
      async (tx) => {
        const alarm = await tx.get<AlarmRecord>(key);
        if (alarm === undefined || !sameRecord(alarm, seen)) return undefined;
        const children = standing.seen === undefined ? {} : { seen: standing.seen };
        const change = changeState(alarm, standing, this.#ports.clock.now(), this.newId);
        // One that stays as it is was not updated.
        const next = change.history.length === 0 ? { ...alarm, ...children } : { ...change.alarm, ...children };
        this.#write(tx, { ...change, alarm: next });
        return next;
      },
      { fence },
    );
  }

  readonly newId = (): string => newEventId(this.#ports.random);

  #write(tx: Transaction, { alarm, history, actions }: Transition): void {
    tx.put(alarmKeys.alarm(alarm.name), toJson(alarm));
    for (const item of history) tx.put(alarmKeys.historyItem(item.at, this.newId()), toJson(item));
    for (const action of actions) tx.put(alarmKeys.action(action.at, action.id), toJson(action));
  }

  /** One commit; work gives back what the history is to say of it. */
  #change(account: string, work: (tx: Transaction) => Promise<readonly HistoryRecord[]>): Promise<void> {
    return transact(this.#ports.records, alarmsPartition(account), async (tx) => {
      for (const item of await work(tx)) tx.put(alarmKeys.historyItem(item.at, this.newId()), toJson(item));
    });
  }
}

/** What another configuration of an alarm leaves as it is. Children that a rule named before are forgotten. */
function kept({ state, reason, reasonData, tags, updatedAt, changedAt, alarmedAt }: AlarmRecord): Partial<AlarmRecord> {
  return {
    state,
    reason,
    tags,
    updatedAt,
    changedAt,
    ...(reasonData === undefined ? {} : { reasonData }),
    ...(alarmedAt === undefined ? {} : { alarmedAt }),
  };
}

function checkChildren(name: string, rule: string, others: ReadonlyMap<string, AlarmRecord>): void {
  const children = childrenOf(parseRule(rule));
  const way = cycleThrough(name, children, (alarm) => {
    const subject = others.get(alarm)?.subject;
    return subject?.kind === 'composite' ? childrenOf(parseRule(subject.rule)) : [];
  });
  if (way !== undefined) throw new RuleGoesRound(way);
  const missing = children.filter((child) => !others.has(child));
  if (missing.length > 0) throw new AlarmMissing(missing);
}
