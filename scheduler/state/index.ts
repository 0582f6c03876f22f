/**
 * What the scheduler remembers, record by record. These types are the contract between the ECS API (writes intentions),
 * the service reconciler (writes tasks and deployments), and the agent's side of the control plane (writes observations).
 * Times are milliseconds since the epoch.
 */

export { arns } from './arns.ts';
export { ec2InstanceId, idOf, newDeploymentId, newEventId, newId, newNumber, type RandomBytes } from './ids.ts';
export {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  clusters,
  installationPartition,
  installations,
  leaderLease,
  stateRows,
} from './keys.ts';
export type { ClusterRecord, ExecConfiguration, ExecSessionRecord } from './records/clusters.ts';
export type { FamilyRecord, TaskDefinitionRecord, TokenRecord } from './records/definitions.ts';
export type { AttributeRecord, InstanceRecord, Reservation } from './records/instances.ts';
export type {
  CapacityProvider,
  CapacityProviderRecord,
  CapacityProviderStrategy,
  HostShape,
  ManagedScalingSettings,
} from './records/providers.ts';
export type {
  CircuitBreaker,
  Delegate,
  DeploymentAlarms,
  DeploymentConfiguration,
  DeploymentHistoryRecord,
  DeploymentRecord,
  FailedDeployment,
  FollowRule,
  LaunchSettings,
  RejectedImage,
  SeenAlarms,
  ServiceEventRecord,
  ServiceRecord,
  StopRecord,
  TaskSetRecord,
} from './records/services.ts';
export type { Tags } from './records/tags.ts';
export type {
  AttachmentRecord,
  ContainerRecord,
  HealthStatus,
  LaunchType,
  NetworkBinding,
  NetworkConfiguration,
  PlacementWish,
  ServiceLoadBalancer,
  StopCode,
  TaskRecord,
  TaskStatus,
  TaskTarget,
} from './records/tasks.ts';
export { lifecycleStages } from './shifts.ts';
export type {
  Compared,
  HookResultRecord,
  HookRun,
  JudgeRule,
  Judgement,
  LifecycleHook,
  LifecycleStage,
  MeasuredRecord,
  Share,
  ShiftLiveRecord,
  ShiftRecord,
  Shifting,
  ShiftStrategy,
  StepJudgement,
  Tallies,
  Tally,
} from './shifts.ts';
export { groupAttribute, groupOfMachine } from './groups.ts';
export { isolationAttribute } from './isolation.ts';
export { hookName } from './hook-name.ts';
export { toJson } from './json.ts';
export { sameRecord } from './same.ts';
export {
  interruptedDrain,
  isForced,
  isHeld,
  isLive,
  isOpenRun,
  isOut,
  isPending,
  isWanted,
  outgoingStatus,
} from './status.ts';
export { webhookSecret } from './webhook-secret.ts';
