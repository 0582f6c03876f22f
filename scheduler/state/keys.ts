import type { TokenRecord } from './records.ts';

/** Where each record lies. Partition = one account's ECS index, or one cluster (everything that must commit together). */

export const accountPartition = (account: string): string => `ecs/${account}`;
export const clusterPartition = (account: string, cluster: string): string => `ecs/${account}/${cluster}`;

/** In the account's partition. */
export const accountKeys = {
  cluster: (name: string): string => `cluster/${name}`,
  clusters: 'cluster/',
  family: (family: string): string => `family/${family}`,
  families: 'family/',
  taskDefinition: (family: string, revision: number): string =>
    `taskdef/${family}/${String(revision).padStart(9, '0')}`,
  allTaskDefinitions: 'taskdef/',
  taskDefinitions: (family: string): string => `taskdef/${family}/`,
  /** What was put for a user, a role or (the root's) for everybody in the account. */
  accountSetting: (principalArn: string, name: string): string => `setting/${principalArn}/${name}`,
  accountSettings: 'setting/',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
} as const;

/** In a cluster's partition. */
export const clusterKeys = {
  cluster: 'cluster',
  instance: (id: string): string => `instance/${id}`,
  instances: 'instance/',
  /** Bumped by every placement on the instance, under a version condition, so that two placers never count on the same room. */
  load: (instance: string): string => `load/${instance}`,
  loads: 'load/',
  task: (id: string): string => `task/${id}`,
  tasks: 'task/',
  service: (name: string): string => `service/${name}`,
  services: 'service/',
  events: 'event/',
  /** `order` makes the newest sort first, so that one page is the newest hundred. */
  serviceEvent: (service: string, createdAt: number, id: string): string =>
    `event/${service}/${String(Number.MAX_SAFE_INTEGER - createdAt).padStart(16, '0')}/${id}`,
  serviceEvents: (service: string): string => `event/${service}/`,
  /** `deploymentId` is `ecs-svc/<digits>`; the key ends in the digits. */
  deploymentHistory: (service: string, deploymentId: string): string =>
    `history/${service}/${deploymentId.slice(deploymentId.lastIndexOf('/') + 1)}`,
  deploymentHistories: (service: string): string => `history/${service}/`,
  histories: 'history/',
  token: (operation: TokenRecord['operation'], token: string): string => `token/${operation}/${token}`,
  tokens: 'token/',
  /** A server that holds agents' connections of this cluster; renewed while it lives. */
  connectionServer: (serverId: string): string => `connections/${serverId}`,
  connectionServers: 'connections/',
} as const;

/** The lease of a cluster's leader, in the cluster's partition. */
export const leaderLease = 'leader';
