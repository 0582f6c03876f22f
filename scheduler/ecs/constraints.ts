import type { Constraints } from '@slipway/auth/contract';

/**
 * ECS takes an optional text that is empty as one that was left out, and tools count on it: ecs-deploy sends `taskRoleArn: ""`, others
 * `ipcMode: ""` or `sourcePath: ""`. Where an empty text is a value of its own it stays one.
 */
export const ecsConstraints: Constraints = {
  '*': { emptyIsAbsent: true },
  'KeyValuePair.value': {},
  'SystemControl.value': {},
  'Tag.value': {},
};
