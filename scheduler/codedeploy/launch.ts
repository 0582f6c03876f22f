import type { AssignPublicIp } from '@aws-sdk/client-ecs';

import { activeCluster, launchTypeOf, parseStrategy, usable } from '../cluster/index.ts';
import { startedAs } from '../deployments/index.ts';
import { networkView, servingOf, type ServiceRef } from '../services/index.ts';
import type { LaunchSettings, ServiceRecord, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, checkLaunch, stableJson } from '../tasks/index.ts';

import type { AppSpec } from './appspec.ts';
import type { CodeDeployApi } from './options.ts';

/**
 * How the new tasks run: as those that serve now, but for what the AppSpec says (CodeDeploy user guide, "AppSpec 'resources' section for
 * Amazon ECS deployments").
 * @returns undefined where that is as the service was made
 * @throws InvalidParameterException in ECS's words
 */
export async function readLaunch(
  api: CodeDeployApi,
  ref: ServiceRef,
  { platformVersion, network: wanted, providers }: AppSpec,
  service: ServiceRecord,
  definition: TaskDefinitionRecord,
): Promise<LaunchSettings | undefined> {
  const serving = launchOf(startedAs(service, servingOf(service) ?? {}));
  const strategy =
    providers === undefined
      ? serving.capacityProviderStrategy
      : usable(parseStrategy(providers, await activeCluster(api, ref)));
  const launchType = strategy === undefined ? serving.launchType : launchTypeOf(strategy);
  const { placementConstraints, placementStrategy } = service;
  // Tasks of other network modes have no interface of their own, whatever those before them had.
  const before = bodyOf(definition).networkMode === 'awsvpc' ? networkView(serving.network) : undefined;
  const network = await checkLaunch(api.networks, ref.account, definition, launchType, {
    platformVersion,
    networkConfiguration:
      wanted === undefined
        ? before
        : {
            awsvpcConfiguration: {
              subnets: [...wanted.subnets],
              securityGroups: [...wanted.securityGroups],
              // Whether it is one is checked with the rest.
              assignPublicIp: wanted.assignPublicIp as AssignPublicIp,
            },
          },
    placementConstraints,
    placementStrategy,
  });
  const launch = launchOf({
    launchType,
    ...(strategy === undefined ? {} : { capacityProviderStrategy: strategy }),
    ...(launchType === 'FARGATE' ? { platformVersion: platformVersion ?? serving.platformVersion ?? 'LATEST' } : {}),
    ...(network === undefined ? {} : { network }),
  });
  return stableJson(launch) === stableJson(launchOf(service)) ? undefined : launch;
}

const launchOf = ({
  launchType,
  capacityProviderStrategy: strategy,
  platformVersion,
  network,
}: LaunchSettings): LaunchSettings => ({
  launchType,
  ...(strategy === undefined ? {} : { capacityProviderStrategy: strategy }),
  ...(platformVersion === undefined ? {} : { platformVersion }),
  ...(network === undefined ? {} : { network }),
});
