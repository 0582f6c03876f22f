/** The records of networks, how they are read and changed, and what follows from them. */
export {
  allOut,
  associationId,
  defaultNetwork,
  defaultSubnet,
  macOf,
  type NewId,
  type Row,
  vpcRows,
} from './defaults.ts';
export { Draft } from './draft.ts';
export { type HostGroup, type HostPermission, type HostRules, hostRules } from './host-rules.ts';
export { attachInterface, detachInterface, type Unattached } from './interfaces.ts';
export { networkKeys, networkPartition, networkRows } from './keys.ts';
export { Network } from './network.ts';
export { leadsToInternetGateway, type Outside, reachesOutside } from './reach.ts';
export type {
  DhcpOptionsRecord,
  ElasticAddressRecord,
  InternetGatewayRecord,
  LaunchTemplateRecord,
  NatGatewayRecord,
  NetworkAclEntryRecord,
  NetworkAclRecord,
  NetworkInterfaceRecord,
  NetworkRecords,
  NounType,
  RouteRecord,
  RouteTableRecord,
  RouteTarget,
  RulePeer,
  RuleTraffic,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SliceRecord,
  SubnetRecord,
  Tags,
  TemplateData,
  TemplateVersionRecord,
  VpcRecord,
} from './records.ts';
export { prefixes } from './records.ts';
export { networksThatAreRecords } from './stand-ins.ts';
export { Networks, type NetworksOptions } from './store.ts';
export { templateVersionNumber } from './template-versions.ts';
