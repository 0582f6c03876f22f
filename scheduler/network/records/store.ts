import type { Clock } from '@slipway/storage/clock';
import { ConditionFailed, type RecordStore, scanAll, transact } from '@slipway/storage/records';

import type { RandomBytes } from '../../state/index.ts';

import { computedIds, defaultNetwork, defaultSubnet, type NewId } from './defaults.ts';
import { Draft } from './draft.ts';
import { networkKeys, networkPartition, type RevisionRecord } from './keys.ts';
import { Network } from './network.ts';
import { type NetworkInterfaceRecord, type NounType, prefixes, type TemplateVersionRecord } from './records.ts';

/** What networks are kept with. */
export interface NetworksOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly region: string;
  /** Zones that an account has hosts in. */
  readonly zonesOfHosts: (account: string) => Promise<readonly string[]>;
}

/** How often a change is tried again when other servers change the same account's networks. */
const attempts = 100;
/** A page of a scan; the records are small. */
const limit = 10_000;

/**
 * The networks of all accounts. The nouns of an account are read whole and kept while nobody changes them; reading them again costs one
 * look at `revision`. Changes of one account go one after another.
 */
export class Networks {
  readonly region: string;
  readonly #options: NetworksOptions;
  readonly #known = new Map<string, { readonly version: number; readonly network: Network }>();
  /** The end of each account's queue of changes on this server: they would only make each other try again. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.region = options.region;
  }

  /** The nouns of an account, everything committed before the call included. An account that has none gets its default network. */
  async read(account: string): Promise<Network> {
    const zones = await this.#zones(account);
    let { network } = await this.#load(account);
    if (network === undefined || zones.some((zone) => !network?.zones.includes(zone))) {
      await this.#prepare(account, zones);
      ({ network } = await this.#load(account));
    }
    if (network === undefined) throw new Error(`the networks of ${account} were lost while they were read`);
    return network;
  }

  /**
   * Changes the nouns of an account in one commit.
   * @param work reads and writes through the draft alone: it runs again when another server was faster. What it throws ends the change
   */
  async change<T>(account: string, work: (draft: Draft) => T | Promise<T>): Promise<T> {
    await this.read(account);
    const before = this.#queues.get(account) ?? Promise.resolve();
    const turn = before.then(() => this.#change(account, work));
    const end = turn.catch(() => undefined);
    this.#queues.set(account, end);
    try {
      return await turn;
    } finally {
      if (this.#queues.get(account) === end) this.#queues.delete(account);
    }
  }

  /** Every network interface of an account, in order of id. */
  async interfaces(account: string): Promise<NetworkInterfaceRecord[]> {
    const options = { prefix: networkKeys.interfaces, limit };
    const rows = await scanAll<NetworkInterfaceRecord>(this.#options.records, networkPartition(account), options);
    return rows.map(({ value }) => value);
  }

  /** The versions of a launch template, in order of their numbers. */
  async templateVersions(account: string, id: string): Promise<TemplateVersionRecord[]> {
    const options = { prefix: networkKeys.templateVersionsOf(id), limit: 100 };
    const rows = await scanAll<TemplateVersionRecord>(this.#options.records, networkPartition(account), options);
    return rows.map(({ value }) => value);
  }

  async templateVersion(account: string, id: string, number: number): Promise<TemplateVersionRecord | undefined> {
    const key = networkKeys.templateVersion(id, number);
    return (await this.#options.records.get<TemplateVersionRecord>(networkPartition(account), key))?.value;
  }

  /** How many addresses of each subnet something has. */
  async usedAddresses(account: string): Promise<ReadonlyMap<string, number>> {
    const options = { prefix: networkKeys.addresses, limit };
    const used = new Map<string, number>();
    for (const { key } of await scanAll(this.#options.records, networkPartition(account), options)) {
      const [, subnet = ''] = key.split('/');
      used.set(subnet, (used.get(subnet) ?? 0) + 1);
    }
    return used;
  }

  /** Zones that hosts are in; an account without hosts has the server's. */
  async #zones(account: string): Promise<readonly string[]> {
    return [...new Set([`${this.region}a`, ...(await this.#options.zonesOfHosts(account))])].sort();
  }

  async #change<T>(account: string, work: (draft: Draft) => T | Promise<T>): Promise<T> {
    const { clock, random, records } = this.#options;
    const newId: NewId = (type) => `${prefixes[type]}-${Buffer.from(random(9)).toString('hex').slice(0, 17)}`;
    let draft: Draft | undefined;
    return transact(
      records,
      networkPartition(account),
      async (tx) => {
        const { network, version } = await this.#load(account);
        if (network === undefined) throw new Error(`the networks of ${account} were lost while they were changed`);
        draft = new Draft(network, tx, clock.now(), newId);
        const result = await work(draft);
        const revision = draft.revision();
        if (revision !== undefined) {
          tx.require({ key: networkKeys.revision, version });
          tx.put(networkKeys.revision, { ...revision });
        }
        return result;
      },
      {
        attempts,
        committed: (version) => {
          if (draft?.revision() !== undefined) this.#known.set(account, { version, network: draft.after() });
        },
      },
    );
  }

  /** Makes the default network where there is none, and its subnets for zones that had none. */
  async #prepare(account: string, zones: readonly string[]): Promise<void> {
    const { records } = this.#options;
    const newId = computedIds(this.region, account);
    const { network } = await this.#load(account);
    if (network === undefined) {
      const put = defaultNetwork(newId).map(({ type, record }) => ({
        key: networkKeys.noun(type, record.id),
        value: record as never,
      }));
      const empty: RevisionRecord = { zones: [] };
      await records
        .commit(networkPartition(account), {
          require: [{ key: networkKeys.revision, exists: false }],
          put: [...put, { key: networkKeys.revision, value: { ...empty } }],
        })
        .catch((error: unknown) => {
          // Another server was faster, and made the same.
          if (!(error instanceof ConditionFailed)) throw error;
        });
    }
    await this.#change(account, (draft) => {
      const added = zones.filter((zone) => !draft.zones.includes(zone));
      const vpc = draft.defaultVpc;
      for (const zone of added) {
        const subnet = vpc && defaultSubnet(draft, vpc, zone, newId);
        if (subnet !== undefined) draft.put('subnet', subnet);
      }
      if (added.length > 0) draft.putZones([...draft.zones, ...added]);
    });
  }

  /** The nouns as they are, with the version of `revision` that they are of. */
  async #load(account: string): Promise<{ readonly version: number; readonly network: Network | undefined }> {
    const { records } = this.#options;
    const partition = networkPartition(account);
    for (;;) {
      const stored = await records.get<RevisionRecord>(partition, networkKeys.revision);
      if (stored === undefined) return { version: 0, network: undefined };
      const known = this.#known.get(account);
      if (known?.version === stored.version) return known;
      const tables = new Map<NounType, Map<string, unknown>>();
      for (const { key, value } of await scanAll(records, partition, { prefix: networkKeys.nouns, limit })) {
        const [, type, id] = key.split('/') as ['noun', NounType, string];
        tables.getOrInsertComputed(type, () => new Map()).set(id, value);
      }
      const after = await records.get(partition, networkKeys.revision);
      if (after?.version !== stored.version) continue;
      const loaded = { version: stored.version, network: new Network(account, stored.value.zones, tables) };
      this.#known.set(account, loaded);
      return loaded;
    }
  }
}
