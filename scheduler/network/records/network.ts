import type {
  NetworkRecords,
  NounType,
  RouteTableRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetRecord,
  VpcRecord,
} from './records.ts';

/** The nouns of one account's networks at one instant: few enough to hold them all. */
export class Network {
  readonly account: string;
  /** Zones that the default network has, or had, a subnet for. */
  readonly zones: readonly string[];
  /** By type and id; drafts put tables of their own in the place of those that they change. */
  readonly tables: Map<NounType, ReadonlyMap<string, unknown>>;
  #rules: ReadonlyMap<string, readonly SecurityGroupRuleRecord[]> | undefined;

  constructor(account: string, zones: readonly string[], tables: ReadonlyMap<NounType, ReadonlyMap<string, unknown>>) {
    this.account = account;
    this.zones = zones;
    this.tables = new Map(tables);
  }

  get<T extends NounType>(type: T, id: string | undefined): NetworkRecords[T] | undefined {
    return id === undefined ? undefined : (this.tables.get(type)?.get(id) as NetworkRecords[T] | undefined);
  }

  /** Every record of a type. */
  all<T extends NounType>(type: T): readonly NetworkRecords[T][] {
    return [...(this.tables.get(type)?.values() ?? [])] as NetworkRecords[T][];
  }

  get defaultVpc(): VpcRecord | undefined {
    return this.all('vpc').find(({ isDefault }) => isDefault);
  }

  /** The group of a VPC that everything has which names no other. */
  defaultGroup(vpcId: string): SecurityGroupRecord | undefined {
    return this.all('security-group').find((group) => group.vpcId === vpcId && group.name === 'default');
  }

  rulesOf(groupId: string): readonly SecurityGroupRuleRecord[] {
    this.#rules ??= Map.groupBy(this.all('security-group-rule'), (rule) => rule.groupId);
    return this.#rules.get(groupId) ?? [];
  }

  mainTable(vpcId: string): RouteTableRecord | undefined {
    return this.all('route-table').find(
      (table) => table.vpcId === vpcId && table.associations.some(({ subnetId }) => subnetId === undefined),
    );
  }

  /** The table by which a subnet's traffic is routed: its own, or the main one. */
  tableOf(subnet: SubnetRecord): RouteTableRecord | undefined {
    return (
      this.all('route-table').find(({ associations }) => associations.some(({ subnetId }) => subnetId === subnet.id)) ??
      this.mainTable(subnet.vpcId)
    );
  }

  /** To be called by drafts when rules change. */
  protected forgetRules(): void {
    this.#rules = undefined;
  }
}
