import type { AccessRequest } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';

import type { TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf } from './definition.ts';

/**
 * The ARN that the name or ARN of a role stands for: where a definition or an override names a role, ECS takes "the short name or full
 * Amazon Resource Name" of it. Anything else is given back as it is, and refused by the checks.
 */
export const fullRoleArn = (account: string, role: string | undefined): string | undefined =>
  role !== undefined && /^[\w+=,.@-]{1,64}$/.test(role) ? `arn:aws:iam::${account}:role/${role}` : role;

/** A definition or an override with its roles by their ARNs. */
export const withFullRoles = <T extends NamesRoles>(account: string, named: T): T => ({
  ...named,
  ...(named.taskRoleArn === undefined ? {} : { taskRoleArn: fullRoleArn(account, named.taskRoleArn) }),
  ...(named.executionRoleArn === undefined ? {} : { executionRoleArn: fullRoleArn(account, named.executionRoleArn) }),
});

interface NamesRoles {
  readonly taskRoleArn?: string | undefined;
  readonly executionRoleArn?: string | undefined;
}

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
