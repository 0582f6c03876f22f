import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from '../groups/index.ts';
import { type AutoScalingOperations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const balancing = 'Services register their tasks with load balancers: name the target group in the service.';
const configurations = 'Make a launch template (ec2 create-launch-template), and name it in the group.';
const policies = 'Groups are not forecast: scheduled actions scale one before a load that is known.';
const notifications = 'Groups send no notifications: DescribeScalingActivities tells what happened.';
const metrics = 'Groups have no metrics: DescribeAutoScalingGroups tells how many machines there are.';
const foreign =
  'A group has the machines that its provider made, all of which are in service: change its desired capacity.';
const one = 'Change the desired capacity of the group (SetDesiredCapacity).';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  AttachInstances: foreign,
  AttachLoadBalancerTargetGroups: balancing,
  AttachLoadBalancers: balancing,
  AttachTrafficSources: balancing,
  CreateLaunchConfiguration: configurations,
  DeleteLaunchConfiguration: configurations,
  DeleteNotificationConfiguration: notifications,
  DescribeAutoScalingNotificationTypes: notifications,
  DescribeLaunchConfigurations: configurations,
  DescribeLoadBalancerTargetGroups: balancing,
  DescribeLoadBalancers: balancing,
  DescribeMetricCollectionTypes: metrics,
  DescribeNotificationConfigurations: notifications,
  DescribeTrafficSources: balancing,
  DetachInstances: foreign,
  DetachLoadBalancerTargetGroups: balancing,
  DetachLoadBalancers: balancing,
  DetachTrafficSources: balancing,
  DisableMetricsCollection: metrics,
  EnableMetricsCollection: metrics,
  EnterStandby: foreign,
  ExitStandby: foreign,
  GetPredictiveScalingForecast: policies,
  LaunchInstances: one,
  PutNotificationConfiguration: notifications,
};

export const notServedOperations: AutoScalingOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Type`, {}),
  nothing,
  mayList,
  unsupported,
});
