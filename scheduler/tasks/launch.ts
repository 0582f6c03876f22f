import type { AwsVpcConfiguration, NetworkConfiguration as Requested, TaskOverride } from '@aws-sdk/client-ecs';

import { invalidParameter, notSupported } from '../cluster/index.ts';
import type { LaunchType, NetworkConfiguration, TaskDefinitionRecord } from '../state/index.ts';

import { fargateConflict } from './check-fargate.ts';
import { bodyOf } from './definition.ts';
import { applyOverrides } from './overrides.ts';

/** What the networks of an account know of where tasks may be. */
export interface TaskNetworks {
  /**
   * Checks what a request says of its tasks' interfaces, that subnets and groups are there and of one VPC, and adds the subnets' zones.
   * @throws InvalidParameterException
   */
  resolve(account: string, wanted: AwsVpcConfiguration): Promise<NetworkConfiguration>;
}

/** What CreateService, UpdateService, RunTask and StartTask say alike of where tasks run. */
export interface LaunchRequest {
  readonly launchType?: string | undefined;
  readonly platformVersion?: string | undefined;
  readonly networkConfiguration?: Requested | undefined;
  readonly placementConstraints?: readonly unknown[] | undefined;
  readonly placementStrategy?: readonly unknown[] | undefined;
  /** Of RunTask and StartTask, checked by `checkOverrides`. */
  readonly overrides?: TaskOverride | undefined;
}

/**
 * Where tasks run: EC2 is every container instance, EXTERNAL those whose agent says it is external, FARGATE those that offer
 * themselves.
 * @throws InvalidParameterException
 */
export function parseLaunchType(launchType: string | undefined): LaunchType {
  if (launchType === undefined || launchType === 'EC2') return 'EC2';
  if (launchType === 'EXTERNAL' || launchType === 'FARGATE') return launchType;
  if (launchType === 'MANAGED_INSTANCES') {
    throw notSupported(`Launch type ${launchType}`, 'Tasks run on your own hosts: use EC2, FARGATE or EXTERNAL.');
  }
  throw invalidParameter(`launchType must be EC2, FARGATE or EXTERNAL, not '${launchType}'.`);
}

/** Platform versions that can be asked for; all of them mean the one that there is. */
const platforms = new Set(['LATEST', '1.4.0', '1.3.0']);

/**
 * Holds a request against what its launch type and its definition's network mode allow, and resolves its network configuration.
 *
 * @param launchType of the service or the request
 * @returns where the tasks' interfaces are to be; undefined for tasks that have none of their own
 * @throws InvalidParameterException in ECS's words
 */
export async function checkLaunch(
  networks: TaskNetworks,
  account: string,
  definition: TaskDefinitionRecord,
  launchType: LaunchType,
  request: LaunchRequest,
): Promise<NetworkConfiguration | undefined> {
  const body = applyOverrides(bodyOf(definition), request.overrides);
  const own = body.networkMode === 'awsvpc';
  const wanted = request.networkConfiguration?.awsvpcConfiguration;
  if (launchType === 'FARGATE') {
    const conflict = fargateConflict(body);
    if (conflict !== undefined)
      throw invalidParameter(`Task definition does not support launch_type FARGATE. ${conflict}`);
    if ((request.placementConstraints ?? []).length > 0) {
      throw invalidParameter('Placement constraints are not supported with FARGATE launch type.');
    }
    if ((request.placementStrategy ?? []).length > 0) {
      throw invalidParameter('Placement strategies are not supported with FARGATE launch type.');
    }
  }
  if (launchType !== 'FARGATE' && body.ephemeralStorage !== undefined) {
    throw invalidParameter(
      `Task definition does not support launch_type ${launchType}. 'ephemeralStorage' is only supported for tasks of Fargate.`,
    );
  }
  if (launchType === 'EXTERNAL' && own)
    throw invalidParameter('Task definition does not support launch_type EXTERNAL.');
  checkPlatform(request.platformVersion, launchType);
  if (!own) {
    if (wanted === undefined) return undefined;
    throw invalidParameter('Network Configuration is not valid for the given networkMode of this task definition.');
  }
  if (wanted === undefined) {
    throw invalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  if (wanted.assignPublicIp === 'ENABLED' && launchType !== 'FARGATE') {
    throw invalidParameter('Assign public IP is not supported for this launch type.');
  }
  return networks.resolve(account, wanted);
}

function checkPlatform(version: string | undefined, launchType: LaunchType): void {
  if (version === undefined) return;
  if (launchType !== 'FARGATE') {
    throw invalidParameter(`The platform version must be null when specifying an ${launchType} launch type.`);
  }
  if (!platforms.has(version)) {
    throw invalidParameter(`The specified platform version '${version}' does not exist: use LATEST.`);
  }
}
