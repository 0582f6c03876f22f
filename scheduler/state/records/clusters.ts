import type { Principal } from '@slipway/auth/contract';

import type { CapacityProvider, CapacityProviderStrategy } from './providers.ts';
import type { Tags } from './tags.ts';

/** A cluster. Its own partition holds the truth under `cluster`; the account's partition holds an index row. */
export interface ClusterRecord {
  readonly name: string;
  readonly status: 'ACTIVE' | 'INACTIVE';
  readonly createdAt: number;
  readonly tags: Tags;
  /** `settings`, `configuration`, capacity providers: kept as given, in the SDK's shape. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly configuration?: { readonly executeCommandConfiguration: ExecConfiguration };
  /** Those that strategies in the cluster may name. */
  readonly capacityProviders: readonly CapacityProvider[];
  /** Which of them are of Auto Scaling groups. Absent: none. */
  readonly groupProviders?: readonly { readonly name: CapacityProvider; readonly group: string }[];
  /** Of services and tasks that name neither a strategy nor a launch type. */
  readonly defaultCapacityProviderStrategy: CapacityProviderStrategy;
}

/** How sessions of ECS Exec in a cluster are logged. */
export interface ExecConfiguration {
  /** DEFAULT: where the container's log driver awslogs writes; OVERRIDE: into the group. */
  readonly logging: 'NONE' | 'DEFAULT' | 'OVERRIDE';
  readonly logConfiguration?: { readonly cloudWatchLogGroupName: string };
}

/** A session of ECS Exec, from when it was asked for until it is over: who has its token, once, and which host is to serve it. */
export interface ExecSessionRecord {
  readonly id: string;
  readonly taskId: string;
  readonly containerName: string;
  /** Docker's id of the container. */
  readonly runtimeId: string;
  readonly instanceId: string;
  /** The words of the command; the first is the program. */
  readonly command: readonly string[];
  readonly interactive: boolean;
  /** It is no command: files are copied from or to the container, as an archive. */
  readonly copies?: 'from' | 'to';
  /** Who asked for it. */
  readonly principal: Principal;
  readonly createdAt: number;
  /** SHA-256 of the token; gone once it was used. */
  readonly tokenHash?: string;
  /** When the token was made, if that was later than the session: a client whose connection broke comes again with another one. */
  readonly resumableAt?: number;
  /** When the client came; then the host is told, until it has come as well. */
  readonly openedAt?: number;
  /** How often the client came again to a server that has not the session. */
  readonly carries?: number;
  /** When the server that has the session said last that it has; not there before the session has begun. */
  readonly aliveAt?: number;
  /** When somebody asked for its end: then the host is told. */
  readonly endAskedAt?: number;
}
