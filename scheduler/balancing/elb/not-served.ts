import { refusalsOf } from '@slipway/auth/kit';

import { mayList } from '../elbv2/index.ts';

import { unsupported } from './errors.ts';
import type { ClassicOperations } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const policies =
  'Classic Load Balancers have no policies here: use an Application Load Balancer for stickiness and SSL policies.';
const zones = 'Attach and detach subnets instead.';

/** Operations of the classic API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  CreateAppCookieStickinessPolicy: policies,
  CreateLBCookieStickinessPolicy: policies,
  CreateLoadBalancerPolicy: policies,
  DeleteLoadBalancerPolicy: policies,
  DescribeLoadBalancerPolicies: policies,
  DescribeLoadBalancerPolicyTypes: policies,
  SetLoadBalancerPoliciesForBackendServer: policies,
  SetLoadBalancerPoliciesOfListener: policies,
  EnableAvailabilityZonesForLoadBalancer: zones,
  DisableAvailabilityZonesForLoadBalancer: zones,
  DescribeAccountLimits: 'The limits are 20 load balancers, with 100 listeners and 1000 instances each.',
};

export const notServedOperations: ClassicOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Input`, {}),
  nothing,
  mayList,
  unsupported,
});
