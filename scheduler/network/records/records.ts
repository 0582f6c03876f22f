/** What an account's networks are made of, record by record. Ranges and addresses are texts, times milliseconds since the epoch. */

export type Tags = Readonly<Record<string, string>>;

interface Noun {
  readonly id: string;
  readonly tags: Tags;
}

/** A VPC: ranges of addresses, and a security domain of its own. */
export interface VpcRecord extends Noun {
  /** The first is the one it was made with. */
  readonly cidrs: readonly { readonly associationId: string; readonly cidr: string }[];
  /** Of the account's default network, which nobody made. */
  readonly isDefault: boolean;
  readonly dhcpOptionsId: string;
  readonly enableDnsSupport: boolean;
  readonly enableDnsHostnames: boolean;
  readonly enableNetworkAddressUsageMetrics: boolean;
}

/** A range of a VPC whose tasks run on the hosts of one zone. */
export interface SubnetRecord extends Noun {
  readonly vpcId: string;
  readonly cidr: string;
  readonly zone: string;
  /** The default network's subnet of its zone. */
  readonly isDefault: boolean;
  readonly mapPublicIpOnLaunch: boolean;
}

export interface SecurityGroupRecord extends Noun {
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
}

/** What a rule lets through, or where: exactly one of the members. IPv6 ranges match nothing here, since nothing has such an address. */
export type RulePeer =
  | { readonly cidr: string }
  | { readonly cidr6: string }
  /** Whatever has an interface in this group. */
  | { readonly group: string };

/** What a rule lets through. */
export interface RuleTraffic {
  /** `tcp`, `udp`, `icmp`, `icmpv6`, another number as text, or `-1` for everything. */
  readonly protocol: string;
  /** Ports of TCP and UDP; of ICMP the type, -1 for any. Absent for other protocols. */
  readonly from?: number;
  /** The last port; of ICMP the code, -1 for any. */
  readonly to?: number;
}

export interface SecurityGroupRuleRecord extends Noun, RuleTraffic {
  readonly groupId: string;
  readonly egress: boolean;
  readonly peer: RulePeer;
  readonly description?: string;
}

/** Where a route leads. */
export type RouteTarget = { readonly gatewayId: string } | { readonly natGatewayId: string };

export interface RouteRecord {
  /** A range, of IPv4 or IPv6; the latter leads nothing anywhere. */
  readonly destination: string;
  readonly target: RouteTarget;
}

/** The routes of subnets, beside those to the VPC's own ranges, which every table has. */
export interface RouteTableRecord extends Noun {
  readonly vpcId: string;
  readonly routes: readonly RouteRecord[];
  /** With a subnet, or, without one, with the VPC: then it is the main table, for subnets that have none. */
  readonly associations: readonly { readonly id: string; readonly subnetId?: string }[];
}

export interface InternetGatewayRecord extends Noun {
  /** Absent while it is attached to none. */
  readonly vpcId?: string;
}

export interface NatGatewayRecord extends Noun {
  readonly vpcId: string;
  readonly subnetId: string;
  /** A private one leads to other networks, not outside. */
  readonly isPublic: boolean;
  readonly interfaceId: string;
  readonly privateAddress: string;
  readonly allocationId?: string;
  readonly createdAt: number;
  /** Set when it was deleted: it stays to be seen for an hour. */
  readonly deletedAt?: number;
}

/** An address that others would see. It is one that is routed nowhere (RFC 2544): what leaves a host has the host's address. */
export interface ElasticAddressRecord extends Noun {
  readonly address: string;
  readonly association?: { readonly id: string; readonly interfaceId: string; readonly privateAddress: string };
}

export interface DhcpOptionsRecord extends Noun {
  readonly configurations: readonly { readonly key: string; readonly values: readonly string[] }[];
}

/** Entries of a network ACL let everything through, or there is none: see `network-acls.ts`. */
export interface NetworkAclEntryRecord {
  readonly number: number;
  readonly egress: boolean;
  readonly cidr?: string;
  readonly cidr6?: string;
}

export interface NetworkAclRecord extends Noun {
  readonly vpcId: string;
  readonly isDefault: boolean;
  readonly entries: readonly NetworkAclEntryRecord[];
  readonly associations: readonly { readonly id: string; readonly subnetId: string }[];
}

/** What machines of an Auto Scaling group are made from; what each version says lies in a row of its own. */
export interface LaunchTemplateRecord extends Noun {
  readonly name: string;
  readonly createdAt: number;
  /** The ARN of whoever made it. */
  readonly createdBy: string;
  readonly defaultVersion: number;
  /** The number of the newest version ever made; numbers are not used again. */
  readonly latestVersion: number;
}

/** What a template says of machines, as the request had it (`RequestLaunchTemplateData`): providers of machines are handed all of it. */
export interface TemplateData {
  readonly ImageId?: string;
  readonly InstanceType?: string;
  /** Base64. */
  readonly UserData?: string;
  readonly IamInstanceProfile?: { readonly Arn?: string; readonly Name?: string };
  readonly TagSpecifications?: readonly {
    readonly ResourceType?: string;
    readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  }[];
  readonly [member: string]: unknown;
}

export interface TemplateVersionRecord {
  readonly templateId: string;
  readonly number: number;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly description?: string;
  readonly data: TemplateData;
}

/** An address in a subnet that something has: a task, or a NAT gateway. */
export interface NetworkInterfaceRecord extends Noun {
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly address: string;
  readonly mac: string;
  readonly groups: readonly string[];
  readonly type: 'interface' | 'nat_gateway';
  readonly description: string;
  /** The task that it is of, and where that runs. */
  readonly task?: { readonly cluster: string; readonly instanceId: string; readonly id: string };
  /** Who made it and alone may end it; empty for people. */
  readonly requester: string;
  readonly createdAt: number;
}

/** A part of a subnet whose addresses one host gives to its tasks. */
export interface SliceRecord {
  readonly cidr: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly cluster: string;
  readonly instanceId: string;
  /** Where other hosts reach this one; absent while it has not said so. */
  readonly hostAddress?: string;
  /** Its end of encrypted tunnels, `KEY:PORT`; absent where it has none. */
  readonly hostTunnel?: string;
  /** Since when its host is no longer in the cluster, for people: tasks that nobody could stop may run there still. */
  readonly orphanedAt?: number;
  /** For how many milliseconds that has surely been so, by no wall clock. */
  readonly orphanedFor?: number;
}

/** The records by the name that EC2 has for their type, which also stands in their ARNs. */
export interface NetworkRecords {
  readonly vpc: VpcRecord;
  readonly subnet: SubnetRecord;
  readonly 'security-group': SecurityGroupRecord;
  readonly 'security-group-rule': SecurityGroupRuleRecord;
  readonly 'route-table': RouteTableRecord;
  readonly 'internet-gateway': InternetGatewayRecord;
  readonly natgateway: NatGatewayRecord;
  readonly 'elastic-ip': ElasticAddressRecord;
  readonly 'dhcp-options': DhcpOptionsRecord;
  readonly 'network-acl': NetworkAclRecord;
  readonly 'launch-template': LaunchTemplateRecord;
}

export type NounType = keyof NetworkRecords;

/** How ids of each type begin. */
export const prefixes: Readonly<Record<NounType | 'network-interface', string>> = {
  vpc: 'vpc',
  subnet: 'subnet',
  'security-group': 'sg',
  'security-group-rule': 'sgr',
  'route-table': 'rtb',
  'internet-gateway': 'igw',
  natgateway: 'nat',
  'elastic-ip': 'eipalloc',
  'dhcp-options': 'dopt',
  'network-acl': 'acl',
  'launch-template': 'lt',
  'network-interface': 'eni',
};
