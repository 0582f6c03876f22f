import { definePartition, type OwnedRows } from '@slipway/storage/records';

import type { TokenRecord } from './records/definitions.ts';

/** Where each record of ECS itself lies. Partition = one account's ECS index, or one cluster (everything that must commit together). */

export const installations = definePartition('ecs', 'what belongs to no account');
export const accounts = definePartition(
  'ecs/<account>',
  'the task definitions of one account, and which clusters it has',
);
export const clusters = definePartition('ecs/<account>/<cluster>', 'one cluster');

/** What the installation has one of: leases of work that goes over all accounts, and what is found before its account is known. */
export const installationPartition = installations.name();
export const accountPartition = accounts.name;
export const clusterPartition = clusters.name;

/** In the account's partition. */
export const accountKeys = {
  cluster: (name: string): string => `cluster/${name}`,
  clusters: 'cluster/',
  family: (family: string): string => `family/${family}`,
  families: 'family/',
  capacityProvider: (name: string): string => `provider/${name}`,
  capacityProviders: 'provider/',
  /** Which provider a group has: each has one. */
  providerGroup: (group: string): string => `provider-group/${group}`,
  providerGroups: 'provider-group/',
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
  /** What a service's deployment wants of the rules of its load balancers, and what engines have acknowledged of it. */
  shift: (service: string): string => `shift/${service}`,
  shifts: 'shift/',
  shiftLive: (service: string): string => `shifted/${service}`,
  shiftLives: 'shifted/',
  /** What engines have counted of its two revisions while those shared its traffic. */
  measured: (service: string): string => `measured/${service}`,
  allMeasured: 'measured/',
  hookResult: (service: string, run: string): string => `hook/${service}/${run}`,
  hookResults: 'hook/',
  /** Sessions of ECS Exec that wait for their client or their host. */
  exec: (session: string): string => `exec/${session}`,
  execs: 'exec/',
  token: (operation: TokenRecord['operation'], token: string): string => `token/${operation}/${token}`,
  tokens: 'token/',
} as const;

/** The lease of a cluster's leader, in the cluster's partition. */
export const leaderLease = 'leader';

export const stateRows: readonly OwnedRows[] = [
  {
    partition: accounts,
    owner: 'scheduler/state',
    keys: [
      accountKeys.clusters,
      accountKeys.families,
      accountKeys.allTaskDefinitions,
      accountKeys.capacityProviders,
      accountKeys.providerGroups,
    ],
  },
  {
    partition: clusters,
    owner: 'scheduler/state',
    keys: [
      clusterKeys.cluster,
      clusterKeys.instances,
      clusterKeys.loads,
      clusterKeys.tasks,
      clusterKeys.services,
      clusterKeys.events,
      clusterKeys.histories,
      clusterKeys.shifts,
      clusterKeys.shiftLives,
      clusterKeys.allMeasured,
      clusterKeys.hookResults,
      clusterKeys.execs,
      clusterKeys.tokens,
    ],
  },
];
