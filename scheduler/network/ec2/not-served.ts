import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type Ec2Operations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const instances =
  'Instances are machines of Auto Scaling groups: make a group, or have a machine join with slipway agent, which ECS lists as a container instance.';
const images = 'There are no machine images, volumes and snapshots: hosts are machines of your own.';
const keys = 'There are no instances to log in to.';
const between = 'VPCs are not connected to each other or to other networks: what must talk belongs in one VPC.';
const endpoints = 'Services of this installation are reached at its own address, from every VPC: remove the endpoint.';
const prefixLists = 'There are no prefix lists: name the ranges themselves in rules and routes.';
const ipv6 = 'There are no IPv6 addresses: remove what is about them.';
const flow = 'Traffic is not recorded.';
const interfaces =
  'Interfaces are made with tasks and NAT gateways, and end with them: give the task subnets and security groups.';
const nat = 'A NAT gateway has one address: it is a record, and carries no traffic.';
const pools = 'There are no pools of addresses (IPAM): give VPCs and subnets their ranges.';
const tenancy = 'Hosts are shared by all VPCs.';

/** Operations of EC2's API that people's tools call and that are not served, and what to do instead. Others are unknown to the gateway. */
export const notServed: Readonly<Record<string, string>> = {
  RunInstances: instances,
  StartInstances: instances,
  StopInstances: instances,
  RebootInstances: instances,
  DescribeInstanceAttribute: instances,
  DescribeInstanceStatus: instances,
  DescribeInstanceTypes: instances,
  DescribeInstanceTypeOfferings: instances,
  ModifyInstanceAttribute: instances,
  CreateFleet: instances,
  RequestSpotInstances: instances,
  RequestSpotFleet: instances,
  CreateImage: images,
  DescribeImages: images,
  CreateVolume: images,
  DescribeVolumes: images,
  DeleteVolume: images,
  AttachVolume: images,
  DetachVolume: images,
  CreateSnapshot: images,
  DescribeSnapshots: images,
  DeleteSnapshot: images,
  CreateKeyPair: keys,
  ImportKeyPair: keys,
  DescribeKeyPairs: keys,
  DeleteKeyPair: keys,
  CreateVpcPeeringConnection: between,
  AcceptVpcPeeringConnection: between,
  DescribeVpcPeeringConnections: between,
  CreateTransitGateway: between,
  DescribeTransitGateways: between,
  CreateTransitGatewayVpcAttachment: between,
  CreateVpnGateway: between,
  AttachVpnGateway: between,
  DescribeVpnGateways: between,
  CreateVpnConnection: between,
  DescribeVpnConnections: between,
  CreateCustomerGateway: between,
  DescribeCustomerGateways: between,
  EnableVgwRoutePropagation: between,
  DisableVgwRoutePropagation: between,
  CreateVpcEndpoint: endpoints,
  DescribeVpcEndpoints: endpoints,
  DescribeVpcEndpointServices: endpoints,
  ModifyVpcEndpoint: endpoints,
  DeleteVpcEndpoints: endpoints,
  CreateManagedPrefixList: prefixLists,
  DescribeManagedPrefixLists: prefixLists,
  DescribePrefixLists: prefixLists,
  GetManagedPrefixListEntries: prefixLists,
  CreateEgressOnlyInternetGateway: ipv6,
  DescribeEgressOnlyInternetGateways: ipv6,
  DeleteEgressOnlyInternetGateway: ipv6,
  AssociateSubnetCidrBlock: ipv6,
  DisassociateSubnetCidrBlock: ipv6,
  CreateFlowLogs: flow,
  DescribeFlowLogs: flow,
  DeleteFlowLogs: flow,
  CreateNetworkInterface: interfaces,
  DeleteNetworkInterface: interfaces,
  AttachNetworkInterface: interfaces,
  DetachNetworkInterface: interfaces,
  ModifyNetworkInterfaceAttribute: interfaces,
  DescribeNetworkInterfaceAttribute: interfaces,
  AssociateNatGatewayAddress: nat,
  DisassociateNatGatewayAddress: nat,
  AssignPrivateNatGatewayAddress: nat,
  UnassignPrivateNatGatewayAddress: nat,
  CreateIpam: pools,
  DescribeIpamPools: pools,
  ModifyVpcTenancy: tenancy,
  CreatePlacementGroup: tenancy,
  DescribePlacementGroups: tenancy,
};

export const notServedOperations: Ec2Operations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
