import { AwsError } from '@slipway/auth/contract';

import {
  associationId,
  type Draft,
  type Network,
  type RouteRecord,
  type RouteTableRecord,
  type RouteTarget,
} from '../records/index.ts';

import { dependency, invalidCombination, invalidValue, missingParameter, unsupported } from './errors.ts';
import { describeNoun, find, notFound, tagList, tagsFor, unknownAssociation } from './noun.ts';
import { type Ec2Operation, type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { checkedCidr, checkedCidr6, noPrefixLists } from './permissions.ts';
import {
  as,
  flag,
  list,
  nothing,
  type Of,
  refused,
  required,
  type Shape,
  struct,
  tags,
  tagSpecifications,
  text,
} from './shapes.ts';

/** As EC2's quota: so many routes of a table. */
const mostRoutes = 50;

const state = struct('RouteTableAssociationState', { State: text });
const associated = { State: 'associated' } as const;

const tableShape = struct('RouteTable', {
  RouteTableId: text,
  VpcId: text,
  OwnerId: text,
  Associations: as(
    'associationSet',
    list(
      struct('RouteTableAssociation', {
        Main: flag,
        RouteTableAssociationId: text,
        RouteTableId: text,
        SubnetId: text,
        AssociationState: state,
      }),
    ),
  ),
  PropagatingVgws: as('propagatingVgwSet', list(struct('PropagatingVgw', { GatewayId: text }))),
  Routes: as(
    'routeSet',
    list(
      struct('Route', {
        DestinationCidrBlock: text,
        DestinationIpv6CidrBlock: text,
        GatewayId: text,
        NatGatewayId: text,
        Origin: text,
        State: text,
      }),
    ),
  ),
  Tags: tags,
});

const noSuchTarget = 'Routes lead to internet gateways and NAT gateways.';

const destinations = {
  RouteTableId: required(text),
  DestinationCidrBlock: text,
  DestinationIpv6CidrBlock: text,
  DestinationPrefixListId: text,
  DryRun: flag,
} as const;

const routeMembers = {
  ...destinations,
  GatewayId: text,
  NatGatewayId: text,
  VpcEndpointId: refused(text, noSuchTarget),
  TransitGatewayId: refused(text, noSuchTarget),
  LocalGatewayId: refused(text, noSuchTarget),
  CarrierGatewayId: refused(text, noSuchTarget),
  CoreNetworkArn: refused(text, noSuchTarget),
  OdbNetworkArn: refused(text, noSuchTarget),
  EgressOnlyInternetGatewayId: refused(text, noSuchTarget),
  InstanceId: refused(text, noSuchTarget),
  NetworkInterfaceId: refused(text, noSuchTarget),
  VpcPeeringConnectionId: refused(text, noSuchTarget),
} as const;

const onTable = (action: string) =>
  mayOn<{ readonly RouteTableId: string }>(action, ({ RouteTableId }) => [['route-table', RouteTableId]]);

/** Route tables, their routes, and which subnets have them. */
export const routeTableOperations: Ec2Operations = {
  CreateRouteTable: operation({
    input: struct('CreateRouteTableRequest', {
      VpcId: required(text),
      TagSpecifications: tagSpecifications,
      ClientToken: text,
      DryRun: flag,
    }),
    output: struct('CreateRouteTableResult', { RouteTable: tableShape, ClientToken: text }),
    access: mayCreate('CreateRouteTable', 'route-table', ({ VpcId }) => [['vpc', VpcId]]),
    change: (input, scene, draft) => {
      const { id: vpcId } = find(draft, 'vpc', input.VpcId);
      const id = draft.idFor('route-table', 'CreateRouteTable', input.ClientToken);
      const made: RouteTableRecord = {
        id,
        vpcId,
        routes: [],
        associations: [],
        tags: tagsFor('route-table', input.TagSpecifications),
      };
      const table = draft.get('route-table', id) ?? made;
      if (table === made) draft.put('route-table', made);
      const { ClientToken: token } = input;
      return { RouteTable: viewTable(scene, draft, table), ...(token === undefined ? {} : { ClientToken: token }) };
    },
  }),
  DescribeRouteTables: describeNoun('route-table', {
    action: 'DescribeRouteTables',
    ids: 'RouteTableIds',
    result: ['RouteTables', 'routeTableSet'],
    shape: tableShape,
    filters: (network, { account }) => ({
      'route-table-id': ({ id }) => id,
      'vpc-id': ({ vpcId }) => vpcId,
      'owner-id': () => account,
      'association.main': ({ associations }) => associations.map(({ subnetId }) => String(subnetId === undefined)),
      'association.subnet-id': ({ associations }) => associations.map(({ subnetId }) => subnetId),
      'association.route-table-association-id': ({ associations }) => associations.map(({ id }) => id),
      'association.route-table-id': ({ id, associations }) => associations.map(() => id),
      'association.gateway-id': () => undefined,
      'route.destination-cidr-block': (table) =>
        [...localRoutes(network, table), ...table.routes.map(({ destination }) => destination)].filter(isIpv4),
      'route.destination-ipv6-cidr-block': ({ routes }) =>
        routes.flatMap(({ destination }) => (isIpv4(destination) ? [] : [destination])),
      'route.gateway-id': ({ routes }) => [
        'local',
        ...routes.flatMap(({ target }) => ('gatewayId' in target ? [target.gatewayId] : [])),
      ],
      'route.nat-gateway-id': ({ routes }) =>
        routes.flatMap(({ target }) => ('natGatewayId' in target ? [target.natGatewayId] : [])),
      'route.origin': ({ routes }) => ['CreateRouteTable', ...routes.map(() => 'CreateRoute')],
      'route.state': ({ routes }) => ['active', ...routes.map(({ target }) => stateOf(network, target))],
    }),
    view: (scene, network) => (table) => viewTable(scene, network, table),
  }),
  DeleteRouteTable: operation({
    input: struct('DeleteRouteTableRequest', { RouteTableId: required(text), DryRun: flag }),
    output: nothing,
    access: onTable('DeleteRouteTable'),
    change: (input, _scene, draft) => {
      const { id, associations } = find(draft, 'route-table', input.RouteTableId);
      if (associations.length > 0) throw dependency(`The routeTable '${id}' has dependencies and cannot be deleted.`);
      draft.remove('route-table', id);
      return {};
    },
  }),
  CreateRoute: setRoute(
    'CreateRoute',
    struct('CreateRouteRequest', routeMembers),
    struct('CreateRouteResult', { Return: flag }),
    false,
  ),
  ReplaceRoute: setRoute(
    'ReplaceRoute',
    struct('ReplaceRouteRequest', {
      ...routeMembers,
      LocalTarget: refused(flag, 'Routes to the VPC itself are there already, and cannot be changed.'),
    }),
    nothing,
    true,
  ),
  DeleteRoute: operation({
    input: struct('DeleteRouteRequest', destinations),
    output: nothing,
    access: onTable('DeleteRoute'),
    change: (input, _scene, draft) => {
      const table = find(draft, 'route-table', input.RouteTableId);
      const destination = destinationOf(input);
      refuseLocal(draft, table, destination, 'removed');
      draft.put('route-table', { ...table, routes: without(table, destination) });
      return {};
    },
  }),
  AssociateRouteTable: operation({
    input: struct('AssociateRouteTableRequest', {
      RouteTableId: required(text),
      SubnetId: text,
      GatewayId: refused(text, 'Route tables belong to subnets.'),
      PublicIpv4Pool: refused(text, 'Route tables belong to subnets.'),
      DryRun: flag,
    }),
    output: struct('AssociateRouteTableResult', { AssociationId: text, AssociationState: state }),
    access: mayOn('AssociateRouteTable', ({ RouteTableId, SubnetId }) => [
      ['route-table', RouteTableId],
      ['subnet', SubnetId],
    ]),
    change: (input, _scene, draft) => {
      if (input.SubnetId === undefined) throw missingParameter('SubnetId');
      const table = find(draft, 'route-table', input.RouteTableId);
      const subnet = find(draft, 'subnet', input.SubnetId);
      if (subnet.vpcId !== table.vpcId)
        throw invalidValue(
          subnet.id,
          'subnetId',
          `Route table ${table.id} and subnet ${subnet.id} belong to different networks.`,
        );
      const held = draft
        .all('route-table')
        .find((one) => one.associations.some(({ subnetId }) => subnetId === subnet.id));
      if (held !== undefined && held.id !== table.id)
        throw new AwsError(
          'Resource.AlreadyAssociated',
          `the specified association for route table ${table.id} conflicts with an existing association`,
        );
      // Asked again, the same answer, as EC2 gives it.
      const present = held?.associations.find(({ subnetId }) => subnetId === subnet.id);
      if (present !== undefined) return { AssociationId: present.id, AssociationState: associated };
      const id = newAssociation(draft);
      draft.put('route-table', { ...table, associations: [...table.associations, { id, subnetId: subnet.id }] });
      return { AssociationId: id, AssociationState: associated };
    },
  }),
  ReplaceRouteTableAssociation: operation({
    input: struct('ReplaceRouteTableAssociationRequest', {
      AssociationId: required(text),
      RouteTableId: required(text),
      DryRun: flag,
    }),
    output: struct('ReplaceRouteTableAssociationResult', { NewAssociationId: text, AssociationState: state }),
    access: mayOn('ReplaceRouteTableAssociation', ({ AssociationId, RouteTableId }, network) => [
      ['route-table', RouteTableId],
      ['route-table', holderOf(network, AssociationId)?.id],
    ]),
    change: (input, _scene, draft) => {
      const { from, association } = associationOf(draft, input.AssociationId);
      const to = find(draft, 'route-table', input.RouteTableId);
      if (to.vpcId !== from.vpcId)
        throw invalidValue(to.id, 'routeTableId', `Route tables ${from.id} and ${to.id} belong to different networks.`);
      if (to.id === from.id) return { NewAssociationId: association.id, AssociationState: associated };
      const moved = { ...association, id: newAssociation(draft) };
      draft.put('route-table', { ...from, associations: from.associations.filter((one) => one !== association) });
      draft.put('route-table', { ...to, associations: [...to.associations, moved] });
      return { NewAssociationId: moved.id, AssociationState: associated };
    },
  }),
  DisassociateRouteTable: operation({
    input: struct('DisassociateRouteTableRequest', { AssociationId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DisassociateRouteTable', ({ AssociationId }, network) => [
      ['route-table', holderOf(network, AssociationId)?.id],
    ]),
    change: (input, _scene, draft) => {
      const { from, association } = associationOf(draft, input.AssociationId);
      if (association.subnetId === undefined)
        throw invalidValue(
          association.id,
          'associationId',
          'The main route table stays: put another one in its place (ReplaceRouteTableAssociation).',
        );
      draft.put('route-table', { ...from, associations: from.associations.filter((one) => one !== association) });
      return {};
    },
  }),
};

/** What the operations on routes have in common. */
interface RouteInput {
  readonly RouteTableId: string;
  readonly DestinationCidrBlock?: string | undefined;
  readonly DestinationIpv6CidrBlock?: string | undefined;
  readonly DestinationPrefixListId?: string | undefined;
  readonly GatewayId?: string | undefined;
  readonly NatGatewayId?: string | undefined;
}

/** Puts a route into a table: one to a new destination, or another one in the place of that which is there. */
function setRoute<I extends RouteInput, O extends object>(
  action: string,
  input: Shape<I>,
  output: Shape<O>,
  replaces: boolean,
): Ec2Operation {
  return operation<I, O>({
    input,
    output,
    access: onTable(action),
    change: (given, _scene, draft) => {
      const table = find(draft, 'route-table', given.RouteTableId);
      const destination = destinationOf(given);
      refuseLocal(draft, table, destination, 'changed');
      const route = { destination, target: targetOf(draft, table, given) };
      const place = table.routes.findIndex((one) => one.destination === destination);
      const present = table.routes[place];
      if (replaces && present === undefined) throw noRoute(table, destination);
      if (!replaces && present !== undefined) {
        if (JSON.stringify(present) !== JSON.stringify(route))
          throw new AwsError('RouteAlreadyExists', `The route identified by ${destination} already exists.`);
        return { Return: true } as unknown as O;
      }
      if (table.routes.length >= mostRoutes && !replaces)
        throw new AwsError('RouteLimitExceeded', `The maximum number of routes has been reached: ${mostRoutes}.`);
      const routes = replaces ? table.routes.with(place, route) : [...table.routes, route];
      draft.put('route-table', { ...table, routes });
      return { Return: true } as unknown as O;
    },
  });
}

/** @throws InvalidParameterCombination, InvalidParameterValue, InvalidPrefixListID.NotFound */
function destinationOf(
  input: Pick<RouteInput, 'DestinationCidrBlock' | 'DestinationIpv6CidrBlock' | 'DestinationPrefixListId'>,
): string {
  const { DestinationCidrBlock: cidr, DestinationIpv6CidrBlock: cidr6, DestinationPrefixListId: prefixList } = input;
  const given = [cidr, cidr6, prefixList].filter((one) => one !== undefined);
  if (given.length === 0) throw missingParameter('DestinationCidrBlock');
  if (given.length > 1) throw invalidCombination('A route has exactly one destination.');
  if (prefixList !== undefined) throw noPrefixLists(prefixList);
  return cidr === undefined ? checkedCidr6(cidr6) : checkedCidr(cidr);
}

/** @throws InvalidParameterCombination, InvalidGatewayID.NotFound, NatGatewayNotFound, InvalidParameterValue */
function targetOf(
  network: Network,
  { vpcId }: RouteTableRecord,
  { GatewayId: gatewayId, NatGatewayId: natGatewayId }: RouteInput,
): RouteTarget {
  if ((gatewayId === undefined) === (natGatewayId === undefined))
    throw invalidCombination('A route has exactly one target: GatewayId or NatGatewayId.');
  if (natGatewayId !== undefined) {
    const nat = network.get('natgateway', natGatewayId);
    if (nat === undefined || nat.deletedAt !== undefined) throw notFound('natgateway', natGatewayId);
    if (nat.vpcId !== vpcId) throw foreign(natGatewayId, vpcId);
    return { natGatewayId };
  }
  if (gatewayId === 'local') throw unsupported('The target local', 'Routes to the VPC itself are there already.');
  const gateway = network.get('internet-gateway', gatewayId);
  if (gateway === undefined)
    throw new AwsError(
      'InvalidGatewayID.NotFound',
      `The gateway ID '${(gatewayId ?? '').slice(0, 100)}' does not exist`,
    );
  if (gateway.vpcId !== vpcId) throw foreign(gateway.id, vpcId);
  return { gatewayId: gateway.id };
}

const foreign = (id: string, vpcId: string): AwsError =>
  invalidValue(id, 'gatewayId', `The gateway is not attached to the VPC of the route table, ${vpcId}.`);

/** @throws InvalidRoute.NotFound */
function without(table: RouteTableRecord, destination: string): readonly RouteRecord[] {
  const routes = table.routes.filter((route) => route.destination !== destination);
  if (routes.length === table.routes.length) throw noRoute(table, destination);
  return routes;
}

const noRoute = ({ id }: RouteTableRecord, destination: string): AwsError =>
  new AwsError('InvalidRoute.NotFound', `no route with destination-cidr-block ${destination} in route table ${id}`);

function refuseLocal(network: Network, table: RouteTableRecord, destination: string, done: string): void {
  if (localRoutes(network, table).includes(destination))
    throw invalidValue(destination, 'destinationCidrBlock', `The route to the VPC's own range cannot be ${done}.`);
}

/** The ranges that every table routes within the VPC. */
const localRoutes = (network: Network, { vpcId }: RouteTableRecord): readonly string[] =>
  network.get('vpc', vpcId)?.cidrs.map(({ cidr }) => cidr) ?? [];

const isIpv4 = (destination: string): boolean => !destination.includes(':');

const newAssociation = (draft: Draft): string => associationId('rtbassoc', draft.newId('route-table', ''));

const holderOf = (network: Network, id: string): RouteTableRecord | undefined =>
  network.all('route-table').find(({ associations }) => associations.some((one) => one.id === id));

/** @throws InvalidAssociationID.NotFound */
function associationOf(network: Network, id: string) {
  const from = holderOf(network, id);
  const association = from?.associations.find((one) => one.id === id);
  if (from === undefined || association === undefined) throw unknownAssociation(id);
  return { from, association };
}

/** A route whose gateway is gone leads nowhere, and says so. */
const stateOf = (network: Network, target: RouteTarget): string => {
  if ('gatewayId' in target)
    return network.get('internet-gateway', target.gatewayId)?.vpcId === undefined ? 'blackhole' : 'active';
  const nat = network.get('natgateway', target.natGatewayId);
  return nat === undefined || nat.deletedAt !== undefined ? 'blackhole' : 'active';
};

const viewTable = (scene: Scene, network: Network, table: RouteTableRecord): Of<typeof tableShape> => ({
  RouteTableId: table.id,
  VpcId: table.vpcId,
  OwnerId: scene.account,
  Associations: table.associations.map(({ id, subnetId }) => ({
    Main: subnetId === undefined,
    RouteTableAssociationId: id,
    RouteTableId: table.id,
    ...(subnetId === undefined ? {} : { SubnetId: subnetId }),
    AssociationState: associated,
  })),
  PropagatingVgws: [],
  Routes: [
    ...localRoutes(network, table).map((cidr) => ({
      DestinationCidrBlock: cidr,
      GatewayId: 'local',
      Origin: 'CreateRouteTable',
      State: 'active',
    })),
    ...table.routes.map(({ destination, target }) => ({
      ...(isIpv4(destination) ? { DestinationCidrBlock: destination } : { DestinationIpv6CidrBlock: destination }),
      ...('gatewayId' in target ? { GatewayId: target.gatewayId } : { NatGatewayId: target.natGatewayId }),
      Origin: 'CreateRoute',
      State: stateOf(network, target),
    })),
  ],
  Tags: tagList(table.tags),
});
