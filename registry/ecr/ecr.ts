import { awsJson, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { createResources } from '../images/index.ts';
import { cacheRuleOperations } from './cache-rules.ts';
import { constraints } from './constraints.ts';
import { imageOperations } from './images.ts';
import { layerOperations } from './layers.ts';
import { lifecycleOperations } from './lifecycle.ts';
import { policyOperations } from './policies.ts';
import { pullTimeOperations } from './pull-times.ts';
import { registryOperations } from './registry.ts';
import { replicationOperations } from './replication.ts';
import { repositoryOperations } from './repositories.ts';
import { scanningConstraints, scanningOperations } from './scans.ts';
import { signingOperations } from './signing.ts';
import type { EcrOptions, EcrPorts } from './ports.ts';
import { storageClassOperations } from './storage-class.ts';
import { tagOperations } from './tags.ts';
import { templateOperations } from './templates.ts';

/** The Amazon ECR API. An operation that is not in one of these tables does not exist here, and the gateway says so. */
export function createEcr(options: EcrOptions): ServiceDefinition {
  const ports: EcrPorts = { ...options, resources: createResources(options.images, options.region) };
  return defineService({
    name: 'ecr',
    protocol: awsJson('1.1', 'AmazonEC2ContainerRegistry_V20150921'),
    load: () => import('@aws-sdk/client-ecr'),
    constraints: { ...constraints, ...scanningConstraints },
    operations: {
      ...repositoryOperations(ports),
      ...imageOperations(ports),
      ...layerOperations(ports),
      ...policyOperations(ports),
      ...lifecycleOperations(ports),
      ...storageClassOperations(ports),
      ...scanningOperations(ports),
      ...tagOperations(ports),
      ...registryOperations(ports),
      ...templateOperations(ports),
      ...cacheRuleOperations(ports),
      ...replicationOperations(ports),
      ...pullTimeOperations(ports),
      ...signingOperations(ports),
    },
  });
}
