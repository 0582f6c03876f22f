import { AwsError } from '@slipway/auth/contract';
import { rowsOf, tagSentences, TagSet } from '@slipway/auth/kit';

import type { Network, NetworkRecords, NounType } from '../records/index.ts';

import { invalidCombination, invalidValue } from './errors.ts';
import { type FilterTable, passing } from './filters.ts';
import { type Ec2Operation, mayList, operation, type Scene } from './operation.ts';
import {
  as,
  filters,
  flag,
  list,
  type Member,
  paged,
  type Shape,
  struct,
  type TagSpecifications,
  text,
} from './shapes.ts';

/** How EC2 says that something is not there: the code, and the sentence with the id in it. */
const unknown: Readonly<Record<NounType | 'network-interface', readonly [code: string, (id: string) => string]>> = {
  vpc: ['InvalidVpcID.NotFound', (id) => `The vpc ID '${id}' does not exist`],
  subnet: ['InvalidSubnetID.NotFound', (id) => `The subnet ID '${id}' does not exist`],
  'security-group': ['InvalidGroup.NotFound', (id) => `The security group '${id}' does not exist`],
  'security-group-rule': [
    'InvalidSecurityGroupRuleId.NotFound',
    (id) => `The security group rule ID '${id}' does not exist`,
  ],
  'route-table': ['InvalidRouteTableID.NotFound', (id) => `The routeTable ID '${id}' does not exist`],
  'internet-gateway': ['InvalidInternetGatewayID.NotFound', (id) => `The internetGateway ID '${id}' does not exist`],
  natgateway: ['NatGatewayNotFound', (id) => `NatGateway ${id} was not found`],
  'elastic-ip': ['InvalidAllocationID.NotFound', (id) => `The allocation ID '${id}' does not exist`],
  'dhcp-options': ['InvalidDhcpOptionsID.NotFound', (id) => `The dhcpOptions ID '${id}' does not exist`],
  'network-acl': ['InvalidNetworkAclID.NotFound', (id) => `The networkAcl ID '${id}' does not exist`],
  'launch-template': [
    'InvalidLaunchTemplateId.NotFound',
    (id) => `The specified launch template, with template ID ${id}, does not exist.`,
  ],
  'network-interface': ['InvalidNetworkInterfaceID.NotFound', (id) => `The networkInterface ID '${id}' does not exist`],
};

/** That something is not there, as EC2 says it. */
export function notFound(type: NounType | 'network-interface', id: string | undefined): AwsError {
  const [code, sentence] = unknown[type];
  return new AwsError(code, sentence((id ?? '').slice(0, 100)));
}

/** The record of an id. @throws the error of the type's that says that there is none */
export function find<T extends NounType>(network: Network, type: T, id: string | undefined): NetworkRecords[T] {
  const record = network.get(type, id);
  if (record === undefined) throw notFound(type, id);
  return record;
}

/** The id of an association whose holder is not there, or not any more. */
export const unknownAssociation = (id: string | undefined): AwsError =>
  new AwsError('InvalidAssociationID.NotFound', `The association ID '${(id ?? '').slice(0, 100)}' does not exist`);

/** Tags as EC2 takes them. */
export const ec2Tags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) =>
    new AwsError(
      kind === 'too-many' ? 'TagLimitExceeded' : 'InvalidParameterValue',
      kind === 'duplicate' ? `Duplicate tag key '${key}' specified.` : tagSentences[kind](key),
    ),
});

/**
 * The tags that a request gives to what it makes.
 * @throws InvalidParameterValue when they are for something else
 */
export function tagsFor(type: NounType, given: TagSpecifications | undefined): Readonly<Record<string, string>> {
  for (const { ResourceType: of } of given ?? [])
    if (of !== type)
      throw invalidValue(of ?? 'null', 'TagSpecification.ResourceType', `Only the ${type} that is made can be tagged.`);
  return ec2Tags.parse((given ?? []).flatMap(({ Tags = [] }) => Tags));
}

/** What a list of one kind of thing is made of. */
interface Description<R, O, Name extends string> {
  /** The operation's name. */
  readonly action: string;
  /** The member that names things by their ids (`VpcIds`), and what each one's id is there. */
  readonly ids: string;
  readonly idOf: (record: R) => string;
  readonly unknown: (id: string) => Error;
  /** The member of the answer (`Vpcs`), and its name on the wire (`vpcSet`). */
  readonly result: readonly [Name, string];
  readonly shape: Shape<O>;
  readonly filters: (network: Network, scene: Scene) => FilterTable<R>;
  readonly rows: (scene: Scene, network: Network) => readonly R[] | Promise<readonly R[]>;
  /** How one is shown; asked for once a request, so that it may read what it needs for all. */
  readonly view: (scene: Scene, network: Network) => ((record: R) => O) | Promise<(record: R) => O>;
  /** What of the rows the further members mean; all of them without it. */
  readonly narrow?: (input: object, rows: readonly R[], network: Network) => readonly R[];
  /** Where lists of this kind name their filters otherwise (`Filter`), or have none. */
  readonly filtersMember?: string | null;
  /** Whether the list comes in pages. Default true. */
  readonly pages?: boolean;
  /** Further members of the request. */
  readonly further?: Readonly<Record<string, Member<unknown> | Shape<unknown>>>;
}

interface DescribeInput {
  readonly MaxResults?: number;
  readonly NextToken?: string;
}

/** As EC2: without MaxResults a list comes in pages of a thousand. */
const pageLimits = { usual: 1000, most: 1000 };

/** `Describe…`: by ids, by filters, in pages; in order of the ids. */
export function describeOperation<R extends object, O, Name extends string>(
  kind: Description<R, O, Name>,
): Ec2Operation {
  const filterName = kind.filtersMember === undefined ? 'Filters' : kind.filtersMember;
  const isPaged = kind.pages ?? true;
  return operation({
    input: struct(`${kind.action}Request`, {
      [kind.ids]: as(kind.ids.replace(/s$/, ''), list(text)),
      ...(filterName === null ? {} : { [filterName]: filters }),
      ...(isPaged ? paged : { DryRun: flag }),
      ...kind.further,
    }) as Shape<DescribeInput>,
    output: struct(`${kind.action}Result`, {
      [kind.result[0]]: as(kind.result[1], list(kind.shape)),
      ...(isPaged ? { NextToken: text } : {}),
    }) as Shape<object>,
    access: mayList(kind.action),
    read: async (input, scene, network) => {
      const members = input as Readonly<Record<string, unknown>>;
      const ids = (members[kind.ids] ?? []) as readonly string[];
      const given = (filterName === null ? undefined : members[filterName]) as Parameters<typeof passing>[0];
      if (ids.length > 0 && input.MaxResults !== undefined)
        throw invalidCombination(`The parameter ${kind.ids} cannot be used with the parameter MaxResults`);
      if (input.MaxResults !== undefined && (input.MaxResults < 5 || input.MaxResults > 1000))
        throw invalidValue(input.MaxResults, 'MaxResults', 'Expecting a value from 5 to 1000.');
      const all = await kind.rows(scene, network);
      const rows = kind.narrow === undefined ? all : kind.narrow(input, all, network);
      const passes = passing(given, kind.filters(network, scene));
      const show = await kind.view(scene, network);
      const named = ids.length === 0 ? rows : namedOf(kind, rows, ids);
      const { account, api } = scene;
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const name = [kind.action, ids, given];
      const after = await api.pages.start(account, name, request);
      const page = await api.pages.page(
        account,
        name,
        request,
        rowsOf(named, kind.idOf, after),
        (record) => (passes(record) ? show(record) : undefined),
        isPaged ? pageLimits : { usual: Number.MAX_SAFE_INTEGER },
      );
      const { items, nextToken } = page;
      return { [kind.result[0]]: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  });
}

/** Those of the given ids, each once. @throws the error of the first that is not there */
function namedOf<R>(
  { idOf, unknown: missing }: Pick<Description<R, unknown, string>, 'idOf' | 'unknown'>,
  rows: readonly R[],
  ids: readonly string[],
): readonly R[] {
  const byId = new Map(rows.map((row) => [idOf(row), row]));
  return [...new Set(ids)].map((id) => {
    const row = byId.get(id);
    if (row === undefined) throw missing(id);
    return row;
  });
}

/** Tags as EC2 lists them. */
export { tagList } from '@slipway/auth/kit';

/** A list of the records of one noun. */
export function describeNoun<T extends NounType, O, Name extends string>(
  type: T,
  kind: Omit<Description<NetworkRecords[T], O, Name>, 'idOf' | 'unknown' | 'rows'> &
    Partial<Pick<Description<NetworkRecords[T], O, Name>, 'rows'>>,
): Ec2Operation {
  return describeOperation<NetworkRecords[T], O, Name>({
    ...kind,
    idOf: ({ id }) => id,
    unknown: (id) => notFound(type, id),
    rows: kind.rows ?? ((_scene, network) => network.all(type)),
  });
}
