/**
 * What the scheduler remembers, record by record. These types are the contract between the ECS API (writes intentions),
 * the service reconciler (writes tasks and deployments), and the agent's side of the control plane (writes observations).
 * Times are milliseconds since the epoch.
 */

import type { Principal } from '@slipway/auth/contract';

import type { LifecycleHook, Shifting, ShiftStrategy } from './shifts.ts';

export type Tags = Readonly<Record<string, string>>;

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

/** A session of ECS Exec that was asked for and has not begun: who has its token, once, and which host is to serve it. */
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
  /** Who asked for it. */
  readonly principal: Principal;
  readonly createdAt: number;
  /** SHA-256 of the token; gone once it was used. */
  readonly tokenHash?: string;
  /** When the client came; then the host is told. */
  readonly openedAt?: number;
}

/**
 * The name of what tasks run on: FARGATE, FARGATE_SPOT (capacity that may be taken back), or one of an Auto Scaling group. Anything may be
 * such a name, `__proto__` too: never a key of an object that was not made of entries.
 */
export type CapacityProvider = string;

/** How tasks are shared out among capacity providers: first `base` tasks to the one that has one, the others by weight. Each is named once. */
export type CapacityProviderStrategy = readonly {
  readonly capacityProvider: CapacityProvider;
  /** 0 to 1,000. */
  readonly weight: number;
  /** 0 to 100,000; above 0 for one at most. */
  readonly base: number;
  /** Of a provider of an Auto Scaling group: the group, on whose hosts alone its tasks run. It stays the same while the provider is in use. */
  readonly group?: string;
}[];

/** A capacity provider of an Auto Scaling group, in its account's partition. */
export interface CapacityProviderRecord {
  readonly name: string;
  /** As it was given: an ARN or a name. */
  readonly groupArn: string;
  /** The group's name. */
  readonly group: string;
  readonly createdAt: number;
  /** What became of the last request; what it asks for holds when it is answered. */
  readonly updateStatus: 'CREATE_COMPLETE' | 'UPDATE_COMPLETE';
  /** Clusters that have it, or were about to: it is deleted when none has it. */
  readonly clusters: readonly { readonly name: string; readonly since: number }[];
  readonly managedScaling: ManagedScalingSettings;
  /** Whether the group may end hosts that have tasks; of providers that older servers made it is absent, and DISABLED. */
  readonly managedTerminationProtection?: 'ENABLED' | 'DISABLED';
  /** Of managed scaling: what its newest host was like. */
  readonly hostShape?: HostShape;
  /** Of managed scaling: how it stands and why, for people. */
  readonly standing?: string;
  readonly tags: Tags;
}

/** What a host of a group is like when it has joined, whichever it is. */
export interface HostShape {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly attributes: readonly AttributeRecord[];
  readonly reservedTcpPorts: readonly number[];
  readonly reservedUdpPorts: readonly number[];
}

/** How the size of a provider's group follows the tasks that wait (ECS: `ManagedScaling`). */
export interface ManagedScalingSettings {
  readonly status: 'ENABLED' | 'DISABLED';
  /** Per cent of the group's hosts that are to be in use: 1 to 100. */
  readonly targetCapacity: number;
  /** Hosts that are added at once: 1 to 10,000. */
  readonly minimumScalingStepSize: number;
  readonly maximumScalingStepSize: number;
  /** Seconds, 0 to 10,000. */
  readonly instanceWarmupPeriod: number;
}

/** What placement takes from an instance for a task, as ECS counts it. */
export interface Reservation {
  /** CPU units, 1024 a vCPU. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
  /** Static host ports. */
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
  /** Whole devices. */
  readonly gpus: number;
}

export interface AttributeRecord {
  readonly name: string;
  readonly value?: string;
}

/** A container instance: one Docker engine under an agent. */
export interface InstanceRecord {
  readonly id: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'DEREGISTERING' | 'INACTIVE';
  /** Whether the agent's control connection is up; set by the server that holds it. */
  readonly agentConnected: boolean;
  /** Changes at every connection, so that a stale disconnect cannot overwrite a newer connect. */
  readonly connectionId?: string;
  readonly connectivityChangedAt: number;
  /** Increments at every control connection; the high part of every sequence number sent over it, so that a server with an older connection cannot command. */
  readonly channelGeneration?: number;
  /** Whether the agent reports its container runtime as impaired; then `agentConnected` is false though the connection is up. */
  readonly runtimeImpaired?: boolean;
  /** When it was said that the host is taken back; while that stands it is DRAINING. */
  readonly reclaimedAt?: number;
  /** When managed scaling closed it to new tasks, because its group has too many; while that stands it is DRAINING. */
  readonly surplusAt?: number;
  readonly registeredAt: number;
  readonly agentVersion?: string;
  readonly agentHash?: string;
  readonly dockerVersion?: string;
  /** Total, after what the agent reserves for the system. */
  readonly cpu: number;
  readonly memory: number;
  readonly reservedTcpPorts: readonly number[];
  readonly reservedUdpPorts: readonly number[];
  readonly gpuIds: readonly string[];
  readonly attributes: readonly AttributeRecord[];
  readonly tags: Tags;
  /** The IAM principal that registered it; only the same may act for it. */
  readonly ownerArn: string;
  /** SHA-256, base64url, of its host's secret; who does not say that secret may not act for it. Absent: its agent knows of none. */
  readonly secretHash?: string;
  /** What its agent found on its engine that another agent of this installation had made, since it registered last. */
  readonly strays?: Strays;
  /** Increments whenever the record changes. */
  readonly version: number;
}

/** Tasks whose containers an agent found that are none of its own: left by an agent whose data folder was lost, or nobody knows them. */
export interface Strays {
  /** How many it was told to end. */
  readonly ended: number;
  /** How many stay for now, and at most five of the instances that they belong to. */
  readonly left: number;
  readonly of: readonly string[];
  /** When that last changed. */
  readonly at: number;
}

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

export interface CircuitBreaker {
  readonly enable: boolean;
  readonly rollback: boolean;
  readonly resetOnHealthyTask: boolean;
  readonly threshold: { readonly type: 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT' | 'COUNT'; readonly value: number };
}

export interface DeploymentConfiguration {
  readonly maximumPercent: number;
  readonly minimumHealthyPercent: number;
  readonly circuitBreaker?: CircuitBreaker;
  /** Absent: ROLLING. */
  readonly strategy?: ShiftStrategy;
  /** Minutes that both revisions run after all traffic went to the new one. */
  readonly bakeTimeInMinutes?: number;
  readonly lifecycleHooks?: readonly LifecycleHook[];
  readonly alarms?: DeploymentAlarms;
}

/** Alarms that a deployment fails by when one of them goes into ALARM while it is under way. */
export interface DeploymentAlarms {
  readonly alarmNames: readonly string[];
  readonly enable: boolean;
  /** Whether to go back to the newest completed deployment then. */
  readonly rollback: boolean;
}

/** What a deployment has seen of its alarms; written when it first looked at them. */
export interface SeenAlarms {
  /** When each had gone into ALARM last before it began, by its own record; 0: never. */
  readonly before?: Readonly<Record<string, number>>;
  /** In ALARM when it began, so that none is watched. */
  readonly ignored?: readonly string[];
  /** What it failed by. */
  readonly triggered?: readonly string[];
}

/** How a deployment stood when it was given up. */
export interface FailedDeployment {
  readonly id: string;
  readonly failedTasks: number;
  readonly rolloutState: 'FAILED';
  readonly rolloutStateReason: string;
  readonly updatedAt: number;
  /** Of one that shifted traffic: how far it had come. */
  readonly shifting?: Shifting;
  readonly alarms?: SeenAlarms;
}

/** One deployment of a service: the tasks of one revision, with counters. */
export interface DeploymentRecord {
  /** `ecs-svc/<19 digits>`. */
  readonly id: string;
  readonly status: 'PRIMARY' | 'ACTIVE' | 'INACTIVE';
  readonly taskDefinition: string;
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly rolloutStateReason: string;
  /** Consecutive tasks of this deployment that never became running or were stopped for their health. */
  readonly failedTasks: number;
  /** Whether a task of it has ever been RUNNING (second stage of the circuit breaker). */
  readonly everRunning: boolean;
  /** Do not start a task before this time: back-off after tasks that never got to RUNNING. */
  readonly startNotBefore?: number;
  /** Why the last attempt to start or keep a task failed, for people. */
  readonly lastFailure?: string;
  readonly lastFailureAt?: number;
  /** Consecutive tasks that never reached RUNNING; decides the back-off. */
  readonly startFailures?: number;
  /** Consecutive tasks that reached RUNNING and ended before they ever were healthy; decides the pace of restarts. */
  readonly crashes?: number;
  /** How many tasks a deployment that is being replaced still has to keep up, each replaced by one of its own revision. */
  readonly keepCount?: number;
  /** Where its tasks are registered; absent: nowhere. */
  readonly loadBalancers?: readonly ServiceLoadBalancer[];
  /** Container name -> image reference pinned by digest when the deployment began, so that a rollback runs what ran (versionConsistency). */
  readonly images?: Readonly<Record<string, string>>;
  /** Set while no instance can take its next task; no failure of the deployment. */
  readonly unplaceable?: { readonly code: string; readonly message: string; readonly since: number };
  readonly createdAt: number;
  readonly updatedAt: number;
  /** What caused it: an API call, a push (`image.pushed` web:prod sha256:…), or a rollback of another deployment. */
  readonly cause: {
    readonly kind: 'api' | 'push' | 'webhook' | 'rollback';
    readonly detail?: string;
    /** Of a rollback: the deployment that failed, as it was then. Its own record goes with its last task. */
    readonly failed?: FailedDeployment;
  };
  /** Set once it has been COMPLETED; what rollback looks for. */
  readonly completedAt?: number;
  /** Ids of the deployments that still had tasks when it began. */
  readonly replaces?: readonly string[];
  /** Of a deployment that shifts traffic: how far it is. */
  readonly shifting?: Shifting;
  readonly alarms?: SeenAlarms;
  /** Of one that rolls and may fail by alarms: when all of its tasks were healthy, and no others there. */
  readonly bakingSince?: number;
  /** Of a service with the controller EXTERNAL: every deployment is a task set, and none is ever COMPLETED. */
  readonly taskSet?: TaskSetRecord;
}

/** What makes a deployment a task set: what its external controller chose for it, and no service says (ECS: `CreateTaskSet`). */
export interface TaskSetRecord extends Pick<
  ServiceRecord,
  'launchType' | 'capacityProviderStrategy' | 'platformVersion' | 'network'
> {
  /** Percent of the service's desired count, 0 to 100. */
  readonly scale: number;
  /** What the controller calls it. */
  readonly externalId?: string;
  readonly tags: Tags;
  /** Whether all of its tasks are there and healthy and no others, and since when that is so. */
  readonly steady: boolean;
  readonly steadyAt: number;
  /** It is deleted: it goes with its last task. */
  readonly ends?: true;
}

/** A deployment as it was last seen, kept when its service no longer needs it: what ListServiceDeployments tells. */
export interface DeploymentHistoryRecord {
  readonly deployment: DeploymentRecord;
  /** The service's configuration at that time. */
  readonly configuration: DeploymentConfiguration;
  readonly desiredCount: number;
  /** When the row was written. */
  readonly seenAt: number;
  /** Set when its failure was answered by a rollback: to which deployment, and how far that got. */
  readonly rollback?: {
    readonly to: string;
    readonly reason: string;
    readonly state: DeploymentRecord['rolloutState'];
    readonly failed: FailedDeployment;
  };
}

/** A service with the deployments that still matter: the PRIMARY first, then ACTIVE ones, then the newest completed for rollback. */
export interface ServiceRecord {
  readonly name: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  readonly schedulingStrategy: 'REPLICA' | 'DAEMON';
  /** Who deploys it. Absent: ECS. */
  readonly controller?: 'EXTERNAL' | 'CODE_DEPLOY';
  readonly desiredCount: number;
  /** With the controller EXTERNAL that of the primary task set, as are launch type, network and load balancers; empty before there is one. */
  readonly taskDefinition: string;
  readonly deploymentConfiguration: DeploymentConfiguration;
  readonly placementConstraints: readonly {
    /** ECS's own, or `<vendor>:<name>` of the placement core's extensions. */
    readonly type: 'distinctInstance' | 'memberOf' | `${string}:${string}`;
    readonly expression?: string;
  }[];
  readonly placementStrategy: readonly {
    readonly type: 'random' | 'spread' | 'binpack' | `${string}:${string}`;
    readonly field?: string;
  }[];
  readonly healthCheckGracePeriodSeconds?: number;
  /** Of its next deployments, and of the PRIMARY one; not empty. */
  readonly loadBalancers?: readonly ServiceLoadBalancer[];
  /** Of its next tasks: FARGATE while it has a strategy. */
  readonly launchType: LaunchType;
  /** Not empty. Absent: it has a launch type alone. */
  readonly capacityProviderStrategy?: CapacityProviderStrategy;
  /** The launch type that its strategy took the place of: what UpdateService goes back to when it takes the strategy away. */
  readonly formerLaunchType?: LaunchType;
  /** As it was asked for, of launch type FARGATE: LATEST, or a version. */
  readonly platformVersion?: string;
  /** Of tasks with interfaces of their own. */
  readonly network?: NetworkConfiguration;
  readonly deployments: readonly DeploymentRecord[];
  readonly createdAt: number;
  readonly createdBy?: string;
  readonly tags: Tags;
  readonly propagateTags: 'NONE' | 'SERVICE' | 'TASK_DEFINITION';
  readonly enableECSManagedTags: boolean;
  readonly enableExecuteCommand: boolean;
  readonly availabilityZoneRebalancing: 'ENABLED' | 'DISABLED';
  /** Zones that are being evened out. Written by the reconciler. */
  readonly rebalancing?: {
    /** A task starts in the zone `to` beside the desired count, for one that ends when it is healthy. */
    readonly move?: {
      readonly deploymentId: string;
      readonly desiredCount: number;
      readonly to: string;
      readonly since: number;
    };
    /** After a move that came to nothing: no other one before. */
    readonly restUntil?: number;
  };
  /** What the service follows. Absent: nothing. The ECS tag `slipway:follow=true` means `{ mode: 'tags' }`. */
  readonly follow?: FollowRule;
  /** Who set that: the rule acts with what this one may do when an image comes, and not at all without it. */
  readonly followedBy?: Delegate;
  readonly steady: boolean;
  /** Standing causes and what was last said about them in `events`: repeats are left out for 6 hours. Written by the reconciler. */
  readonly said?: Readonly<Record<string, { readonly message: string; readonly at: number }>>;
  /** Images whose deployment failed, newest first, at most 20: not deployed again but by a new push of them, or by hand. */
  readonly rejected?: readonly RejectedImage[];
  readonly version: number;
}

/** Somebody in whose name something goes on acting. */
export type Delegate = Pick<Principal, 'type' | 'account' | 'arn' | 'id'>;

/** One container's image of a deployment that failed. */
export interface RejectedImage {
  readonly deploymentId: string;
  readonly container: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly at: number;
  readonly reason: string;
}

/** Which pushes roll the service: the tags its task definition names, a pattern over tags, or a semver range. */
export type FollowRule =
  | { readonly mode: 'tags' }
  | { readonly mode: 'pattern'; readonly pattern: string }
  | { readonly mode: 'semver'; readonly range: string };

/** One line of a service's `events`. */
export interface ServiceEventRecord {
  readonly id: string;
  readonly createdAt: number;
  readonly message: string;
}

/** One family of task definitions, in the account's partition. */
export interface FamilyRecord {
  readonly family: string;
  /** The highest revision ever given out; revisions are never reused. */
  readonly lastRevision: number;
  /** The newest ACTIVE revision: what the bare family name stands for. Absent when none is ACTIVE. */
  readonly latestActive?: number;
}

/** What an idempotency token has already done, in the cluster's partition. */
export interface TokenRecord {
  readonly operation: 'RunTask' | 'CreateService' | 'CreateTaskSet';
  /** Digest of the request, to tell a retry from another request under the same token. */
  readonly request: string;
  /** Ids of the tasks or of the task set, or the name of the service. */
  readonly ids: readonly string[];
  readonly createdAt: number;
  /** Set once the request got through. */
  readonly done: boolean;
}

/** One revision of a task definition, in the account's partition. `definition` is the SDK's RegisterTaskDefinition input, defaults filled in. */
export interface TaskDefinitionRecord {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  readonly status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
  readonly registeredAt: number;
  readonly registeredBy?: string;
  readonly deregisteredAt?: number;
  readonly deleteRequestedAt?: number;
  /** In the SDK's TaskDefinition shape, without arn, revision, status and dates. */
  readonly definition: unknown;
  readonly requiresAttributes: readonly string[];
  readonly tags: Tags;
  /** The revision this one was pinned from by a push, when it was. */
  readonly pinnedFrom?: string;
}
