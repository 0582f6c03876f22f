import type { Reservation } from './instances.ts';
import type { CapacityProvider } from './providers.ts';
import type { Tags } from './tags.ts';

export type TaskStatus =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED';

export type HealthStatus = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

/** Where a port of a container is on its host; or all ports of a range (`8000-8010`), which are there in the same order. */
export type NetworkBinding = { readonly bindIP: string; readonly protocol: 'tcp' | 'udp' } & (
  | { readonly containerPort: number; readonly hostPort: number }
  | { readonly containerPortRange: string; readonly hostPortRange: string }
);

export interface ContainerRecord {
  readonly name: string;
  readonly image: string;
  readonly essential: boolean;
  /** Whether the definition has a health check; without one its health is UNKNOWN and does not count. */
  readonly checksHealth: boolean;
  /** Whether another container of the task starts only when this one is HEALTHY (`dependsOn`). */
  readonly awaited?: true;
  /** CPU units and MiB after overrides, when the definition sets them. */
  readonly cpu?: number;
  readonly memory?: number;
  readonly memoryReservation?: number;
  readonly lastStatus: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly imageDigest?: string;
  readonly runtimeId?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly healthStatus: HealthStatus;
  readonly networkBindings: readonly NetworkBinding[];
}

export type StopCode =
  | 'TaskFailedToStart'
  | 'EssentialContainerExited'
  | 'UserInitiated'
  | 'ServiceSchedulerInitiated'
  | 'SpotInterruption'
  | 'TerminationNotice'
  | 'InfrastructureHealth';

/** Where tasks run: on the container instances of their cluster that are shown (EC2, EXTERNAL), or that are not (FARGATE). */
export type LaunchType = 'EC2' | 'EXTERNAL' | 'FARGATE';

/** Where a task with an interface of its own may have it (ECS: `awsvpcConfiguration`). */
export interface NetworkConfiguration {
  readonly subnets: readonly string[];
  /** The zones of the subnets, which never change. */
  readonly zones: readonly string[];
  /** Empty: the default group of the subnets' VPC. */
  readonly securityGroups: readonly string[];
  readonly assignPublicIp: 'ENABLED' | 'DISABLED';
}

/** The network interface that a task was handed; its own row is the network's. */
export interface AttachmentRecord {
  /** The attachment's, a UUID. */
  readonly id: string;
  /** `eni-…` */
  readonly networkInterface: string;
  readonly subnet: string;
  readonly vpc: string;
  /** IPv4. */
  readonly address: string;
  readonly mac: string;
  readonly privateDnsName: string;
  readonly securityGroups: readonly string[];
  /** Whether its subnet has a way out of the VPC. */
  readonly outside: boolean;
}

/** A target group that tasks of a service are registered with, and the port that they answer on (ECS: `loadBalancers`). */
export interface ServiceLoadBalancer {
  /** Of a deployment that shifts traffic: the one that its own tasks are registered with, this or the alternate one. */
  readonly targetGroupArn: string;
  readonly containerName: string;
  readonly containerPort: number;
  /** What strategies that shift traffic need (ECS: `advancedConfiguration`). */
  readonly advanced?: {
    readonly alternateTargetGroupArn: string;
    /** ARN of a rule; of a Network Load Balancer, of a listener. */
    readonly productionListenerRule: string;
    readonly testListenerRule?: string;
    readonly roleArn: string;
  };
}

/** One registration of a task with a target group: under this id engines know it, and under no other. */
export interface TaskTarget {
  /** 16 hexadecimal digits; follows from the task, the group and the port. */
  readonly id: string;
  readonly targetGroupArn: string;
  /** As ELB has it: the id of an instance (`i-…`), or an address. */
  readonly targetId: string;
  /** Where requests go. */
  readonly address: string;
  readonly port: number;
  readonly registeredAt: number;
  /** What health checks have found, in ELB's words; absent while nobody looked. */
  readonly health?: {
    readonly state: 'initial' | 'healthy' | 'unhealthy';
    readonly reason?: string;
    readonly description?: string;
  };
  /**
   * Since when no traffic engine sends it anything or has anything under way for it. Written for tasks that are told to stop, by
   * whoever looks after targets, and for ever.
   */
  readonly quietAt?: number;
}

/** What a task that waits needs of an instance, beside its reservation, in the placement core's form. */
export interface PlacementWish {
  /** Names of attributes. */
  readonly requires: readonly string[];
  readonly constraints: readonly {
    readonly type: 'distinctInstance' | 'memberOf' | `${string}:${string}`;
    readonly expression?: string;
    readonly otherwise?: { readonly code: string; readonly sentence: string };
  }[];
  readonly strategies: readonly {
    readonly type: 'random' | 'spread' | 'binpack' | `${string}:${string}`;
    readonly field?: string;
  }[];
  /** Why there was no room when it came, in one sentence. */
  readonly why: string;
}

/** One task. Desired status is the control plane's, last status the agent's word. */
export interface TaskRecord {
  readonly id: string;
  readonly arn: string;
  /** ARN of the revision. */
  readonly taskDefinition: string;
  /** `service:<name>`, `family:<family>` or the caller's own. */
  readonly group: string;
  readonly startedBy?: string;
  readonly service?: { readonly name: string; readonly deploymentId: string };
  readonly instanceId?: string;
  readonly reservation: Reservation;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly lastStatus: TaskStatus;
  readonly healthStatus: HealthStatus;
  readonly containers: readonly ContainerRecord[];
  /** `overrides` of RunTask, in the SDK's shape. */
  readonly overrides?: unknown;
  readonly cpu?: string;
  readonly memory?: string;
  readonly launchType: LaunchType;
  /** GiB of disk that a task of Fargate may fill; tasks that older servers started have none. */
  readonly ephemeralStorage?: number;
  /** By what the host isolated a task of Fargate, as it said when the first container was made. */
  readonly isolation?: string;
  /** Of a task that a strategy was used for. */
  readonly capacityProvider?: CapacityProvider;
  /** Of a task that is on no instance yet, PROVISIONING until one has room: what placement is asked for. */
  readonly waits?: PlacementWish;
  /** Of a task with an interface of its own: what it asked for, and what it got. */
  readonly network?: NetworkConfiguration;
  readonly attachment?: AttachmentRecord;
  readonly createdAt: number;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly startedAt?: number;
  readonly stoppingAt?: number;
  readonly executionStoppedAt?: number;
  readonly stoppedAt?: number;
  readonly stopCode?: StopCode;
  readonly stoppedReason?: string;
  /** Of a task that load balancers send requests to: where, none before it runs. Told to stop, it gets nothing new from that commit on. */
  readonly targets?: readonly TaskTarget[];
  /** When it first became healthy in the sense of minimumHealthyPercent, if it ever did. Set by the service reconciler. */
  readonly healthySince?: number;
  /** The service reconciler has drawn its conclusions from the end of this task (failure counts, back-off). */
  readonly reviewed?: boolean;
  /** Until when the task is protected from scale-in. */
  readonly protectedUntil?: number;
  readonly tags: Tags;
  readonly enableExecuteCommand: boolean;
  readonly clientToken?: string;
  /** Increments at every change. */
  readonly version: number;
}
