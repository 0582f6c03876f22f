import type { AccessRequest } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';

import type { TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf } from './definition.ts';

/**
 * Handing roles to tasks needs iam:PassRole on each: those that a registration names, those of the revision that tasks or
 * services are started with, and those of overrides. An UpdateService that names no revision hands over nothing.
 */
export const passRoles = (roles: readonly (string | undefined)[]): AccessRequest[] =>
  [...new Set(roles)].flatMap((role) =>
    role === undefined || role === '' ? [] : [passRole(role, 'ecs-tasks.amazonaws.com')],
  );

/** The roles that tasks of a revision run with. */
export const rolesOf = (definition: TaskDefinitionRecord | undefined): (string | undefined)[] =>
  definition === undefined ? [] : [bodyOf(definition).taskRoleArn, bodyOf(definition).executionRoleArn];
