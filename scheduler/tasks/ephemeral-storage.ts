import type { EphemeralStorage } from '@aws-sdk/client-ecs';

import type { TaskDefinitionBody } from './definition.ts';

/** GiB of disk that a task of Fargate has unless it says otherwise (ECS developer guide, "Fargate task ephemeral storage"). */
const usual = 20;
const least = 21;
const most = 200;

/** Why a task cannot have ephemeral storage of this size, as a sentence; undefined when it can. */
export function storageConflict({ sizeInGiB }: EphemeralStorage): string | undefined {
  if (sizeInGiB !== undefined && Number.isInteger(sizeInGiB) && sizeInGiB >= least && sizeInGiB <= most)
    return undefined;
  return `'ephemeralStorage.sizeInGiB' must be a whole number from ${least} to ${most}, not ${sizeInGiB}; tasks without it have ${usual} GiB.`;
}

/** GiB of disk that a task of Fargate has; overrides are applied. */
export const storageOf = (body: TaskDefinitionBody): number => body.ephemeralStorage?.sizeInGiB ?? usual;
