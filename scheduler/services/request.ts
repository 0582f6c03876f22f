import type { CreateServiceRequest, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import type { Principal } from '@slipway/auth/contract';

import {
  invalidParameter,
  isName,
  launchTypeOf,
  notSupported,
  ecsTags,
  type Refusals,
  refuseMembers,
  usable,
} from '../cluster/index.ts';
import type {
  CapacityProviderStrategy,
  LaunchType,
  NetworkConfiguration,
  ServiceLoadBalancer,
  ServiceRecord,
  TaskDefinitionRecord,
} from '../state/index.ts';
import { bodyOf, parseConstraints, parseStrategies, type PlacementExtensions } from '../tasks/index.ts';
import { defaultConfiguration, parseConfiguration } from './configuration.ts';
import { checkDeployed } from './code-deploy-rules.ts';
import { checkExternal, checkExternalUpdate, readController } from './controller.ts';
import { delegateOf } from './delegate.ts';
import { followTag, parseFollow } from './follow.ts';
import { judgeTag, parseJudge } from './judge.ts';
import { parseRestart, restartTag } from './restart.ts';
import type { HookPlace } from './hooks.ts';
import { checkRebalanceTag, rebalancingOf } from './rebalancing.ts';
import type { ServiceChange, ServiceDraft, ServiceLaunch } from './services.ts';

/** Members of both requests that nothing here acts on. */
const refusals = {
  serviceRegistries: 'There is no service discovery; DescribeTasks shows where tasks listen.',
  volumeConfigurations: 'Declare volumes in the task definition.',
  vpcLatticeConfigurations: 'Remove the member.',
  gatewayConnectors: 'Remove the member.',
  monitoring: 'Remove the member.',
} as const satisfies Refusals<UpdateServiceRequest>;

/** How and where a service's tasks run, as the launch type, the strategy and the network of its request come out. */
export interface Launch {
  readonly launchType: LaunchType;
  readonly strategy: CapacityProviderStrategy | undefined;
  readonly network: NetworkConfiguration | undefined;
  readonly loadBalancers: readonly ServiceLoadBalancer[];
}

/**
 * What CreateService asks for, checked and completed.
 * @param definition the revision to run; with the controller EXTERNAL there is none
 * @throws InvalidParameterException
 */
export function parseCreate(
  input: CreateServiceRequest,
  definition: TaskDefinitionRecord | undefined,
  { launchType, strategy, network, loadBalancers }: Launch,
  caller: Principal,
  place: HookPlace,
  extensions?: PlacementExtensions,
): ServiceDraft {
  if (!isName(input.serviceName ?? '')) {
    throw invalidParameter(
      `Invalid service name '${input.serviceName ?? ''}': use 1 to 255 letters, digits, hyphens and underscores.`,
    );
  }
  refuseMembers(input, {
    ...refusals,
    role: 'Targets are registered in the name of the service-linked role: remove it.',
  });
  refuseShared(input);
  const controller = readController(input.deploymentController);
  const schedulingStrategy = input.schedulingStrategy ?? 'REPLICA';
  if (schedulingStrategy !== 'REPLICA' && schedulingStrategy !== 'DAEMON') {
    throw invalidParameter(`schedulingStrategy must be REPLICA or DAEMON, not '${String(schedulingStrategy)}'.`);
  }
  if (schedulingStrategy === 'DAEMON' && (input.desiredCount !== undefined || input.placementStrategy?.length)) {
    throw invalidParameter(
      'A daemon service runs one task on every instance: leave out desiredCount and placementStrategy.',
    );
  }
  // With the controller EXTERNAL the name alone is required (ECS developer guide): such a service begins with no task.
  if (schedulingStrategy === 'REPLICA' && input.desiredCount === undefined && controller !== 'EXTERNAL') {
    throw invalidParameter('desiredCount must be specified for a service with the REPLICA scheduling strategy.');
  }
  if (schedulingStrategy === 'DAEMON' && launchType === 'FARGATE') throw noDaemons();
  if (schedulingStrategy === 'DAEMON' && strategy !== undefined) throw noDaemonStrategy();
  if (controller === 'EXTERNAL') checkExternal(input, schedulingStrategy);
  const tags = ecsTags.parse(input.tags);
  const follow = tags[followTag];
  if (follow !== undefined) parseFollow(follow);
  const judge = tags[judgeTag];
  if (judge !== undefined) parseJudge(judge);
  const restart = tags[restartTag];
  if (restart !== undefined && parseRestart(restart) && controller !== undefined)
    throw invalidParameter(
      `A service that another controller deploys does not roll by itself: remove the tag '${restartTag}'.`,
    );
  const grace = parseGrace(input.healthCheckGracePeriodSeconds);
  const draft: Omit<ServiceDraft, 'availabilityZoneRebalancing'> = {
    schedulingStrategy,
    ...(controller === undefined ? {} : { controller }),
    desiredCount: parseCount(input.desiredCount) ?? 0,
    taskDefinition: definition?.arn ?? '',
    deploymentConfiguration: parseConfiguration(
      input.deploymentConfiguration,
      defaultConfiguration(schedulingStrategy),
      schedulingStrategy,
      place,
    ),
    ...placementOf(input, definition, extensions),
    ...(grace === undefined ? {} : { healthCheckGracePeriodSeconds: grace }),
    launchType,
    ...(strategy === undefined ? {} : { capacityProviderStrategy: strategy }),
    ...(launchType === 'FARGATE' ? { platformVersion: input.platformVersion ?? 'LATEST' } : {}),
    ...(network === undefined ? {} : { network }),
    ...(loadBalancers.length === 0 ? {} : { loadBalancers }),
    createdBy: caller.arn,
    tags,
    ...(follow === undefined ? {} : { followedBy: delegateOf(caller) }),
    propagateTags: parsePropagation(input.propagateTags),
    enableECSManagedTags: input.enableECSManagedTags ?? false,
    enableExecuteCommand: input.enableExecuteCommand ?? false,
  };
  checkDeployed(draft);
  checkRebalanceTag(tags, draft);
  const asked = input.availabilityZoneRebalancing;
  return { ...draft, availabilityZoneRebalancing: rebalancingOf(asked, undefined, draft, definition) };
}

/**
 * What UpdateService changes on a service; members that are left out stay, empty lists remove.
 * @param definition the revision to run from now on, when the request names one
 * @param running the revision that it runs then, named or not, when that is known
 * @param launched how and where its next tasks run and are registered, when the request says so
 * @throws InvalidParameterException
 */
export function parseUpdate(
  input: UpdateServiceRequest,
  service: ServiceRecord,
  definition: TaskDefinitionRecord | undefined,
  launched: Pick<ServiceChange, 'launch' | 'network' | 'loadBalancers'>,
  place: HookPlace,
  running: TaskDefinitionRecord | undefined,
  extensions?: PlacementExtensions,
): ServiceChange {
  refuseMembers(input, refusals);
  refuseShared(input);
  if (input.deploymentController !== undefined && readController(input.deploymentController) !== service.controller)
    throw notSupported(
      'Changing the deployment controller of a service',
      `Leave deploymentController out, or make another service: this one has ${service.controller ?? 'ECS'}.`,
    );
  if (service.controller === 'EXTERNAL') checkExternalUpdate(input);
  if (
    service.schedulingStrategy === 'DAEMON' &&
    (input.desiredCount !== undefined || input.placementStrategy?.length)
  ) {
    throw invalidParameter(
      'A daemon service runs one task on every instance: leave out desiredCount and placementStrategy.',
    );
  }
  const desiredCount = parseCount(input.desiredCount);
  const grace = parseGrace(input.healthCheckGracePeriodSeconds);
  const placement = placementOf(input, definition, extensions);
  const change: ServiceChange = {
    ...(desiredCount === undefined ? {} : { desiredCount }),
    ...(definition === undefined ? {} : { taskDefinition: definition.arn }),
    ...launched,
    ...(input.platformVersion === undefined ? {} : { platformVersion: input.platformVersion }),
    ...(grace === undefined ? {} : { healthCheckGracePeriodSeconds: grace }),
    ...(input.placementConstraints === undefined ? {} : { placementConstraints: placement.placementConstraints }),
    ...(input.placementStrategy === undefined ? {} : { placementStrategy: placement.placementStrategy }),
    ...(input.propagateTags === undefined ? {} : { propagateTags: parsePropagation(input.propagateTags) }),
    ...(input.enableECSManagedTags === undefined ? {} : { enableECSManagedTags: input.enableECSManagedTags }),
    ...(input.enableExecuteCommand === undefined ? {} : { enableExecuteCommand: input.enableExecuteCommand }),
    deploymentConfiguration: parseConfiguration(
      input.deploymentConfiguration,
      service.deploymentConfiguration,
      service.schedulingStrategy,
      place,
    ),
  };
  const { launch, loadBalancers: _, ...others } = change;
  const next = { ...service, ...others, ...launch };
  const asked = input.availabilityZoneRebalancing;
  const rebalancing = rebalancingOf(asked, service.availabilityZoneRebalancing, next, running);
  return { ...change, availabilityZoneRebalancing: rebalancing };
}

const noDaemonStrategy = (): Error =>
  invalidParameter(
    'A daemon service cannot have a capacity provider strategy. Specify the launch type EC2, and constrain placement where it is to run.',
  );

const noDaemons = (): Error =>
  invalidParameter('The daemon scheduling strategy is not supported with FARGATE launch type.');

/**
 * How a service's tasks run once its strategy is another one: an empty one goes back to the launch type (ECS: UpdateService).
 * @throws InvalidParameterException
 */
export function withStrategy(service: ServiceRecord, strategy: CapacityProviderStrategy): ServiceLaunch {
  const { launchType, capacityProviderStrategy: had, formerLaunchType: former } = service;
  if (strategy.length === 0) return { launchType: former ?? launchType };
  const next = launchTypeOf(strategy);
  if (service.schedulingStrategy === 'DAEMON') throw next === 'FARGATE' ? noDaemons() : noDaemonStrategy();
  const before = had === undefined ? launchType : former;
  return {
    launchType: next,
    capacityProviderStrategy: usable(strategy),
    ...(before === undefined ? {} : { formerLaunchType: before }),
  };
}

function placementOf(
  input: Pick<CreateServiceRequest, 'placementConstraints' | 'placementStrategy'>,
  definition: TaskDefinitionRecord | undefined,
  extensions: PlacementExtensions | undefined,
): Pick<ServiceRecord, 'placementConstraints' | 'placementStrategy'> {
  const ofDefinition = definition === undefined ? 0 : (bodyOf(definition).placementConstraints ?? []).length;
  return {
    placementConstraints: parseConstraints(input.placementConstraints, ofDefinition, extensions),
    placementStrategy: parseStrategies(input.placementStrategy, extensions),
  };
}

function refuseShared(input: Pick<UpdateServiceRequest, 'serviceConnectConfiguration'>): void {
  if (input.serviceConnectConfiguration?.enabled === true) {
    throw notSupported('Service Connect', 'Set enabled to false, or leave it out.');
  }
}

function parsePropagation(value: string | undefined): ServiceRecord['propagateTags'] {
  if (value === undefined || value === 'NONE') return 'NONE';
  if (value === 'SERVICE' || value === 'TASK_DEFINITION') return value;
  throw invalidParameter(`propagateTags must be SERVICE, TASK_DEFINITION or NONE, not '${value}'.`);
}

/** Tasks that one service may have (Amazon ECS service quotas). */
export const maximumTasks = 5000;

function parseCount(count: number | undefined): number | undefined {
  if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= maximumTasks)) return count;
  throw invalidParameter(`desiredCount must be a whole number from 0 to ${maximumTasks}, not ${count}.`);
}

function parseGrace(seconds: number | undefined): number | undefined {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= 2_147_483_647)) return seconds;
  throw invalidParameter(`healthCheckGracePeriodSeconds must be a whole number from 0 to 2147483647, not ${seconds}.`);
}
