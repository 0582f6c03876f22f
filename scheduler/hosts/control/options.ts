import type { RandomBytes } from '../../state/index.ts';
import type { EcsPorts } from '../../cluster/index.ts';
import type { Call, Log, Principal } from '@slipway/auth/contract';

import type { CopyChannel } from '../../exec/protocol/index.ts';
import type { Meetings } from '../../exec/sessions/index.ts';
import type { TaskLogs } from '../../signals/logs/index.ts';
import type { InstanceName, UsageSession } from '../../signals/usage/index.ts';
import type { AgentFileSystem, ContainerSecrets } from '../wire/index.ts';
import type { ClusterViews } from '../../views/index.ts';
import type { HostNetworks } from './host-networks.ts';

/** Temporary credentials of a role, for one task. */
export interface TaskCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Whom they are of. */
  readonly principal: Principal;
}

/**
 * Assumes a role for a task; the session's name is the task's id.
 * @throws AwsError when the role does not exist or its trust policy does not let ECS tasks assume it
 */
export type TaskCredentialsPort = (roleArn: string, taskArn: string) => Promise<TaskCredentials>;

/** What one container is to be given of secrets and parameters. */
export interface SecretNeed {
  readonly container: string;
  /** What the value is for: a variable, an option of the log driver, the login of the image's registry; a file of variables, or a log router's configuration. */
  readonly kind: 'environment' | 'log' | 'registry' | 'file' | 'router';
  /** Of the variable or the option. */
  readonly name: string;
  /** As `valueFrom`, `credentialsParameter` and the `value` of a file have it. */
  readonly valueFrom: string;
  /** Of a file: variables that the container has otherwise, which win. */
  readonly taken?: readonly string[];
}

/**
 * The values that a task's containers need, by container, read with the rights of its execution role.
 * @throws TaskSecretsRefused when the task cannot have them
 */
export type TaskSecretsPort = (
  principal: Principal,
  needs: readonly SecretNeed[],
) => Promise<Readonly<Record<string, ContainerSecrets>>>;

/** A task cannot have what it needs of secrets and parameters; the message is what it is stopped with, and holds no value. */
export class TaskSecretsRefused extends Error {
  override readonly name = 'TaskSecretsRefused';
}

/** A volume of a task definition that is of a file system of EFS. */
export interface FileSystemNeed {
  /** Of the volume. */
  readonly name: string;
  readonly fileSystemId: string;
  readonly rootDirectory: string;
  readonly accessPointId: string | undefined;
  /** Whether the task's role has to allow it. */
  readonly iam: boolean;
  readonly encryptedTransit: boolean;
}

/**
 * The file systems that a task mounts, by volume.
 * @param role whom the task's role stands for; undefined where it has none
 * @throws TaskVolumesRefused when the task cannot have them
 */
export type TaskVolumesPort = (
  account: string,
  role: Principal | undefined,
  needs: readonly FileSystemNeed[],
) => Promise<Readonly<Record<string, AgentFileSystem>>>;

/** A task cannot have a file system that it needs; the message is what it is stopped with. */
export class TaskVolumesRefused extends Error {
  override readonly name = 'TaskVolumesRefused';
}

/** What the control plane's side of the agent protocol works with. */
export interface AgentControlOptions extends EcsPorts {
  /** The network of tasks that have addresses of their own. */
  readonly networks: HostNetworks;
  /** This process's views of clusters, over the same records. */
  readonly views: ClusterViews;
  readonly random: RandomBytes;
  readonly log: Log;
  /** Takes in what an agent says of its tasks' CPU and memory; called once for each telemetry connection. */
  readonly usage: (instance: InstanceName) => Promise<UsageSession>;
  /**
   * Secret of this installation (at least 16 bytes, the same on every server and after every restart) from which the
   * unguessable ids of task credentials are derived; containers keep them in their environment for life.
   */
  readonly credentialIdKey: Uint8Array;
  /** The credentials of task and execution roles; nobody else's rights stand in for them. */
  readonly taskCredentials: TaskCredentialsPort;
  /** Ends credentials that {@link taskCredentials} issued, when their task is over. Ending them twice is not an error. */
  readonly revokeTaskCredentials: (accessKeyId: string) => Promise<void>;
  /** The values of tasks' secrets and parameters: asked for each time a task is sent to be started, and kept nowhere. */
  readonly taskSecrets: TaskSecretsPort;
  /** The file systems that tasks mount: asked for each time a task is sent to be started. */
  readonly taskVolumes: TaskVolumesPort;
  /** Where the output of tasks goes that log with `awslogs`. */
  readonly taskLogs: Pick<TaskLogs, 'open' | 'ship'>;
  /** Where the clients of sessions of ECS Exec wait for their hosts. */
  readonly meetings: Pick<Meetings, 'awaits' | 'join' | 'has' | 'attach'>;
  /** Where those of copies of files do. */
  readonly copies: Pick<Meetings<CopyChannel>, 'awaits' | 'join'>;
  /** Whether a host in an image reference means this installation: its images are pulled with its passwords. */
  readonly ownHost: (host: string) => boolean;
  /**
   * How long, in milliseconds, an agent is away until another agent on the same Docker engine may end what it left. Default
   * 360,000: a minute after its tasks are replaced elsewhere.
   */
  readonly abandonAfter?: number;
  /**
   * The machine of an Auto Scaling group that a caller is: the id of the container instance that it registers, and attributes that its
   * agent cannot know. Undefined for every other caller.
   * @throws AwsError for a host that only says so
   */
  readonly machineOf?: (
    call: Call,
    cluster: string,
  ) => Promise<{ readonly instance: string; readonly attributes: Readonly<Record<string, string>> } | undefined>;
  /** `ecs.availability-zone` of instances that name none. Default: the region followed by `a`. */
  readonly availabilityZone?: string;
}
