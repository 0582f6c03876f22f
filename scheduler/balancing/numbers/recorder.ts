import { type RecordStore, scanAll } from '@slipway/storage/records';

import {
  addCodes,
  addCounts,
  codesBetween,
  countsBetween,
  noCodes,
  noCounts,
  type Observation,
} from '../engines/index.ts';
import { type Balancing, listenerByName } from '../records/index.ts';

import { numbersKeys, numbersPartition } from './keys.ts';
import type { BalancerSample, GroupSample, ListenerSample, Sample, TargetSample } from './records.ts';

type Open<T> = { -readonly [K in keyof T]: T[K] };

const limit = 1_000;

/** Two samples that differ in these alone say the same. */
const untimed = { at: 0, since: 0 };

/**
 * Adds up what one engine has counted: engines begin anew with their processes, and say the sum since then. What was counted while
 * nobody looked at an engine is left out, so that nothing is ever counted twice.
 */
export class NumbersRecorder {
  readonly #records: RecordStore;
  readonly #account: string;
  readonly #engine: string;
  readonly #samples = new Map<string, Open<Sample>>();
  readonly #changed = new Set<string>();
  readonly #period: number;
  #loaded = false;
  #before: Observation | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #lookedAt: number | undefined;

  /** @param period milliseconds between commits of what was counted */
  constructor(records: RecordStore, account: string, engine: string, period: number) {
    this.#period = period;
    this.#records = records;
    this.#account = account;
    this.#engine = engine;
  }

  /** The engine was opened: what it has counted until now is known, or lost. */
  reopened(): void {
    this.#before = undefined;
  }

  /** Whether it is time to look again. `now` in milliseconds. */
  isDue(now: number): boolean {
    return this.#before === undefined || now - this.#writtenAt >= this.#period;
  }

  /** Takes in what an engine says, and writes it down when it is time for that. */
  async record(seen: Observation, balancing: Balancing, now: number): Promise<void> {
    if (!this.#loaded) await this.#load();
    this.#takeGroups(seen, balancing, now);
    this.#takeBalancers(seen, balancing, now);
    this.#before = seen;
    this.#lookedAt = now;
    if (now - this.#writtenAt >= this.#period) await this.#write(balancing, now);
  }

  async #load(): Promise<void> {
    const prefix = numbersKeys.of(this.#engine);
    for (const { key, value } of await scanAll<Sample>(this.#records, numbersPartition(this.#account), {
      prefix,
      limit,
    }))
      this.#samples.set(key, value as Open<Sample>);
    this.#loaded = true;
  }

  #takeGroups(seen: Observation, balancing: Balancing, at: number): void {
    const before = new Map(this.#before?.targets.map((one) => [one.registrationId, one.counts]));
    for (const [id, observed] of Map.groupBy(seen.targets, (one) => one.targetGroupId)) {
      const group = balancing.get('targetgroup', id);
      if (group === undefined) continue;
      const key = numbersKeys.group(this.#engine, id);
      const old = this.#samples.get(key) as GroupSample | undefined;
      const targets: Record<string, TargetSample> = {};
      for (const { registrationId, inFlight, counts } of observed) {
        // A target that comes begins with nothing; of others nobody knows what was counted before the first look.
        const known = before.get(registrationId) ?? (this.#before === undefined ? counts : noCounts);
        const sum = old?.targets[registrationId]?.counts ?? noCounts;
        targets[registrationId] = { inFlight, counts: addCounts(sum, countsBetween(known, counts)) };
      }
      const left = Object.entries(old?.targets ?? {}).filter(([registration]) => targets[registration] === undefined);
      this.#put(key, {
        kind: 'group',
        engine: this.#engine,
        id,
        name: group.name,
        loadBalancer: balancing.balancerOfGroup(id)?.name ?? '',
        at,
        ...(this.#lookedAt === undefined ? {} : { since: this.#lookedAt }),
        targets,
        gone: left.reduce((sum, [, { counts }]) => addCounts(sum, counts), old?.gone ?? noCounts),
      });
    }
  }

  #takeBalancers(seen: Observation, balancing: Balancing, at: number): void {
    const codesBefore = new Map(this.#before?.loadBalancers.map((one) => [one.id, one.engineCodes]));
    const listenersBefore = new Map(this.#before?.listeners.map((one) => [one.id, one]));
    const grown = (a: number, b: number): number => (b < a ? b : b - a);
    for (const { id, engineCodes } of seen.loadBalancers) {
      const balancer = balancing.get('loadbalancer', id);
      if (balancer === undefined) continue;
      const key = numbersKeys.balancer(this.#engine, id);
      const old = this.#samples.get(key) as BalancerSample | undefined;
      const listeners: Record<string, ListenerSample> = {};
      for (const { id: listenerId, port } of balancing.listenersOf(id)) {
        // The listener that is shared by name is nobody's where several share it.
        const shared = balancing.all('listener').filter((other) => other.port === port).length > 1;
        const ids = shared ? [listenerId] : [listenerId, listenerByName(port)];
        const observed = seen.listeners.filter((one) => ids.includes(one.id));
        if (observed.length === 0) continue;
        const sum = old?.listeners[listenerId];
        const listener = {
          port,
          activeConnections: 0,
          connections: sum?.connections ?? 0,
          requests: sum?.requests ?? 0,
        };
        for (const one of observed) {
          const known =
            listenersBefore.get(one.id) ?? (this.#before === undefined ? one : { newConnections: 0, requests: 0 });
          listener.activeConnections += one.activeConnections;
          listener.connections += grown(known.newConnections, one.newConnections);
          listener.requests += grown(known.requests, one.requests);
        }
        listeners[listenerId] = listener;
      }
      const known = codesBefore.get(id) ?? (this.#before === undefined ? engineCodes : noCodes);
      this.#put(key, {
        kind: 'balancer',
        engine: this.#engine,
        id,
        name: balancer.name,
        at,
        engineCodes: addCodes(old?.engineCodes ?? noCodes, codesBetween(known, engineCodes)),
        listeners,
      });
    }
  }

  /** Keeps a sample when it says something else than the one before. */
  #put(key: string, sample: Sample): void {
    const old = this.#samples.get(key);
    if (old !== undefined && JSON.stringify({ ...old, ...untimed }) === JSON.stringify({ ...sample, ...untimed }))
      return;
    this.#samples.set(key, sample);
    this.#changed.add(key);
  }

  /** Writes what changed, and removes what is of groups and load balancers that there are no more. */
  async #write(balancing: Balancing, now: number): Promise<void> {
    const remove = [...this.#samples].flatMap(([key, { kind, id }]) =>
      balancing.get(kind === 'group' ? 'targetgroup' : 'loadbalancer', id) === undefined ? [key] : [],
    );
    for (const key of remove) {
      this.#samples.delete(key);
      this.#changed.delete(key);
    }
    const put = [...this.#changed].map((key) => ({ key, value: this.#samples.get(key) as never }));
    if (put.length + remove.length > 0)
      // What is lost of it is said again.
      await this.#records.commit(numbersPartition(this.#account), { put, remove, lazy: true });
    this.#changed.clear();
    this.#writtenAt = now;
  }
}
