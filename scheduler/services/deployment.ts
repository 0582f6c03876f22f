import type { DeploymentRecord, ServiceRecord } from '../state/index.ts';

/** What a new deployment of a service is made of. */
export interface DeploymentStart {
  /** From `newDeploymentId`. */
  readonly id: string;
  /** ARN of the revision. */
  readonly taskDefinition: string;
  readonly cause: DeploymentRecord['cause'];
  /** Where its tasks are registered. */
  readonly loadBalancers?: ServiceRecord['loadBalancers'] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A deployment that has just begun: PRIMARY and IN_PROGRESS. */
export const newDeployment = (start: DeploymentStart): DeploymentRecord => ({
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
  ...(start.loadBalancers === undefined ? {} : { loadBalancers: start.loadBalancers }),
});

/** The PRIMARY deployment: the newest one, which the service is rolling to or has reached. */
export const primaryOf = (service: ServiceRecord): DeploymentRecord | undefined =>
  service.deployments.find((deployment) => deployment.status === 'PRIMARY');

/**
 * The service with a new PRIMARY deployment. The one before becomes ACTIVE and shrinks as the new one grows; a rollout
 * that was still going on is superseded (ECS: UpdateService). The reconciler does the rest. Pure.
 */
export function startDeployment(service: ServiceRecord, start: Omit<DeploymentStart, 'loadBalancers'>): ServiceRecord {
  return {
    ...service,
    taskDefinition: start.taskDefinition,
    deployments: [
      {
        ...newDeployment({ ...start, loadBalancers: service.loadBalancers }),
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
