export { arns } from './arns.ts';
export { idOf, isLive, newDeploymentId, newEventId, newId, newNumber, type RandomBytes } from './ids.ts';
export { accountKeys, accountPartition, clusterKeys, clusterPartition, leaderLease } from './keys.ts';
export type {
  AttributeRecord,
  CircuitBreaker,
  ClusterRecord,
  ContainerRecord,
  DeploymentConfiguration,
  DeploymentRecord,
  FamilyRecord,
  FollowRule,
  HealthStatus,
  InstanceRecord,
  NetworkBinding,
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
