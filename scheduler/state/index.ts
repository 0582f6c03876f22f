export { arns } from './arns.ts';
export { accountKeys, accountPartition, clusterKeys, clusterPartition, leaderLease } from './keys.ts';
export type {
  AttributeRecord,
  CircuitBreaker,
  ClusterRecord,
  ContainerRecord,
  DeploymentConfiguration,
  DeploymentRecord,
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
} from './records.ts';
