import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { invalidParameter, serviceNotActive, serviceNotFound } from '../cluster/index.ts';
import { hasTaskSets, startedAs } from '../deployments/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  newDeploymentId,
  type ServiceRecord,
  type Tags,
  type TaskSetRecord,
  toJson,
  type TokenRecord,
} from '../state/index.ts';
import { stabilizing } from './rescale.ts';
import { changeService, type ServicePorts, type ServiceRef } from './services.ts';
import type { TaskSetDraft } from './task-set-request.ts';

/** Task sets that one service may have, those that end included (Amazon ECS service quotas). */
const mostSets = 5;

/** A task set with the service that it is of. */
export interface TaskSetOf {
  readonly service: ServiceRecord;
  readonly deployment: DeploymentRecord;
}

const notFound = (id: string): AwsError =>
  new AwsError(
    'TaskSetNotFoundException',
    `The specified task set wasn't found: ${id}. DescribeTaskSets has those of a service.`,
  );

/** @throws InvalidParameterException for a service that ECS deploys */
export function requireExternal(service: ServiceRecord): void {
  if (!hasTaskSets(service))
    throw invalidParameter(
      'Amazon ECS only supports task set management on services configured to use external deployment controllers.',
    );
}

/**
 * Adds a task set to an ACTIVE service; one that this client token made is returned as it is.
 * @throws ServiceNotFoundException, ServiceNotActiveException, InvalidParameterException
 */
export async function createTaskSet(
  ports: ServicePorts,
  ref: ServiceRef,
  draft: TaskSetDraft,
  token?: { readonly value: string; readonly request: string },
): Promise<TaskSetOf> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = clusterKeys.service(ref.service);
    const service = await tx.get<ServiceRecord>(key);
    if (service === undefined) throw serviceNotFound();
    if (service.status !== 'ACTIVE') throw serviceNotActive();
    requireExternal(service);
    const id = newDeploymentId(ports.random);
    const now = ports.clock.now();
    if (token !== undefined) {
      const tokenKey = clusterKeys.token('CreateTaskSet', token.value);
      const used = await tx.get<TokenRecord>(tokenKey);
      if (used !== undefined && used.request !== token.request)
        throw invalidParameter('The client token was already used by a different request: use a new token.');
      const made = service.deployments.find((deployment) => deployment.id === used?.ids[0]);
      if (made !== undefined) return { service, deployment: made };
      const next: TokenRecord = {
        operation: 'CreateTaskSet',
        request: token.request,
        ids: [id],
        createdAt: now,
        done: true,
      };
      tx.put(tokenKey, toJson(next));
    }
    if (service.deployments.length >= mostSets)
      throw invalidParameter(
        `${mostSets} deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.`,
      );
    const deployment: DeploymentRecord = {
      id,
      status: 'ACTIVE',
      taskDefinition: draft.taskDefinition,
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: 'A task set is deployed by its external controller.',
      failedTasks: 0,
      everRunning: false,
      createdAt: now,
      updatedAt: now,
      cause: { kind: 'api' },
      ...(draft.loadBalancers.length === 0 ? {} : { loadBalancers: draft.loadBalancers }),
      taskSet: { ...draft.taskSet, steady: false, steadyAt: now },
    };
    const changed: ServiceRecord = {
      ...service,
      deployments: [...service.deployments, deployment],
      steady: false,
      version: service.version + 1,
    };
    tx.put(key, toJson(changed));
    return { service: changed, deployment };
  });
}

/** Changes one set of a service. @throws TaskSetNotFoundException, and what `change` throws */
async function changeSet(
  ports: ServicePorts,
  ref: ServiceRef,
  id: string,
  change: (deployment: DeploymentRecord, taskSet: TaskSetRecord) => DeploymentRecord,
): Promise<TaskSetOf> {
  const { after } = await changeService(ports, ref, (service) => {
    requireExternal(service);
    const found = service.deployments.find((one) => one.id === id);
    if (found?.taskSet === undefined) throw notFound(id);
    const changed = change(found, found.taskSet);
    if (changed === found) return service;
    return {
      ...service,
      deployments: service.deployments.map((one) => (one.id === id ? changed : one)),
      steady: service.steady && changed.taskSet?.steady === true,
      version: service.version + 1,
    };
  });
  const deployment = after.deployments.find((one) => one.id === id);
  if (deployment === undefined) throw notFound(id);
  return { service: after, deployment };
}

/**
 * Gives a set another share of its service's desired count.
 * @throws ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException, InvalidParameterException when it is being deleted
 */
export function scaleTaskSet(ports: ServicePorts, ref: ServiceRef, id: string, scale: number): Promise<TaskSetOf> {
  const now = ports.clock.now();
  return changeSet(ports, ref, id, (deployment, taskSet) => {
    if (taskSet.ends === true) throw invalidParameter(`The task set ${id} is being deleted: it cannot be scaled.`);
    if (taskSet.scale === scale) return deployment;
    return { ...deployment, updatedAt: now, taskSet: { ...stabilizing(taskSet, now), scale } };
  });
}

/**
 * Begins the end of a set: its tasks are told to stop, and it goes with the last of them. Saying so again changes nothing.
 * @throws ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException, InvalidParameterException when it is scaled above
 * 0 and `force` is not set
 */
export function deleteTaskSet(ports: ServicePorts, ref: ServiceRef, id: string, force: boolean): Promise<TaskSetOf> {
  const now = ports.clock.now();
  return changeSet(ports, ref, id, (deployment, taskSet) => {
    if (taskSet.ends === true) return deployment;
    if (taskSet.scale > 0 && !force)
      throw invalidParameter(
        'The task set cannot be deleted while it is scaled above 0: scale it to 0 with UpdateTaskSet, or use force.',
      );
    return {
      ...deployment,
      status: 'ACTIVE',
      updatedAt: now,
      taskSet: { ...stabilizing(taskSet, now), ends: true },
    };
  });
}

/**
 * Says which set serves production traffic. What it runs and where is what the service says from then on (ECS:
 * UpdateServicePrimaryTaskSet, "parameters that are updated on the primary task set in a service will transition to the service").
 * @throws ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException, InvalidParameterException when it is being deleted
 */
export async function setPrimary(ports: ServicePorts, ref: ServiceRef, id: string): Promise<TaskSetOf> {
  const now = ports.clock.now();
  const { after } = await changeService(ports, ref, (service) => {
    requireExternal(service);
    const found = service.deployments.find((one) => one.id === id);
    if (found?.taskSet === undefined) throw notFound(id);
    if (found.taskSet.ends === true)
      throw invalidParameter(`The task set ${id} is being deleted: name another one as primary.`);
    if (found.status === 'PRIMARY') return service;
    const primary: DeploymentRecord = { ...found, status: 'PRIMARY', updatedAt: now };
    const others = service.deployments.flatMap((one): DeploymentRecord[] =>
      one.id === id ? [] : [one.status === 'PRIMARY' ? { ...one, status: 'ACTIVE', updatedAt: now } : one],
    );
    const { loadBalancers: _, ...rest } = startedAs(service, found);
    return {
      ...rest,
      taskDefinition: found.taskDefinition,
      ...(found.loadBalancers === undefined ? {} : { loadBalancers: found.loadBalancers }),
      deployments: [primary, ...others],
      version: service.version + 1,
    };
  });
  return { service: after, deployment: after.deployments.find((one) => one.id === id)! };
}

/**
 * Replaces the tags of a set.
 * @throws ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException
 */
export const tagTaskSet = (
  ports: ServicePorts,
  ref: ServiceRef,
  id: string,
  change: (tags: Tags) => Tags,
): Promise<TaskSetOf> =>
  changeSet(ports, ref, id, (deployment, taskSet) => ({
    ...deployment,
    taskSet: { ...taskSet, tags: change(taskSet.tags) },
  }));
