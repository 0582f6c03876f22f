import { inOtherGroup, newestCompleted } from '../deployments/index.ts';
import type { DeploymentRecord, ServiceLoadBalancer, ServiceRecord, Shifting } from '../state/index.ts';

/** What a new deployment of a service is made of. */
export interface DeploymentStart {
  /** From `newDeploymentId`. */
  readonly id: string;
  /** ARN of the revision. */
  readonly taskDefinition: string;
  readonly cause: DeploymentRecord['cause'];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The service as the deployment finds it. */
type Before = Pick<ServiceRecord, 'deploymentConfiguration' | 'loadBalancers' | 'deployments'>;

/** A deployment that has just begun: PRIMARY and IN_PROGRESS. Its tasks are registered where those of the serving revision are not. */
export const newDeployment = (service: Before, start: DeploymentStart): DeploymentRecord => {
  const shifting = shiftingOf(service, start.now);
  const { loadBalancers } = service;
  return {
    id: start.id,
    status: 'PRIMARY',
    taskDefinition: start.taskDefinition,
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `ECS deployment ${start.id} in progress.`,
    failedTasks: 0,
    everRunning: false,
    createdAt: start.now,
    updatedAt: start.now,
    cause: start.cause,
    ...(loadBalancers === undefined
      ? {}
      : {
          loadBalancers: shifting === undefined ? loadBalancers : loadBalancers.map(placedBeside(servingOf(service))),
        }),
    ...(shifting === undefined ? {} : { shifting }),
  };
};

/** The PRIMARY deployment: the newest one, which the service is rolling to or has reached. */
export const primaryOf = (service: ServiceRecord): DeploymentRecord | undefined =>
  service.deployments.find((deployment) => deployment.status === 'PRIMARY');

/**
 * The deployment that production traffic is at, or goes back to when the newest one is given up: the newest that was completed, which one
 * that shifts traffic is from the end of its bake time. Undefined before the first one is. Pure.
 */
export const servingOf = ({ deployments }: Pick<ServiceRecord, 'deployments'>): DeploymentRecord | undefined =>
  newestCompleted(deployments);

/** Of another deployment's registrations, the one for the same port of the same container. */
export const counterpartOf = (
  deployment: Pick<DeploymentRecord, 'loadBalancers'> | undefined,
  { containerName, containerPort }: ServiceLoadBalancer,
): ServiceLoadBalancer | undefined =>
  deployment?.loadBalancers?.find((one) => one.containerName === containerName && one.containerPort === containerPort);

/** Gives a registration the group of its pair that the serving deployment does not have; the other one is the alternate then. */
const placedBeside =
  (serving: DeploymentRecord | undefined) =>
  (one: ServiceLoadBalancer): ServiceLoadBalancer =>
    counterpartOf(serving, one)?.targetGroupArn === one.targetGroupArn ? inOtherGroup(one) : one;

function shiftingOf({ deploymentConfiguration: configuration }: Before, now: number): Shifting | undefined {
  const { strategy, bakeTimeInMinutes = 0, lifecycleHooks = [] } = configuration;
  if (strategy === undefined) return undefined;
  return {
    strategy,
    bakeTimeInMinutes,
    hooks: lifecycleHooks,
    stage: 'RECONCILE_SERVICE',
    stageSince: now,
    step: 0,
    wanted: { production: 0, test: 0 },
    sequence: 0,
    live: { production: 0, test: 0, since: now },
    runs: [],
  };
}

/**
 * The service with a new PRIMARY deployment. The one before becomes ACTIVE and shrinks as the new one grows; a rollout
 * that was still going on is superseded (ECS: UpdateService). The reconciler does the rest. Pure.
 */
export function startDeployment(service: ServiceRecord, start: DeploymentStart): ServiceRecord {
  return {
    ...service,
    taskDefinition: start.taskDefinition,
    deployments: [
      {
        ...newDeployment(service, start),
        replaces: service.deployments.filter(({ status }) => status !== 'INACTIVE').map(({ id }) => id),
      },
      ...service.deployments.map((deployment) =>
        deployment.status === 'PRIMARY'
          ? { ...deployment, status: 'ACTIVE' as const, updatedAt: start.now }
          : deployment,
      ),
    ],
    steady: false,
    version: service.version + 1,
  };
}
