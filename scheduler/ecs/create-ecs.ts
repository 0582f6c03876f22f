import { awsJson, defineService, type ServiceDefinition } from '@slipway/auth/contract';

import { accountSettingOperations } from './account-settings.ts';
import { attributeOperations } from './attributes.ts';
import { capacityProviderOperations } from './capacity-providers.ts';
import { clusterOperations } from './clusters.ts';
import { ecsConstraints, ecsLimits } from './constraints.ts';
import { containerInstanceOperations } from './container-instances.ts';
import { execOperations } from './exec.ts';
import { notServedOperations } from './not-served.ts';
import type { EcsApi, EcsOptions } from './options.ts';
import { ecsPages } from './paging.ts';
import { serviceDeploymentOperations } from './service-deployments.ts';
import { serviceOperations } from './services.ts';
import { tagOperations } from './tags.ts';
import { taskDefinitionOperations } from './task-definitions.ts';
import { taskListOperations } from './task-lists.ts';
import { taskSetOperations } from './task-sets.ts';
import { taskOperations } from './tasks.ts';

/** The ECS API as the gateway serves it: one table of operations per noun, those that agents call, and those that are refused by name. */
export function createEcs(options: EcsOptions): ServiceDefinition {
  const api: EcsApi = { ...options, pages: ecsPages(options) };
  return defineService({
    name: 'ecs',
    protocol: awsJson('1.1', 'AmazonEC2ContainerServiceV20141113'),
    load: () => import('@aws-sdk/client-ecs'),
    constraints: ecsConstraints,
    limits: ecsLimits,
    operations: {
      ...clusterOperations(api),
      ...capacityProviderOperations(api),
      ...taskDefinitionOperations(api),
      ...taskOperations(api),
      ...taskListOperations(api),
      ...execOperations(api),
      ...serviceOperations(api),
      ...serviceDeploymentOperations(api),
      ...taskSetOperations(api),
      ...containerInstanceOperations(api),
      ...attributeOperations(api),
      ...tagOperations(api),
      ...accountSettingOperations(api),
      ...options.agentOperations,
      ...notServedOperations(),
    },
  });
}
