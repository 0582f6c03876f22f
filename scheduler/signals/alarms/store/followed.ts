import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { project, type RecordChange, type RecordStore } from '@slipway/storage/records';

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

interface FollowedPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** How alarms stand in the store, by name; those that do not exist are left out. @throws StoreUnavailable */
export async function standingsOf(
  records: Pick<RecordStore, 'getMany'>,
  account: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, FollowedAlarm>> {
  const found = await records.getMany<AlarmRecord>(alarmsPartition(account), names.map(alarmKeys.alarm));
  return new Map([...found.values()].map(({ value }) => [value.name, standingOf(value)]));
}

/** Tells when alarms of accounts change. Each account is followed from when somebody first asks for it. */
export class FollowedAlarms {
  readonly #ports: FollowedPorts;
  readonly #accounts = new Set<string>();
  readonly #listeners = new Set<{ readonly account: string; readonly changed: () => void }>();
  readonly #following: Promise<void>[] = [];
  readonly #stop = new AbortController();

  constructor(ports: FollowedPorts) {
    this.#ports = ports;
  }

  /** Follows an account from now on: whoever listens is called back when that has begun, too. */
  follow(account: string): void {
    if (this.#accounts.has(account) || this.#stop.signal.aborted) return;
    this.#accounts.add(account);
    this.#following.push(this.#follow(account));
  }

  /** Calls back when an alarm of the account changed, if it is followed. @returns ends that */
  listen(account: string, changed: () => void): () => void {
    const listener = { account, changed };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#following);
  }

  #follow(account: string): Promise<void> {
    const { records, clock, log } = this.#ports;
    const tell = (): void => {
      for (const listener of this.#listeners) if (listener.account === account) listener.changed();
    };
    const apply = (changes: readonly RecordChange[]): void => {
      if (changes.some(({ key }) => key.startsWith(alarmKeys.alarms))) tell();
    };
    const interrupted = (err: unknown): void => log.warn({ account, err }, 'cannot follow the alarms; trying again');
    const projection = { load: tell, apply, interrupted, retryAfter };
    return project(records, alarmsPartition(account), projection, { clock, signal: this.#stop.signal });
  }
}

function standingOf({ state, alarmedAt, subject }: AlarmRecord): FollowedAlarm {
  const rule = subject.kind === 'metric' ? subject.rule : undefined;
  const span = rule === undefined ? 0 : rule.period * rule.evaluationPeriods * 1000;
  return { state, span, ...(alarmedAt === undefined ? {} : { alarmedAt }) };
}
