import { project, transact } from '@slipway/storage/records';

import type { Certificate, DesiredState } from '../../routing/index.ts';
import { type Applied, isQuiet, type Observation, type TrafficEngine } from '../engines/index.ts';
import { type Balancing, balancingKeys, balancingPartition, type EngineRecord } from '../records/index.ts';

import { NumbersRecorder } from '../numbers/index.ts';

import { desiredState, lacksCertificate } from './desired.ts';
import { defaultTiming, type LocalEngine, type TrafficOptions, type TrafficTiming } from './ports.ts';
import { Bell } from './waking.ts';

/** Engines are told of targets; who checks and registers them is somebody else. */
type DriverOptions = Omit<TrafficOptions, 'probe' | 'tasks'>;

/** Milliseconds before a step that failed is tried again. */
const retryAfter = 1_000;

/**
 * Tells one engine what the records say, whenever they change, and writes down what it says of itself. The engine goes on without the
 * driver, and another driver goes on with the engine.
 */
export class EngineDriver {
  readonly #options: DriverOptions;
  readonly #local: LocalEngine;
  readonly #timing: TrafficTiming;
  readonly #changed = new Bell();
  readonly #numbers: NumbersRecorder;
  #engine: TrafficEngine | undefined;
  #applied: Applied | undefined;
  /** Listeners of the last desired state that could not be in it. */
  #withoutCertificate: readonly string[] = [];
  #refused: EngineRecord['refused'];
  #refusedAt = 0;
  /** For stickiness cookies; never another one. */
  #key: string | undefined;
  /** Whether its process was ended, since nothing is to be carried. */
  #isEnded = false;
  #written: { readonly text: string; readonly at: number } | undefined;

  constructor(options: DriverOptions, local: LocalEngine) {
    this.#options = options;
    this.#local = local;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#numbers = new NumbersRecorder(options.records, options.account, local.id, this.#timing.numbers);
  }

  /** Drives the engine until the signal aborts, then lets go of it. */
  async run(signal: AbortSignal): Promise<void> {
    const { account, records, clock, log } = this.#options;
    const following = project(
      records,
      balancingPartition(account),
      {
        load: () => this.#changed.ring(),
        apply: (changes) => {
          if (changes.some(({ key }) => key === balancingKeys.revision)) this.#changed.ring();
        },
        interrupted: (err) => log.warn({ account, err }, 'cannot follow the load balancing; trying again'),
        retryAfter,
      },
      { clock, signal },
    );
    while (!signal.aborted) {
      let pause: number;
      try {
        pause = await this.#pass();
      } catch (err) {
        if (signal.aborted) break;
        log.warn({ engine: this.#local.id, err }, 'the traffic engine does not answer; opening it again');
        await this.#letGo();
        pause = retryAfter;
      }
      await this.#changed.wait(clock, pause, signal);
    }
    await following;
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#applied = undefined;
    await engine?.close().catch((err: unknown) => {
      this.#options.log.warn({ engine: this.#local.id, err }, 'could not let go of the traffic engine');
    });
  }

  /** Tells the engine what is new, looks at it, and reports. @returns milliseconds until it is looked at again */
  async #pass(): Promise<number> {
    const { account, balancers } = this.#options;
    const balancing = (await balancers.read(account)).carried;
    const isIdle = balancing.all('loadbalancer').length === 0;
    // Who never had a load balancer has no engine either; one that is left over from earlier is ended.
    if (balancing.generation === 0 || (isIdle && this.#isEnded)) return this.#timing.report;
    this.#engine ??= await this.#open(balancing.generation);
    this.#isEnded = false;
    // One that this server has told nothing yet may not run.
    let seen = this.#applied === undefined ? undefined : await this.#engine.observe();
    const isBehind = seen === undefined || seen.generation < balancing.generation;
    if (isBehind && !this.#isRefusedStill(balancing.generation)) {
      // Targets that go take their numbers along: they were read, and are written down while the engine is told.
      const counted = seen === undefined ? undefined : this.#count(seen, balancing);
      try {
        await this.#apply(this.#engine, await this.#desired(balancing));
      } finally {
        await counted;
      }
      seen = undefined;
    }
    seen ??= await this.#engine.observe();
    await this.#report(this.#engine, balancing, seen);
    if (this.#numbers.isDue(this.#options.clock.now())) await this.#count(seen, balancing);
    if (isIdle && seen.generation === balancing.generation) {
      await this.#engine.stop();
      await this.#letGo();
      this.#isEnded = true;
      return this.#timing.report;
    }
    const isBusy = draining(balancing).length > 0 || seen.oldestServing < balancing.generation;
    return isBusy ? this.#timing.drain : this.#timing.report;
  }

  /** Opens the engine; who waits for it is told why that does not go. */
  async #open(generation: number): Promise<TrafficEngine> {
    try {
      const engine = await this.#local.open();
      this.#numbers.reopened();
      return engine;
    } catch (error) {
      await this.#away(generation, messageOf(error));
      throw error;
    }
  }

  async #away(generation: number, reason: string): Promise<void> {
    await this.#write({
      id: this.#local.id,
      kind: 'none',
      generation: 0,
      // A process of it may carry on with what it was told before.
      oldestServing: 0,
      unbound: {},
      quiet: [],
      refused: { generation, reason },
    });
  }

  /** What an engine could not take is tried again now and then: what kept it from it may be gone. */
  #isRefusedStill(generation: number): boolean {
    const since = this.#options.clock.monotonic() - this.#refusedAt;
    return this.#refused?.generation === generation && since < this.#timing.report;
  }

  async #desired(balancing: Balancing): Promise<DesiredState> {
    const { account, networks, certificate } = this.#options;
    const arns = new Set(balancing.all('listener').flatMap(({ certificates }) => certificates));
    const certificates = new Map<string, Certificate>();
    for (const arn of arns) {
      const found = await certificate(account, arn);
      if (found !== undefined) certificates.set(arn, found);
    }
    this.#withoutCertificate = balancing
      .all('listener')
      .filter((listener) => lacksCertificate(listener, certificates))
      .map(({ id }) => id);
    const cookieKey = await this.#cookieKey();
    return desiredState(balancing, await networks.read(account), { cookieKey, certificates });
  }

  async #apply(engine: TrafficEngine, desired: DesiredState): Promise<void> {
    const { log } = this.#options;
    try {
      this.#applied = await engine.apply(desired);
      this.#refused = undefined;
    } catch (error) {
      const reason = messageOf(error);
      log.error(
        { engine: this.#local.id, generation: desired.generation, err: error },
        'the traffic engine refuses what it is told',
      );
      this.#refused = { generation: desired.generation, reason };
      this.#refusedAt = this.#options.clock.monotonic();
      // Nothing was ever live: there is nothing to look at.
      if (this.#applied === undefined) {
        await this.#away(desired.generation, reason);
        throw error;
      }
    }
  }

  /** Numbers are nothing that the engine is to be given up for. */
  async #count(seen: Observation, balancing: Balancing): Promise<void> {
    const { clock, log } = this.#options;
    await this.#numbers.record(seen, balancing, clock.now()).catch((err: unknown) => {
      log.warn({ engine: this.#local.id, err }, 'cannot write down what the traffic engine has counted');
    });
  }

  /** Writes down what the engine says, when it is something else than before, or long ago. */
  async #report(engine: TrafficEngine, balancing: Balancing, seen: Observation): Promise<void> {
    const { id } = this.#local;
    const unbound = seen.listeners.flatMap(({ id: listener, result }) =>
      result.bound ? [] : [[listener, result.reason] as const],
    );
    const quiet = draining(balancing).flatMap((target) => {
      const since = balancing.versionOf('target', target.id) ?? Number.POSITIVE_INFINITY;
      return isQuiet(seen, { targetGroupId: target.groupId, registrationId: target.id }, since) ? [target.id] : [];
    });
    await this.#write({
      id,
      kind: engine.kind,
      generation: seen.generation,
      oldestServing: seen.oldestServing,
      unbound: Object.fromEntries([
        ...unbound,
        ...this.#withoutCertificate.map((listener) => [listener, 'its certificate and key cannot be read'] as const),
      ]),
      quiet,
      ...(this.#refused === undefined ? {} : { refused: this.#refused }),
    });
  }

  async #write(record: Omit<EngineRecord, 'seenAt'>): Promise<void> {
    const { account, records, clock } = this.#options;
    const text = JSON.stringify(record);
    const now = clock.now();
    if (this.#written?.text === text && now - this.#written.at < this.#timing.report) return;
    const value: EngineRecord = { ...record, seenAt: now };
    await records.commit(balancingPartition(account), {
      put: [{ key: balancingKeys.engine(record.id), value: value as never }],
      // What is lost of it is said again.
      lazy: true,
    });
    this.#written = { text, at: now };
  }

  /** The account's key for stickiness cookies, made when it is first needed. */
  async #cookieKey(): Promise<string> {
    const { account, records, random } = this.#options;
    this.#key ??= await transact(records, balancingPartition(account), async (tx) => {
      const known = await tx.get<string>(balancingKeys.cookieKey);
      if (known !== undefined) return known;
      const made = Buffer.from(random(32)).toString('hex');
      tx.put(balancingKeys.cookieKey, made);
      return made;
    });
    return this.#key;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const draining = (balancing: Balancing) =>
  balancing.all('target').filter(({ deregisteredAt }) => deregisteredAt !== undefined);
