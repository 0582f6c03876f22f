import type * as cw from '@aws-sdk/client-cloudwatch';
import type * as ecr from '@aws-sdk/client-ecr';
import type * as iam from '@aws-sdk/client-iam';
import type * as sdk from '@aws-sdk/client-ecs';
import type { Wire } from './aws.ts';

/** What the operations answer, by the SDK's own types. */
export type ServiceRow = Wire<sdk.Service>;
export type Deployment = Wire<sdk.Deployment>;
export type Host = Wire<sdk.ContainerInstance>;
export type Task = Wire<sdk.Task>;
export type Container = Wire<sdk.Container>;
export type TaskDefinition = Wire<sdk.TaskDefinition>;
export type ServiceDeployment = Wire<sdk.ServiceDeployment>;
export type Alarm = Wire<cw.MetricAlarm>;
export type Repository = Wire<ecr.Repository>;
export type ImageDetail = Wire<ecr.ImageDetail>;
export type Decision = Wire<iam.EvaluationResult>;
