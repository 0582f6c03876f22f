import type { DeploymentRecord, ServiceRecord, TaskSetRecord } from '../../state/index.ts';

import { type Revision, World } from './world.ts';

/** A world whose service is deployed by somebody else, and has no task set yet. */
export function externalWorld(options: ConstructorParameters<typeof World>[0]): World {
  const world = new World(options);
  world.service = { ...world.service, controller: 'EXTERNAL', taskDefinition: '', deployments: [] };
  return world;
}

/** CreateTaskSet. */
export function addSet(world: World, revision: Revision, scale: number, more: Partial<DeploymentRecord> = {}): string {
  const number = world.revisions.push(revision) - 1;
  const id = `ecs-svc/${number}`;
  const deployment: DeploymentRecord = {
    id,
    status: 'ACTIVE',
    taskDefinition: `arn:aws:ecs:us-east-1:000000000000:task-definition/web:${number}`,
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: 'deployed by its controller',
    failedTasks: 0,
    everRunning: false,
    createdAt: world.now,
    updatedAt: world.now,
    cause: { kind: 'api' },
    taskSet: { scale, launchType: 'EC2', tags: {}, steady: false, steadyAt: world.now },
    ...more,
  };
  world.service = { ...world.service, deployments: [...world.service.deployments, deployment], steady: false };
  return id;
}

/** UpdateTaskSet, or DeleteTaskSet. */
export function changeSet(world: World, id: string, patch: Partial<TaskSetRecord>): void {
  const deployments = world.service.deployments.map((one) =>
    one.id === id && one.taskSet !== undefined ? { ...one, taskSet: { ...one.taskSet, ...patch } } : one,
  );
  world.service = { ...world.service, deployments };
}

export const setOf = (world: World, id: string): ServiceRecord['deployments'][number] | undefined =>
  world.service.deployments.find((one) => one.id === id);
