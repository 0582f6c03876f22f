import { awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';

import { applicationOperations } from './applications.ts';
import { configurationOperations } from './configurations.ts';
import { deploymentOperations } from './deployments.ts';
import { groupOperations } from './groups.ts';
import { notServedOperations } from './not-served.ts';
import { type CodeDeployApi, type CodeDeployOptions, codeDeployPages } from './options.ts';
import { tagOperations } from './tagging.ts';
import { targetOperations } from './targets.ts';

/** What keeps lists small before anything reads them (CodeDeploy user guide, "Limits"). */
const constraints: Constraints = {
  ecsServices: { max: 10 },
  targetGroupPairInfoList: { max: 10 },
  listenerArns: { max: 10 },
  targetGroups: { max: 10 },
  alarms: { max: 100 },
  serviceRoleArn: { max: 2048 },
  // An AppSpec has a few hundred; what is longer would take the processor for long.
  content: { max: 16_384 },
};

/** The API of CodeDeploy (2014-10-06), for the compute platform ECS, as the gateway serves it. */
export function createCodeDeploy(options: CodeDeployOptions): ServiceDefinition {
  const api: CodeDeployApi = { ...options, pages: codeDeployPages(options) };
  return defineService({
    name: 'codedeploy',
    protocol: awsJson('1.1', 'CodeDeploy_20141006'),
    load: () => import('@aws-sdk/client-codedeploy'),
    constraints,
    limits: { needs: (operation) => `codedeploy:${operation}` },
    operations: {
      ...applicationOperations(api),
      ...configurationOperations(api),
      ...groupOperations(api),
      ...deploymentOperations(api),
      ...targetOperations(api),
      ...tagOperations(api),
      ...notServedOperations(),
    },
  });
}
