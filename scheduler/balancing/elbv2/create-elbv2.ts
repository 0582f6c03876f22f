import { AwsError, awsQuery, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import type { RandomBytes } from '../../state/index.ts';
import { balancingKeys, balancingPartition } from '../records/index.ts';

import { accountOperations } from './account.ts';
import { attributeOperations } from './attributes.ts';
import { validation } from './errors.ts';
import { listenerCertificateOperations } from './listener-certificates.ts';
import { listenerOperations } from './listeners.ts';
import { loadBalancerOperations } from './load-balancers.ts';
import { notServedOperations } from './not-served.ts';
import type { ElbApi, ElbOperations } from './operation.ts';
import { ruleOperations } from './rules.ts';
import { sslPolicyOperations } from './ssl-policies.ts';
import { tagOperations } from './tagging.ts';
import { targetGroupOperations } from './target-groups.ts';
import { targetOperations } from './targets.ts';

/** What the API of ELB is made of. */
export interface Elbv2Options extends Omit<ElbApi, 'pages'> {
  readonly records: RecordStore;
  readonly random: RandomBytes;
}

/** The API of ELB: a table of operations for each noun. */
export const elbv2Operations: ElbOperations = {
  ...loadBalancerOperations,
  ...targetGroupOperations,
  ...targetOperations,
  ...listenerOperations,
  ...listenerCertificateOperations,
  ...ruleOperations,
  ...attributeOperations,
  ...tagOperations,
  ...sslPolicyOperations,
  ...accountOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const elbv2Schemas: Readonly<Record<string, unknown>> = schemasOf(elbv2Operations);

const port = { min: 1, max: 65_535, integer: true } as const;

/** Lengths, ranges and enumerations (ELB API reference). */
export const elbv2Constraints: Constraints = {
  'CreateListenerInput.Port': port,
  'ModifyListenerInput.Port': port,
  'CreateTargetGroupInput.Port': port,
  'TargetDescription.Port': port,
  PageSize: { min: 1, max: 400, integer: true },
  'CreateRuleInput.Priority': { min: 1, max: 50_000, integer: true },
  'RulePriorityPair.Priority': { min: 1, max: 50_000, integer: true },
  'Action.Order': { min: 1, max: 50_000, integer: true },
  HealthCheckIntervalSeconds: { min: 5, max: 300, integer: true },
  HealthCheckTimeoutSeconds: { min: 2, max: 120, integer: true },
  HealthyThresholdCount: { min: 2, max: 10, integer: true },
  UnhealthyThresholdCount: { min: 2, max: 10, integer: true },
  HealthCheckPath: { max: 1024 },
  'CreateLoadBalancerInput.Scheme': { values: ['internet-facing', 'internal'], emptyIsAbsent: true },
  'CreateLoadBalancerInput.Type': { values: ['application', 'network', 'gateway'], emptyIsAbsent: true },
  'CreateLoadBalancerInput.IpAddressType': { emptyIsAbsent: true },
  'CreateTargetGroupInput.TargetType': { values: ['instance', 'ip', 'lambda', 'alb'], emptyIsAbsent: true },
  'CreateTargetGroupInput.IpAddressType': { values: ['ipv4', 'ipv6'], emptyIsAbsent: true },
  'DescribeSSLPoliciesInput.LoadBalancerType': { values: ['application', 'network', 'gateway'], emptyIsAbsent: true },
  'RuleCondition.Field': { max: 64 },
};

export const elbv2Protocol = awsQuery('2015-12-01', 'http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/');

/** The API of ELB (2015-12-01) as the gateway serves it. The classic one has the same signing name, and another version. */
export function createElbv2(options: Elbv2Options): ServiceDefinition {
  const { records, random, ...ports } = options;
  const pages = new Pages(
    createSigning(storedKeys(records, random, { partition: balancingPartition, key: balancingKeys.signingKey })),
    {
      usual: 400,
      most: 400,
      badSize: (_asked, most) => validation(`Page size must be between 1 and ${most}`),
      badToken: () => new AwsError('ValidationError', 'The marker is not one of this list.'),
    },
  );
  const api: ElbApi = { ...ports, pages };
  return {
    ...defineService({
      name: 'elasticloadbalancing',
      protocol: elbv2Protocol,
      client: elbv2Schemas,
      constraints: elbv2Constraints,
      limits: { needs: (operation) => `elasticloadbalancing:${operation}` },
      operations: {},
    }),
    operations: bindAll(elbv2Operations, api),
  };
}
