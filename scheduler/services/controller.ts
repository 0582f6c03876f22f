import type {
  CreateServiceRequest,
  DeploymentConfiguration as WireConfiguration,
  DeploymentController,
  UpdateServiceRequest,
} from '@aws-sdk/client-ecs';

import { invalidParameter, notSupported } from '../cluster/index.ts';
import type { ServiceRecord } from '../state/index.ts';

/**
 * Who deploys the service, as a request says; undefined for ECS itself.
 * @throws InvalidParameterException
 */
export function readController(input: DeploymentController | undefined): ServiceRecord['controller'] {
  const type = input?.type ?? 'ECS';
  if (type === 'ECS') return undefined;
  if (type === 'EXTERNAL' || type === 'CODE_DEPLOY') return type;
  throw notSupported(`Deployment controller ${String(type)}`, 'Use the controller ECS, CODE_DEPLOY or EXTERNAL.');
}

/** What CreateTaskSet says for each set, by the names that ECS has for it in its refusals. */
const ofTaskSets = {
  taskDefinition: 'TaskDefinition',
  launchType: 'LaunchType',
  capacityProviderStrategy: 'CapacityProviderStrategy',
  platformVersion: 'PlatformVersion',
  networkConfiguration: 'NetworkConfiguration',
  loadBalancers: 'LoadBalancers',
  serviceRegistries: 'ServiceRegistries',
} as const;

const asks = (value: unknown): boolean =>
  value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);

/**
 * A service with the controller EXTERNAL says nothing of what its task sets say, and has no deployments that ECS could watch over.
 * @throws InvalidParameterException
 */
export function checkExternal(
  input: CreateServiceRequest,
  schedulingStrategy: ServiceRecord['schedulingStrategy'],
): void {
  for (const [member, name] of Object.entries(ofTaskSets))
    if (asks(input[member as keyof typeof ofTaskSets]))
      throw invalidParameter(
        `${name} must be blank. With the controller EXTERNAL each task set has its own: CreateTaskSet.`,
      );
  if (schedulingStrategy === 'DAEMON')
    throw invalidParameter('The daemon scheduling strategy is not supported with the deployment controller EXTERNAL.');
  checkConfiguration(input.deploymentConfiguration);
}

/**
 * What UpdateService may change of such a service (ECS: desired count, placement, grace period, the handling of tags).
 * @throws InvalidParameterException
 */
export function checkExternalUpdate(input: UpdateServiceRequest): void {
  const given = (Object.keys(ofTaskSets) as (keyof typeof ofTaskSets)[]).find(
    (member) => member !== 'launchType' && input[member] !== undefined,
  );
  const changed = given ?? (input.forceNewDeployment === true ? 'forceNewDeployment' : undefined);
  if (changed !== undefined)
    throw invalidParameter(
      `Unable to update ${changed} on services with an EXTERNAL deployment controller. Use CreateTaskSet for a new task set.`,
    );
  checkConfiguration(input.deploymentConfiguration);
}

function checkConfiguration(configuration: WireConfiguration | undefined): void {
  const refuse = (member: string): never => {
    throw invalidParameter(
      `${member} is supported with the deployment controller ECS only: an external controller judges its task sets itself.`,
    );
  };
  const {
    deploymentCircuitBreaker,
    alarms,
    strategy = 'ROLLING',
    bakeTimeInMinutes = 0,
    lifecycleHooks,
  } = configuration ?? {};
  if (deploymentCircuitBreaker?.enable === true) refuse('deploymentCircuitBreaker');
  if (alarms?.enable === true) refuse('alarms');
  if (strategy !== 'ROLLING') refuse(`The strategy ${strategy}`);
  if (bakeTimeInMinutes !== 0) refuse('bakeTimeInMinutes');
  if (asks(lifecycleHooks)) refuse('lifecycleHooks');
}
