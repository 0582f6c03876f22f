import { awsQuery, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import type { RandomBytes } from '../../state/index.ts';
import { balancingKeys, balancingPartition } from '../records/index.ts';

import { attributeOperations } from './attributes.ts';
import { validation } from './errors.ts';
import { instanceOperations } from './instances.ts';
import { listenerOperations } from './listeners.ts';
import { loadBalancerOperations } from './load-balancers.ts';
import { notServedOperations } from './not-served.ts';
import type { ClassicApi, ClassicOperations } from './operation.ts';

/** What the classic API of ELB is made of. */
export interface ElbOptions extends Omit<ClassicApi, 'pages'> {
  readonly records: RecordStore;
  readonly random: RandomBytes;
}

/** The classic API of ELB: a table of operations for each noun. */
export const elbOperations: ClassicOperations = {
  ...loadBalancerOperations,
  ...listenerOperations,
  ...instanceOperations,
  ...attributeOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const elbSchemas: Readonly<Record<string, unknown>> = schemasOf(elbOperations);

const port = { min: 1, max: 65_535, integer: true } as const;

/** Lengths, ranges and enumerations (ELB API reference, version 2012-06-01). */
export const elbConstraints: Constraints = {
  LoadBalancerPort: port,
  InstancePort: port,
  'LoadBalancerPorts[]': port,
  PageSize: { min: 1, max: 400, integer: true },
  'HealthCheck.Interval': { min: 5, max: 300, integer: true },
  'HealthCheck.Timeout': { min: 2, max: 60, integer: true },
  UnhealthyThreshold: { min: 2, max: 10, integer: true },
  HealthyThreshold: { min: 2, max: 10, integer: true },
  'ConnectionSettings.IdleTimeout': { min: 1, max: 3600, integer: true },
  'ConnectionDraining.Timeout': { min: 0, max: 3600, integer: true },
  'CreateAccessPointInput.Scheme': { emptyIsAbsent: true },
};

export const elbProtocol = awsQuery('2012-06-01', 'http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/');

/** The classic API of ELB (2012-06-01) as the gateway serves it. The newer one has the same signing name, and another version. */
export function createElb({ records, random, ...ports }: ElbOptions): ServiceDefinition {
  const place = { partition: balancingPartition, key: balancingKeys.signingKey };
  const pages = new Pages(createSigning(storedKeys(records, random, place)), {
    usual: 400,
    most: 400,
    badSize: (_asked, most) => validation(`Page size must be between 1 and ${most}`),
    badToken: () => validation('The marker is not one of this list.'),
  });
  return {
    ...defineService({
      name: 'elasticloadbalancing',
      protocol: elbProtocol,
      client: elbSchemas,
      constraints: elbConstraints,
      limits: { needs: (operation) => `elasticloadbalancing:${operation}` },
      operations: {},
    }),
    operations: bindAll(elbOperations, { ...ports, pages }),
  };
}
