import type { CreateTaskSetRequest, Scale } from '@aws-sdk/client-ecs';

import { ecsTags, type Home, invalidParameter, notSupported, parseArn, refuseMembers } from '../cluster/index.ts';
import type { ServiceLoadBalancer, TaskDefinitionRecord, TaskSetRecord } from '../state/index.ts';
import { parseLoadBalancers } from './load-balancers.ts';
import type { Launch } from './request.ts';
import type { ServiceRef } from './services.ts';

/** What CreateTaskSet asks for, checked and completed. */
export interface TaskSetDraft {
  /** ARN of the revision. */
  readonly taskDefinition: string;
  readonly loadBalancers: readonly ServiceLoadBalancer[];
  readonly taskSet: Omit<TaskSetRecord, 'steady' | 'steadyAt' | 'ends'>;
}

/**
 * How much of the service's desired count a set has: a number from 0 to 100, and 0 where nothing is said.
 * @throws InvalidParameterException
 */
export function parseScale(scale: Scale | undefined): number {
  const { unit = 'PERCENT', value = 0 } = scale ?? {};
  if (unit !== 'PERCENT')
    throw invalidParameter(`The unit of a task set's scale must be PERCENT, not '${String(unit)}'.`);
  if (!(value >= 0 && value <= 100))
    throw invalidParameter(`The value of a task set's scale must be a number from 0 to 100, not ${value}.`);
  return value;
}

/**
 * The target group of a task set: one at most, and no rules, whose weights are the controller's to set.
 * @throws InvalidParameterException
 */
export function parseSetBalancers(
  given: CreateTaskSetRequest['loadBalancers'],
  definition: TaskDefinitionRecord,
  account: string,
): readonly ServiceLoadBalancer[] {
  if ((given ?? []).length > 1)
    throw invalidParameter('A task set has one target group at most: name one in loadBalancers.');
  if (given?.some(({ advancedConfiguration }) => advancedConfiguration !== undefined) === true)
    throw notSupported(
      "'loadBalancers.advancedConfiguration' of a task set",
      'Weights between task sets are set by their controller: ModifyListener, ModifyRule.',
    );
  return parseLoadBalancers(given ?? [], definition, account);
}

/** @throws InvalidParameterException */
export function parseTaskSet(
  input: CreateTaskSetRequest,
  definition: TaskDefinitionRecord,
  { launchType, strategy, network, loadBalancers }: Launch,
): TaskSetDraft {
  refuseMembers(input, { serviceRegistries: 'There is no service discovery; DescribeTasks shows where tasks listen.' });
  return {
    taskDefinition: definition.arn,
    loadBalancers,
    taskSet: {
      scale: parseScale(input.scale),
      launchType,
      ...(strategy === undefined ? {} : { capacityProviderStrategy: strategy }),
      ...(launchType === 'FARGATE' ? { platformVersion: input.platformVersion ?? 'LATEST' } : {}),
      ...(network === undefined ? {} : { network }),
      ...(input.externalId === undefined ? {} : { externalId: input.externalId }),
      tags: ecsTags.parse(input.tags),
    },
  };
}

const ids = /^ecs-svc\/\d{1,20}$/;

/**
 * The id of a task set (`ecs-svc/…`) from that or its ARN.
 * @throws InvalidParameterException when it is neither, or is of another service
 */
export function parseTaskSetId(identifier: string, { cluster, service }: ServiceRef, home: Home): string {
  if (!identifier.startsWith('arn:')) return checked(identifier, identifier);
  const { type, path } = parseArn(identifier, home);
  const [ofCluster, ofService, ...id] = path;
  if (type !== 'task-set') throw invalidParameter(`Identifier was not of type: task-set: '${identifier}'.`);
  if (ofCluster !== cluster || ofService !== service)
    throw invalidParameter(`The task set '${identifier}' is not of the service ${service} in the cluster ${cluster}.`);
  return checked(id.join('/'), identifier);
}

function checked(id: string, identifier: string): string {
  if (ids.test(id)) return id;
  throw invalidParameter(`Invalid task set '${identifier.slice(0, 300)}': use its id (ecs-svc/…) or its ARN.`);
}
