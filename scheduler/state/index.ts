export { arns } from './arns.ts';
export { idOf, newDeploymentId, newEventId, newId, newNumber, type RandomBytes } from './ids.ts';
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
  CircuitBreaker,
  ClusterRecord,
  ContainerRecord,
  Delegate,
  DeploymentConfiguration,
  DeploymentHistoryRecord,
  DeploymentRecord,
  FailedDeployment,
  FamilyRecord,
  FollowRule,
  HealthStatus,
  InstanceRecord,
  LaunchType,
  NetworkBinding,
  NetworkConfiguration,
  RejectedImage,
  Reservation,
  ServiceEventRecord,
  ServiceRecord,
  StopCode,
  Tags,
  TaskDefinitionRecord,
  TaskRecord,
  TaskStatus,
  TokenRecord,
} from './records.ts';
export { toJson } from './json.ts';
export { isLive, isPending } from './status.ts';
