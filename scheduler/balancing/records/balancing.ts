import { carriedOf } from './classic.ts';
import type {
  ActionRecord,
  BalancingRecords,
  BalancingType,
  ListenerRecord,
  LoadBalancerRecord,
  RuleRecord,
  TargetRecord,
} from './records.ts';

/** A record with the version of the commit that wrote it. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
}

export type Table = ReadonlyMap<string, Versioned<unknown>>;

/** The load balancing of one account at one instant: few enough records to hold them all. */
export class Balancing {
  readonly account: string;
  /** Of the last change: what engines are told it as. 0 when nothing was ever made. */
  readonly generation: number;
  /** By type and id; drafts put tables of their own in the place of those that they change. */
  readonly tables: Map<BalancingType, Table>;
  /** What is looked up by something else than an id, by what it is; forgotten by drafts when records change. */
  readonly #indexes = new Map<string, ReadonlyMap<unknown, readonly unknown[]>>();

  #carried: Balancing | undefined;

  constructor(account: string, generation: number, tables: ReadonlyMap<BalancingType, Table>) {
    this.account = account;
    this.generation = generation;
    this.tables = new Map(tables);
  }

  get<T extends BalancingType>(type: T, id: string | undefined): BalancingRecords[T] | undefined {
    return id === undefined ? undefined : (this.tables.get(type)?.get(id)?.value as BalancingRecords[T] | undefined);
  }

  /** The commit that a record is of; undefined for one that is not there. */
  versionOf(type: BalancingType, id: string): number | undefined {
    return this.tables.get(type)?.get(id)?.version;
  }

  /** Every record of a type. */
  all<T extends BalancingType>(type: T): readonly BalancingRecords[T][] {
    return this.#by(type, 'all', () => 0).get(0) ?? [];
  }

  named<T extends 'loadbalancer' | 'targetgroup' | 'classic'>(type: T, name: string): BalancingRecords[T] | undefined {
    return this.#by(type, 'name', (one) => one.name).get(name)?.[0];
  }

  listenersOf(loadBalancerId: string): readonly ListenerRecord[] {
    return this.#by('listener', 'balancer', (one) => one.loadBalancerId).get(loadBalancerId) ?? [];
  }

  /** By priority, without the default rule. */
  rulesOf(listenerId: string): readonly RuleRecord[] {
    const rules = this.#by('listener-rule', 'listener', (one) => one.listenerId).get(listenerId) ?? [];
    return rules.toSorted((a, b) => a.priority - b.priority);
  }

  /** Every registration of a group's, also those that drain. */
  targetsOf(groupId: string): readonly TargetRecord[] {
    return this.#by('target', 'group', (one) => one.groupId).get(groupId) ?? [];
  }

  /** The actions of a listener: its default one, and those of its rules. */
  actionsOf(listener: ListenerRecord): readonly ActionRecord[] {
    return [listener.defaultAction, ...this.rulesOf(listener.id).map(({ action }) => action)];
  }

  /** The groups that a load balancer's listeners and rules name. */
  groupsOf(loadBalancerId: string): ReadonlySet<string> {
    return new Set(
      this.listenersOf(loadBalancerId).flatMap((listener) => this.actionsOf(listener).flatMap(groupsOfAction)),
    );
  }

  /** The load balancer whose listeners or rules name a group: there is one at most. */
  balancerOfGroup(groupId: string): LoadBalancerRecord | undefined {
    return this.all('loadbalancer').find(({ id }) => this.groupsOf(id).has(groupId));
  }

  /**
   * The same with each Classic Load Balancer as a load balancer with listeners and groups of its own: what carries traffic, checks targets
   * and counts knows these alone. APIs see the records as they are.
   */
  get carried(): Balancing {
    if (this.all('classic').length === 0) return this;
    this.#carried ??= this.#carry();
    return this.#carried;
  }

  #carry(): Balancing {
    const tables = new Map(this.tables);
    for (const classic of this.all('classic')) {
      const version = this.versionOf('classic', classic.id) ?? 0;
      for (const [type, record] of carriedOf(classic))
        tables.set(type, new Map([...(tables.get(type) ?? []), [record.id, { value: record, version }]]));
    }
    tables.delete('classic');
    return new Balancing(this.account, this.generation, tables);
  }

  /** To be called by drafts when records of a type change. */
  protected forget(type: BalancingType): void {
    this.#carried = undefined;
    for (const name of this.#indexes.keys()) if (name.startsWith(`${type} `)) this.#indexes.delete(name);
  }

  #by<T extends BalancingType>(
    type: T,
    name: string,
    keyOf: (record: BalancingRecords[T]) => unknown,
  ): ReadonlyMap<unknown, readonly BalancingRecords[T][]> {
    const index = this.#indexes.getOrInsertComputed(`${type} ${name}`, () => {
      const records = [...(this.tables.get(type)?.values() ?? [])].map(({ value }) => value as BalancingRecords[T]);
      return Map.groupBy(records, keyOf);
    });
    return index as ReadonlyMap<unknown, readonly BalancingRecords[T][]>;
  }
}

/** The groups that an action sends requests to. */
export const groupsOfAction = (action: ActionRecord): readonly string[] =>
  action.type === 'forward' ? action.targetGroups.map(({ id }) => id) : [];

/** The id that engines are told of the listener which all load balancers in 127.0.0.0/8 share for requests by their names. */
export const listenerByName = (port: number): string => `names-${port}`;
