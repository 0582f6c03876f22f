import type * as ecs from '@aws-sdk/client-ecs';
import type { Call, Operations } from '@slipway/auth/contract';
import type { Pages } from '@slipway/auth/kit';
import type { Outbound } from '@slipway/auth/outbound';

import { type ClusterRef, type EcsPorts, type Home, parseCluster } from '../cluster/index.ts';
import type { WaitingSessions } from '../exec/sessions/index.ts';
import type { TargetGroups } from '../services/index.ts';
import type { TaskNetworks, TaskPlacer } from '../tasks/index.ts';

/** Operations of the ECS API, by name, with the SDK's own types. */
export type EcsOperations = Operations<typeof ecs>;

/** What the ECS API is made of. */
export interface EcsOptions extends EcsPorts {
  /** Decides where tasks of RunTask and StartTask go, and commits them. */
  readonly placer: TaskPlacer;
  /** Where tasks with network interfaces of their own may be. */
  readonly networks: TaskNetworks;
  /** Where tasks of services may be registered. */
  readonly targetGroups: TargetGroups;
  /** What capacity providers with managed scaling are of. */
  readonly autoScalingGroups: {
    byName(account: string, name: string): Promise<{ readonly protectNew: boolean } | undefined>;
  };
  /** What calls the webhooks of deployments. */
  readonly outbound: Pick<Outbound, 'check'>;
  /** Where sessions of ECS Exec wait for their clients. */
  readonly sessions: Pick<WaitingSessions, 'add'>;
  /** The operations that agents call. */
  readonly agentOperations: EcsOperations;
}

/** What the operations work with. */
export interface EcsApi extends EcsOptions {
  readonly pages: Pages;
}

/** Where identifiers of a call must live. */
export const homeOf = (options: EcsPorts, call: Call): Home => ({ account: call.account, region: options.region });

/** The cluster of a request: a name, an ARN, or `default`. */
export const clusterOf = (options: EcsPorts, call: Call, cluster: string | undefined): ClusterRef => ({
  account: call.account,
  cluster: parseCluster(cluster, homeOf(options, call)),
});
