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
export type {
  AttachmentRecord,
  AttributeRecord,
  CapacityProvider,
  CapacityProviderRecord,
  CapacityProviderStrategy,
  CircuitBreaker,
  ClusterRecord,
  ContainerRecord,
  Delegate,
  DeploymentAlarms,
  DeploymentConfiguration,
  DeploymentHistoryRecord,
  DeploymentRecord,
  FailedDeployment,
  FamilyRecord,
  FollowRule,
  HealthStatus,
  InstanceRecord,
  LaunchType,
  ManagedScalingSettings,
  NetworkBinding,
  NetworkConfiguration,
  PlacementWish,
  RejectedImage,
  Reservation,
  SeenAlarms,
  ServiceEventRecord,
  ServiceLoadBalancer,
  ServiceRecord,
  StopCode,
  Tags,
  TaskDefinitionRecord,
  TaskRecord,
  TaskSetRecord,
  TaskStatus,
  TaskTarget,
  TokenRecord,
} from './records.ts';
export { lifecycleStages } from './shifts.ts';
export type {
  HookResultRecord,
  HookRun,
  LifecycleHook,
  LifecycleStage,
  ShiftLiveRecord,
  ShiftRecord,
  Shifting,
  ShiftStrategy,
} from './shifts.ts';
export { groupAttribute } from './groups.ts';
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
