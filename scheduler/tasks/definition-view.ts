import type { TaskDefinition, TaskDefinitionStatus } from '@aws-sdk/client-ecs';

import type { TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf } from './definition.ts';

/** A revision as the API gives it back, without its tags (DescribeTaskDefinition lists those beside it). */
export const definitionView = (record: TaskDefinitionRecord): TaskDefinition => ({
  taskDefinitionArn: record.arn,
  ...bodyOf(record),
  revision: record.revision,
  status: record.status satisfies TaskDefinitionStatus,
  requiresAttributes: record.requiresAttributes.map((name) => ({ name })),
  registeredAt: new Date(record.registeredAt),
  ...(record.registeredBy === undefined ? {} : { registeredBy: record.registeredBy }),
  ...(record.deregisteredAt === undefined ? {} : { deregisteredAt: new Date(record.deregisteredAt) }),
  ...(record.deleteRequestedAt === undefined ? {} : { deleteRequestedAt: new Date(record.deleteRequestedAt) }),
});
