import { holds, parseAddress, parseCidr } from '../addresses/index.ts';

import type { Network } from './network.ts';
import type { RouteRecord, SubnetRecord } from './records.ts';

/** Whether what runs in a subnet gets to addresses outside of its network, and why. */
export interface Outside {
  readonly reaches: boolean;
  /** A sentence for people. */
  readonly why: string;
}

/** An address that stands for the internet: none of anybody's networks. */
const somewhere = parseAddress('192.0.2.1') as number;

/**
 * Whether something in a subnet gets to addresses outside: by a route to an internet gateway, for what has a public address, or by one
 * to a public NAT gateway in a subnet that has such a route. Hosts drop what does not. What does get out leaves with the host's own
 * address: gateways decide, and do nothing themselves.
 * @param publicAddress whether it asks for a public address (`assignPublicIp`)
 */
export function reachesOutside(network: Network, subnet: SubnetRecord, publicAddress: boolean): Outside {
  const table = network.tableOf(subnet);
  const route = table && routeFor(table.routes, somewhere);
  if (table === undefined || route === undefined)
    return no(`The route table ${table?.id ?? 'of the subnet'} has no route to 0.0.0.0/0.`);
  if ('gatewayId' in route.target) {
    const gateway = network.get('internet-gateway', route.target.gatewayId);
    if (gateway?.vpcId !== subnet.vpcId)
      return no(`The route of ${table.id} leads to ${route.target.gatewayId}, which is not attached to the VPC.`);
    return publicAddress
      ? { reaches: true, why: `Through the internet gateway ${gateway.id}.` }
      : no(`Behind the internet gateway ${gateway.id} only what has a public address gets out: set assignPublicIp.`);
  }
  const nat = network.get('natgateway', route.target.natGatewayId);
  if (nat === undefined || nat.deletedAt !== undefined)
    return no(`The route of ${table.id} leads to ${route.target.natGatewayId}, which is deleted.`);
  if (!nat.isPublic) return no(`The NAT gateway ${nat.id} is a private one.`);
  const own = network.get('subnet', nat.subnetId);
  // One that stands behind another leads nowhere, as in EC2: its own subnet needs the internet gateway.
  if (own === undefined || !leadsToInternetGateway(network, own))
    return no(`The subnet of the NAT gateway ${nat.id}, ${nat.subnetId}, has no route to an internet gateway.`);
  return { reaches: true, why: `Through the NAT gateway ${nat.id}.` };
}

/** Whether a subnet's route for the internet leads to an internet gateway that is attached to its VPC. */
export function leadsToInternetGateway(network: Network, subnet: SubnetRecord): boolean {
  const route = routeFor(network.tableOf(subnet)?.routes ?? [], somewhere);
  if (route === undefined || !('gatewayId' in route.target)) return false;
  return network.get('internet-gateway', route.target.gatewayId)?.vpcId === subnet.vpcId;
}

/** The most specific route for an address; undefined when none is for it. */
export function routeFor(routes: readonly RouteRecord[], address: number): RouteRecord | undefined {
  let best: RouteRecord | undefined;
  let longest = -1;
  for (const route of routes) {
    const range = parseCidr(route.destination);
    if (range === undefined || range.length <= longest || !holds(range, address)) continue;
    [best, longest] = [route, range.length];
  }
  return best;
}

const no = (why: string): Outside => ({ reaches: false, why });
