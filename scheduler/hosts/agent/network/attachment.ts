import { createHash } from 'node:crypto';

import type { AgentTask } from '../../wire/index.ts';

/** A task's network interface as the control plane handed it out (ACS: `elasticNetworkInterfaces`). */
export interface Attachment {
  /** `eni-` and 17 hexadecimal digits. */
  readonly id: string;
  /** IPv4, of the slice that this host has of the subnet. */
  readonly address: string;
  /** Six pairs of hexadecimal digits. */
  readonly mac: string;
  readonly vpc: string;
  /** `sg-…`, at most five. */
  readonly securityGroups: readonly string[];
  /** Whether the subnet has a way out of the VPC; without one the host drops what goes there. */
  readonly outside: boolean;
}

/** The network interfaces that a task was handed. */
export const attachmentsOf = ({ elasticNetworkInterfaces }: AgentTask): Attachment[] =>
  elasticNetworkInterfaces.map(({ ec2Id, ipv4Addresses, macAddress, vpcId, securityGroups, outside }) => ({
    id: ec2Id,
    address: (ipv4Addresses.find(({ primary }) => primary) ?? ipv4Addresses[0])?.privateAddress ?? '',
    mac: macAddress,
    vpc: vpcId,
    securityGroups,
    outside,
  }));

const hash = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** Begins the names of all links of an agent's tasks: nothing else of a host may, and agents of one host have different ones. */
export const prefixOf = (agentId: string): string => `ecs${hash(agentId, 4)}`;

/** The host's end of an attachment's link. The kernel takes 15 characters; ids are too long for it. */
export const linkOf = (prefix: string, id: string): string => `${prefix}${hash(id, 8)}`;

/** Whether a link of this host is a task's, of whichever agent. */
export const isTaskLink = (name: string): boolean => /^ecs[0-9a-f]{12}$/.test(name);

/** Tells the routes of the agent whose links begin with `prefix` from those of others of its host. */
export const metricOf = (prefix: string): number => Number.parseInt(prefix.slice(3), 16) + 1;

/** What every task's default route points to; each host end of a link carries it, and it never leaves the link. */
export const gateway = '169.254.1.1';
