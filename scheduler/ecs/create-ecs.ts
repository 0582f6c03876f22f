import { awsJson, defineService, type ServiceDefinition } from '@slipway/auth/contract';

import { accountSettingOperations } from './account-settings.ts';
import { attributeOperations } from './attributes.ts';
import { clusterOperations } from './clusters.ts';
import { containerInstanceOperations } from './container-instances.ts';
import type { EcsOptions } from './options.ts';
import { serviceDeploymentOperations } from './service-deployments.ts';
import { serviceOperations } from './services.ts';
import { tagOperations } from './tags.ts';
import { taskDefinitionOperations } from './task-definitions.ts';
import { taskListOperations } from './task-lists.ts';
import { taskOperations } from './tasks.ts';

/** The ECS API as the gateway serves it: one table of operations per noun, and those that agents call. */
export function createEcs(options: EcsOptions): ServiceDefinition {
  return defineService({
    name: 'ecs',
    protocol: awsJson('1.1', 'AmazonEC2ContainerServiceV20141113'),
    load: () => import('@aws-sdk/client-ecs'),
    operations: {
      ...clusterOperations(options),
      ...taskDefinitionOperations(options),
      ...taskOperations(options),
      ...taskListOperations(options),
      ...serviceOperations(options),
      ...serviceDeploymentOperations(options),
      ...containerInstanceOperations(options),
      ...attributeOperations(options),
      ...tagOperations(options),
      ...accountSettingOperations(options),
      ...options.agentOperations,
    },
  });
}
