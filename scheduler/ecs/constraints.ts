import type { Constraints, ServiceLimits } from '@slipway/auth/contract';

/**
 * ECS takes an optional text that is empty as one that was left out, and tools count on it: ecs-deploy sends `taskRoleArn: ""`, others
 * `ipcMode: ""` or `sourcePath: ""`. Where an empty text is a value of its own it stays one.
 */
export const ecsConstraints: Constraints = {
  '*': { emptyIsAbsent: true },
  'KeyValuePair.value': {},
  'SystemControl.value': {},
  'Tag.value': {},
  // Kept as a key of the record store.
  'CreateServiceRequest.clientToken': { emptyIsAbsent: true, max: 36 },
  'CreateTaskSetRequest.clientToken': { emptyIsAbsent: true, max: 36 },
  'CreateTaskSetRequest.externalId': { emptyIsAbsent: true, max: 255 },
  // Shown nowhere, on ECS neither.
  referenceId: { emptyIsAbsent: true, max: 1024 },
  // "A task definition can have at most 10 containers" (Service quotas): counted before the first of them is read.
  'RegisterTaskDefinitionRequest.containerDefinitions': { max: 10 },
};

/**
 * The largest input is a task definition: 64 KiB and tags, of which a client may write every character as `\uXXXX`. Nothing of ECS has a
 * policy of its own, and every operation needs the action of its name.
 */
export const ecsLimits: ServiceLimits = { bodyBytes: 512 * 1024, needs: (operation) => `ecs:${operation}` };
