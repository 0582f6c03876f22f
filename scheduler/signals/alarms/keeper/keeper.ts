import { waitAtMost } from '@slipway/storage/clock';
import { type HeldLease, leadEach, type Leases } from '@slipway/storage/leases';
import { project, type RecordChange, scan, scanPages } from '@slipway/storage/records';

import { toJson } from '../../../state/index.ts';
import { Delivery, type DeliveryPorts } from '../actions/index.ts';
import { type AlarmPoint, type AlarmRule, evaluate, reasonDataOf, reasonOf } from '../evaluation/index.ts';
import { Alarms, mostHistory } from '../store/alarms.ts';
import { alarmKeys, alarmsPartition } from '../store/keys.ts';
import type {
  ActionRecord,
  AlarmRecord,
  AlarmStanding,
  MathSource,
  MetricSource,
  ProgressRecord,
} from '../store/records.ts';
import { evaluateComposite } from './composites.ts';
import { dueEnds, lag } from './due.ts';
import type { PointReader } from './points.ts';

export interface KeeperPorts extends DeliveryPorts {
  readonly leases: Leases;
  readonly points: PointReader;
}

/** Milliseconds between evaluations. */
const pace = 10_000;
/** Between looks for accounts that have alarms. */
const searchPace = 10_000;
/** Between looks for what is too old in the history, and how long it stays there (CloudWatch: 30 days). */
const sweepPace = 3_600_000;
const historyKept = 30 * 86_400_000;
const retryAfter = 1000;
/** How often an alarm is evaluated anew as somebody changes it meanwhile. */
const mostRaces = 3;

/** Evaluates alarms and carries out their actions: for each account on one server at a time. */
export class AlarmKeeper {
  readonly #ports: KeeperPorts;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
  }

  /** Works until the signal aborts; it never rejects. */
  keep(signal: AbortSignal): Promise<void> {
    const { records, leases, clock, log } = this.#ports;
    return leadEach(
      leases,
      {
        records,
        prefix: alarmsPartition(''),
        name: alarmKeys.keeper,
        clock,
        signal,
        searchPace,
        waiting: (err) => log.warn({ err }, 'alarms wait for the store'),
        interrupted: (err, account) => log.warn({ err, account }, 'the evaluation of alarms failed; it begins anew'),
        retryAfter,
        retryAtMost: 60_000,
      },
      (held, until, account) => new AccountKeeper(this.#ports, account, held).run(until),
    );
  }
}

/** One leadership over the alarms of an account. */
class AccountKeeper {
  readonly #ports: KeeperPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  readonly #alarms: Alarms;
  readonly #delivery: Delivery;
  readonly #known = new Map<string, AlarmRecord>();
  /** By their keys, which are in the order of time. */
  readonly #actions = new Map<string, ActionRecord>();
  #isLoaded = false;
  #stirred = false;
  #ring: () => void = () => {};

  constructor(ports: KeeperPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
    this.#alarms = new Alarms(ports);
    this.#delivery = new Delivery(ports, account, held);
  }

  async run(over: AbortSignal): Promise<void> {
    const end = new AbortController();
    const signal = AbortSignal.any([over, end.signal]);
    const following = this.#follow(signal);
    try {
      await this.#work(signal);
    } finally {
      end.abort(over.reason ?? new Error('the evaluation ended'));
      await following;
      await this.#delivery.idle();
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let from = await this.#progress();
    let sweepAt = 0;
    for (;;) {
      const listen = (wake: () => void): void => {
        this.#ring = wake;
        if (this.#stirred) wake();
      };
      const now = clock.now();
      await waitAtMost(Math.max(1, (Math.floor(now / pace) + 1) * pace - now), listen, clock, signal);
      if (signal.aborted) return;
      this.#stirred = false;
      if (!this.#isLoaded) continue;
      const to = clock.now();
      // A clock that was set back evaluates nothing twice for long.
      if (from > to + 2 * pace) from = to;
      if (Math.floor(to / pace) > Math.floor(from / pace)) {
        await this.#evaluateMetrics(from, to);
        from = to;
      }
      await this.#evaluateComposites();
      this.#delivery.begin(this.#actions.values(), signal, this.#stir);
      if (clock.monotonic() < sweepAt) continue;
      sweepAt = clock.monotonic() + sweepPace;
      await this.#sweep();
    }
  }

  readonly #stir = (): void => {
    this.#stirred = true;
    this.#ring();
  };

  async #follow(signal: AbortSignal): Promise<void> {
    const { records, clock, log } = this.#ports;
    const partition = alarmsPartition(this.#account);
    const load = async (): Promise<void> => {
      this.#known.clear();
      this.#actions.clear();
      for (const prefix of [alarmKeys.alarms, alarmKeys.actions])
        for await (const { key, value } of scan(records, partition, { prefix }))
          this.#take({ kind: 'put', key, value, version: 0 });
      this.#isLoaded = true;
      this.#stir();
    };
    const apply = (changes: readonly RecordChange[]): void => {
      for (const change of changes) this.#take(change);
      this.#stir();
    };
    const interrupted = (err: unknown): void =>
      log.warn({ err, account: this.#account }, 'cannot follow the alarms; trying again');
    await project(records, partition, { load, apply, interrupted, retryAfter }, { clock, signal });
  }

  #take(change: RecordChange): void {
    const { key } = change;
    const value = change.kind === 'put' ? change.value : undefined;
    if (key.startsWith(alarmKeys.alarms)) {
      const name = key.slice(alarmKeys.alarms.length);
      if (value === undefined) this.#known.delete(name);
      else this.#known.set(name, value as unknown as AlarmRecord);
    } else if (key.startsWith(alarmKeys.actions)) {
      if (value === undefined) this.#actions.delete(key);
      else this.#actions.set(key, value as unknown as ActionRecord);
    }
  }

  async #progress(): Promise<number> {
    const { records, clock } = this.#ports;
    const stored = await records.get<ProgressRecord>(alarmsPartition(this.#account), alarmKeys.progress);
    return stored?.value.at ?? clock.now();
  }

  /** Every window that has ended since, window after window. */
  async #evaluateMetrics(from: number, to: number): Promise<void> {
    const { records, points } = this.#ports;
    const due = new Map<number, Due[]>();
    for (const { name, subject, configuredAt } of this.#known.values()) {
      if (subject.kind !== 'metric') continue;
      const { source, rule } = subject;
      const slides = points.slides(source);
      // A new one is looked at once as it is; what was before that is not its concern.
      const ends =
        configuredAt > from ? dueEnds(rule, slides, -Infinity, to).slice(-1) : dueEnds(rule, slides, from, to);
      for (const end of ends) due.set(end, [...(due.get(end) ?? []), { name, source, rule, end }]);
    }
    for (const [, batch] of [...due].sort(([one], [other]) => one - other)) await this.#evaluateWindow(batch);
    if (due.size === 0) return;
    const progress: ProgressRecord = { at: to };
    await records.commit(alarmsPartition(this.#account), {
      put: [{ key: alarmKeys.progress, value: toJson(progress) }],
      fence: this.#held,
    });
  }

  async #evaluateWindow(batch: readonly Due[]): Promise<void> {
    const { points } = this.#ports;
    const asked = batch.map(({ source, rule, end }) => {
      const start = end - (rule.evaluationPeriods + 2) * rule.period * 1000;
      return { source, start, end, period: rule.period };
    });
    const read = await points.read(this.#account, asked);
    for (const [place, due] of batch.entries()) {
      const found = read[place];
      if (found !== undefined) await this.#judge(due, found);
    }
  }

  async #judge({ name, rule, source, end }: Due, found: readonly AlarmPoint[]): Promise<void> {
    const { clock } = this.#ports;
    for (let alarm = this.#known.get(name), attempt = 0; alarm !== undefined && attempt < mostRaces; attempt++) {
      // What users have said of it since is not undone by what was before.
      if (alarm.subject.kind !== 'metric' || (alarm.setAt ?? 0) > end + lag) return;
      const evaluation = evaluate(rule, found, end, alarm.state);
      if (evaluation.state === alarm.state) return;
      const measured = source.kind === 'metric' ? source : {};
      const reasonData = reasonDataOf(rule, evaluation, measured, { now: clock.now(), end });
      const standing = { state: evaluation.state, reason: reasonOf(rule, evaluation, alarm.state), reasonData };
      if (await this.#write(alarm, standing)) return;
      alarm = await this.#alarms.find(this.#account, name);
    }
  }

  async #evaluateComposites(): Promise<void> {
    const { region } = this.#ports;
    for (const alarm of this.#known.values()) {
      const standing = evaluateComposite(alarm, this.#known, { account: this.#account, region });
      if (standing !== undefined) await this.#write(alarm, standing);
    }
  }

  async #write(alarm: AlarmRecord, standing: AlarmStanding & { readonly seen?: string }): Promise<boolean> {
    const { log } = this.#ports;
    const written = await this.#alarms.evaluated(this.#account, alarm, standing, this.#held);
    if (written === undefined) return false;
    this.#known.set(alarm.name, written);
    const { state: to, reason } = standing;
    if (to !== alarm.state)
      log.info(
        { account: this.#account, alarm: alarm.name, from: alarm.state, to, reason },
        'an alarm changed its state',
      );
    return true;
  }

  /** What of the history is over its time, or too much. */
  async #sweep(): Promise<void> {
    const { records, clock } = this.#ports;
    const partition = alarmsPartition(this.#account);
    const last = alarmKeys.historyBefore(Math.max(0, clock.now() - historyKept));
    let kept = 0;
    for await (const page of scanPages(records, partition, { prefix: alarmKeys.history })) {
      const remove = page.records.flatMap(({ key }) => (key > last || kept >= mostHistory ? [key] : []));
      kept += page.records.length - remove.length;
      if (remove.length > 0) await records.commit(partition, { remove, fence: this.#held });
    }
  }
}

/** One window of one alarm. */
interface Due {
  readonly name: string;
  readonly source: MetricSource | MathSource;
  readonly rule: AlarmRule;
  readonly end: number;
}
