import { type Json, pagesOf, type Transaction } from '@slipway/storage/records';

import { formatAddress, freeAddress, parseAddress, parseCidr } from '../addresses/index.ts';

import { networkKeys, type RevisionRecord } from './keys.ts';
import { computedIds, type NewId } from './defaults.ts';
import { Network } from './network.ts';
import type {
  NetworkInterfaceRecord,
  NetworkRecords,
  NounType,
  SliceRecord,
  SubnetRecord,
  TemplateVersionRecord,
} from './records.ts';

/** What a change works on: the nouns as they are, and what it writes. All of it becomes one commit, or nothing. */
export class Draft extends Network {
  readonly now: number;
  /** Makes an id that nobody has. */
  readonly newId: NewId;
  readonly #tx: Transaction;
  #zones: readonly string[] | undefined;
  #slicesTaken: number | undefined;
  readonly #written = new Map<NounType, Map<string, unknown>>();

  constructor(of: Network, tx: Transaction, now: number, newId: NewId) {
    super(of.account, of.zones, of.tables);
    this.#tx = tx;
    this.now = now;
    this.newId = newId;
  }

  /** The id of what a request makes: the same for every request of an operation that has the same client token. */
  idFor(type: NounType, operation: string, token: string | undefined): string {
    return token === undefined ? this.newId(type, '') : computedIds(operation, this.account)(type, token);
  }

  put<T extends NounType>(type: T, record: NetworkRecords[T]): void {
    this.#table(type).set(record.id, record);
    this.#tx.put(networkKeys.noun(type, record.id), record as unknown as Json);
  }

  remove(type: NounType, id: string): void {
    this.#table(type).delete(id);
    this.#tx.remove(networkKeys.noun(type, id));
  }

  /** One version of a launch template; the commit depends on it. */
  templateVersion(id: string, number: number): Promise<TemplateVersionRecord | undefined> {
    return this.#tx.get<TemplateVersionRecord>(networkKeys.templateVersion(id, number));
  }

  putTemplateVersion(version: TemplateVersionRecord): void {
    this.#tx.put(networkKeys.templateVersion(version.templateId, version.number), version as unknown as Json);
  }

  removeTemplateVersion(id: string, number: number): void {
    this.#tx.remove(networkKeys.templateVersion(id, number));
  }

  /** The numbers of the versions that a launch template has. */
  async templateVersions(id: string): Promise<number[]> {
    const prefix = networkKeys.templateVersionsOf(id);
    const { records } = await this.#tx.list({ prefix, limit: 100_000 });
    return records.map(({ key }) => Number(key.slice(prefix.length)));
  }

  /** Notes the zones for which the default network has had its subnet made. */
  putZones(zones: readonly string[]): void {
    this.#zones = zones;
  }

  /** Whether nothing has an address in a subnet; the commit depends on it. */
  isUnused(subnetId: string): Promise<boolean> {
    return this.#isEmpty(networkKeys.addressesOf(subnetId));
  }

  /** Whether no interface is in a group; the commit depends on it. */
  hasNoMembers(groupId: string): Promise<boolean> {
    return this.#isEmpty(networkKeys.membersOf(groupId));
  }

  /** The interface that has an address of a subnet; the commit depends on nobody else taking it. */
  holder(subnetId: string, address: string): Promise<string | undefined> {
    return this.#tx.get<string>(networkKeys.address(subnetId, address));
  }

  /** The lowest free address of a subnet; the commit depends on its being free. */
  async freeAddress(subnet: SubnetRecord): Promise<string | undefined> {
    const range = parseCidr(subnet.cidr);
    if (range === undefined) return undefined;
    const prefix = networkKeys.addressesOf(subnet.id);
    const taken = new Set<number | undefined>();
    const pages = pagesOf(
      (after: string | undefined) => this.#tx.list({ prefix, after, limit: 10_000 }),
      (page) => page.records.at(-1)?.key,
    );
    for await (const { records } of pages)
      for (const { key } of records) taken.add(parseAddress(key.slice(prefix.length)));
    const free = freeAddress(range, range, (address) => taken.has(address));
    if (free === undefined) return undefined;
    const address = formatAddress(free);
    this.#tx.require({ key: networkKeys.address(subnet.id, address), exists: false });
    return address;
  }

  /** The interface of this id, which the commit then depends on. */
  interface(id: string): Promise<NetworkInterfaceRecord | undefined> {
    return this.#tx.get<NetworkInterfaceRecord>(networkKeys.interface(id));
  }

  /** Writes an interface with its address and its groups. */
  putInterface(record: NetworkInterfaceRecord): void {
    this.#tx.put(networkKeys.interface(record.id), record as unknown as Json);
    this.#tx.put(networkKeys.address(record.subnetId, record.address), record.id);
    for (const group of record.groups) this.#tx.put(networkKeys.member(group, record.id), true);
  }

  removeInterface(record: NetworkInterfaceRecord): void {
    this.#tx.remove(networkKeys.interface(record.id));
    this.#tx.remove(networkKeys.address(record.subnetId, record.address));
    for (const group of record.groups) this.#tx.remove(networkKeys.member(group, record.id));
  }

  /** What hosts have of subnets. */
  async slices(): Promise<SliceRecord[]> {
    // Before the list: what is taken between the two is then noticed by the commit of whoever takes another.
    this.#slicesTaken = (await this.#tx.get<number>(networkKeys.slicesTaken)) ?? 0;
    const { records } = await this.#tx.list<SliceRecord>({ prefix: networkKeys.slices, limit: 100_000 });
    return records.map(({ value }) => value);
  }

  /** The slice of this range, which the commit then depends on. */
  slice(cidr: string): Promise<SliceRecord | undefined> {
    return this.#tx.get<SliceRecord>(networkKeys.slice(cidr));
  }

  /** Takes a slice that meets none of {@link slices}; the commit depends on nobody having taken any since that was asked. */
  takeSlice(slice: SliceRecord): void {
    if (this.#slicesTaken === undefined) throw new Error('slices are taken by what is known of the others');
    this.#tx.put(networkKeys.slicesTaken, this.#slicesTaken + 1);
    this.#tx.put(networkKeys.slice(slice.cidr), slice as unknown as Json);
  }

  putSlice(slice: SliceRecord): void {
    this.#tx.require({ key: networkKeys.slice(slice.cidr), exists: true });
    this.#tx.put(networkKeys.slice(slice.cidr), slice as unknown as Json);
  }

  removeSlice({ cidr }: SliceRecord): void {
    this.#tx.remove(networkKeys.slice(cidr));
  }

  /** Which addresses of a subnet somebody has, as they were read. */
  async taken(subnetId: string): Promise<ReadonlySet<string>> {
    const prefix = networkKeys.addressesOf(subnetId);
    const { records } = await this.#tx.list({ prefix, limit: 100_000 });
    return new Set(records.map(({ key }) => key.slice(prefix.length)));
  }

  /** The nouns with what was written; to be asked for when the commit stands. */
  after(): Network {
    // In the order in which a server reads them that did not write them: lists are the same from all.
    for (const [type, table] of this.#written)
      this.tables.set(type, new Map([...table].sort(([a], [b]) => (a < b ? -1 : 1))));
    return new Network(this.account, this.#zones ?? this.zones, this.tables);
  }

  /** What every change of the nouns writes; undefined when none was written. */
  revision(): RevisionRecord | undefined {
    if (this.#written.size === 0 && this.#zones === undefined) return undefined;
    return { zones: this.#zones ?? this.zones };
  }

  async #isEmpty(prefix: string): Promise<boolean> {
    const { records } = await this.#tx.list({ prefix, limit: 1 });
    this.#tx.require({ prefix, empty: true });
    return records.length === 0;
  }

  #table(type: NounType): Map<string, unknown> {
    if (type === 'security-group-rule') this.forgetRules();
    let table = this.#written.get(type);
    if (table === undefined) {
      table = new Map(this.tables.get(type));
      this.#written.set(type, table);
      this.tables.set(type, table);
    }
    return table;
  }
}
