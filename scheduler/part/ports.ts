import type { AcmeAuthority } from '@slipway/auth/acme';
import type { Authorizer, Log, PolicyPrincipals } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import type { Storage } from '@slipway/storage/engine';

import type { Probe } from '../balancing/health/index.ts';
import type { LocalEngine } from '../balancing/traffic/index.ts';
import type { AddressPool } from '../balancing/records/index.ts';
import type { ControlMeter, ControlPlaneOptions } from '../control/index.ts';
import type { HookPorts } from '../hooks/index.ts';
import type { TaskCredentialsPort } from '../hosts/control/index.ts';
import type { Ec2Options } from '../network/ec2/index.ts';
import type { PlacementPlugins } from '../placement/index.ts';
import type { TaskReach } from '../reach/index.ts';
import type { JoinPorts, KeeperPorts } from '../scaling/groups/index.ts';
import type { UsageOptions } from '../signals/usage/index.ts';
import type { RandomBytes } from '../state/index.ts';
import type { FollowedImages } from '../triggers/index.ts';

/** Which services of AWS would take on roles for what is done here. */
export type RoleTaker = 'ecs.amazonaws.com' | 'codedeploy.amazonaws.com';

/** What a scheduler needs from around it. Nothing that decides who may do or reach what is optional. */
export interface SchedulerPorts {
  readonly storage: Pick<Storage, 'records' | 'blobs' | 'events' | 'leases'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly meter: ControlMeter;
  readonly region: string;
  /** The account whose clusters are watched from the start; it has the cluster `default`. */
  readonly account: string;
  /** The registry of this installation. */
  readonly images: FollowedImages & ControlPlaneOptions['images'];
  /** How often images of it were pulled through this process since this was asked last. */
  readonly pulls: UsageOptions['pulls'];
  /** Whether a host in an image reference means this installation: its images are resolved, pinned, and pulled with its passwords. */
  readonly ownHost: (host: string) => boolean;
  /** What container engines may be told to connect to for tasks. */
  readonly reach: TaskReach;
  readonly authorizer: Authorizer;
  /** The guarded client, for addresses that users gave. */
  readonly outbound: Pick<Outbound, 'fetch' | 'check'>;
  /** Takes on the role of a deployment's hook, or of a deployment group, for the service of AWS that would do so; see `HookPorts.takeRole`. */
  readonly takeRole: (
    request: Parameters<HookPorts['takeRole']>[0] & {
      readonly service: RoleTaker;
    },
  ) => ReturnType<HookPorts['takeRole']>;
  /** What machines that are made from a launch template act as: the role of its instance profile. */
  readonly profileRole: Ec2Options['profileRole'];
  /** Who the resource policies of secrets, file systems and buckets are about. */
  readonly principals: PolicyPrincipals;
  /** Keeps the secrets of webhooks, and those of Secrets Manager and Parameter Store. */
  readonly sealer: Sealer;
  /** Makes and ends the credentials of tasks' roles. */
  readonly taskCredentials: TaskCredentialsPort;
  readonly revokeTaskCredentials: (accessKeyId: string) => Promise<void>;
  /** See `AgentControlOptions.credentialIdKey`. */
  readonly credentialIdKey: Uint8Array;
  /**
   * What carries the traffic of load balancers: addresses that they have, the engines of this machine, and how their targets are checked;
   * a server that cannot check looks after no targets.
   */
  readonly traffic: {
    readonly addresses: AddressPool;
    readonly engines: readonly LocalEngine[];
    readonly probe: Probe | undefined;
    /** Who issues certificates that are requested; undefined where the installation has no authority. */
    readonly authority: AcmeAuthority | undefined;
  };
  /** A server certificate of IAM's with its private key, for listeners; undefined when the account has none of the ARN. */
  readonly serverCertificate: (
    account: string,
    arn: string,
  ) => Promise<{ readonly certificate: string; readonly chain?: string; readonly privateKey: string } | undefined>;
  /** The share that file systems of EFS lie on, as its operator says. */
  readonly fileSystems: { readonly encrypted: boolean };
  /** What makes the machines of Auto Scaling groups, and what those join with; see `KeeperPorts`. */
  readonly machines: Pick<KeeperPorts, 'providers' | 'joinKey' | 'endpoint'> & Pick<JoinPorts, 'machineCredentials'>;
  readonly logs: {
    /** Bytes on disk that logs may take; beyond them the oldest of the largest group go. */
    readonly maxBytes: () => number;
  };
  readonly metrics: {
    /** Likewise; see `MetricStoreOptions`. */
    readonly maxBytes: () => number;
  };
  readonly plugins: PlacementPlugins;
  /** Breaks ties of `random`. */
  readonly seed: number;
  /** Milliseconds, for how long decisions take. */
  readonly stopwatch: () => number;
  /** When tasks count as healthy or lost and hosts as gone, and how long what is over stays. */
  readonly timing: Pick<
    ControlPlaneOptions,
    'reconciler' | 'replaceLostAfter' | 'deregisterLostAfter' | 'retention'
  > & {
    /** How long addresses of tasks stay with a host that is gone; milliseconds, by default a day. */
    readonly addressQuarantine?: number;
  };
}
