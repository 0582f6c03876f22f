import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { project, type RecordChange, type RecordStore, scan } from '@slipway/storage/records';

import type { AlarmState } from '../evaluation/index.ts';
import { alarmKeys, alarmsPartition } from './keys.ts';
import type { AlarmRecord } from './records.ts';

/** How an alarm stands. */
export interface FollowedAlarm {
  readonly state: AlarmState;
  /** When it last went into ALARM, whatever it is by now; milliseconds since the epoch. */
  readonly alarmedAt?: number;
  /** Milliseconds that it looks back over; 0 for composite alarms. */
  readonly span: number;
}

/** Milliseconds before the alarms of an account are read anew after the store failed. */
const retryAfter = 500;

interface Followed {
  readonly alarms: Map<string, FollowedAlarm>;
  isLoaded: boolean;
}

/** How the alarms of accounts stand, in memory and as of now: read when somebody first asks, and followed from then on. */
export class FollowedAlarms {
  readonly #ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log };
  readonly #accounts = new Map<string, Followed>();
  readonly #listeners = new Set<{ readonly account: string; readonly changed: () => void }>();
  readonly #following: Promise<void>[] = [];
  readonly #stop = new AbortController();

  constructor(ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log }) {
    this.#ports = ports;
  }

  /** By name. Undefined while that is not known, which {@link listen} tells the end of. */
  of(account: string): ReadonlyMap<string, FollowedAlarm> | undefined {
    const known = this.#accounts.get(account);
    if (known !== undefined) return known.isLoaded ? known.alarms : undefined;
    const followed: Followed = { alarms: new Map(), isLoaded: false };
    this.#accounts.set(account, followed);
    this.#following.push(this.#follow(account, followed));
    return undefined;
  }

  /** Calls back when an alarm of the account changed, or its alarms became known. @returns ends that */
  listen(account: string, changed: () => void): () => void {
    const listener = { account, changed };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#following);
  }

  #follow(account: string, followed: Followed): Promise<void> {
    const { records, clock, log } = this.#ports;
    const partition = alarmsPartition(account);
    const { alarms } = followed;
    const tell = (): void => {
      for (const listener of this.#listeners) if (listener.account === account) listener.changed();
    };
    const load = async (): Promise<void> => {
      const found = new Map<string, FollowedAlarm>();
      for await (const { value } of scan<AlarmRecord>(records, partition, { prefix: alarmKeys.alarms }))
        found.set(value.name, standingOf(value));
      alarms.clear();
      for (const [name, alarm] of found) alarms.set(name, alarm);
      followed.isLoaded = true;
      tell();
    };
    const apply = (changes: readonly RecordChange[]): void => {
      const own = changes.filter(({ key }) => key.startsWith(alarmKeys.alarms));
      for (const change of own) {
        const name = change.key.slice(alarmKeys.alarms.length);
        if (change.kind === 'put') alarms.set(name, standingOf(change.value as unknown as AlarmRecord));
        else alarms.delete(name);
      }
      if (own.length > 0) tell();
    };
    const interrupted = (err: unknown): void => log.warn({ account, err }, 'cannot follow the alarms; trying again');
    return project(records, partition, { load, apply, interrupted, retryAfter }, { clock, signal: this.#stop.signal });
  }
}

function standingOf({ state, alarmedAt, subject }: AlarmRecord): FollowedAlarm {
  const rule = subject.kind === 'metric' ? subject.rule : undefined;
  const span = rule === undefined ? 0 : rule.period * rule.evaluationPeriods * 1000;
  return { state, span, ...(alarmedAt === undefined ? {} : { alarmedAt }) };
}
