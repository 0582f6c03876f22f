import { unsupported } from './errors.ts';
import { type ClassicOperations, mayList, operation } from './operation.ts';
import { nothing, struct } from './shapes.ts';

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

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export const notServedOperations: ClassicOperations = Object.fromEntries(
  Object.entries(notServed).map(([name, instead]) => [
    name,
    operation({
      input: struct(`${name}Input`, {}),
      output: nothing,
      access: mayList(name),
      read: (): never => {
        throw unsupported(name, instead);
      },
    }),
  ]),
);
