import type { ContainerDefinition, TaskDefinition } from '@aws-sdk/client-ecs';
import type { TaskDefinitionRecord } from '../state/index.ts';

/** The part of a task definition that its author wrote, with defaults filled in: what `TaskDefinitionRecord.definition` holds. */
export type TaskDefinitionBody = Omit<
  TaskDefinition,
  | 'taskDefinitionArn'
  | 'revision'
  | 'status'
  | 'registeredAt'
  | 'registeredBy'
  | 'deregisteredAt'
  | 'requiresAttributes'
>;

/** The body of a stored revision, typed. */
export const bodyOf = (record: TaskDefinitionRecord): TaskDefinitionBody => record.definition as TaskDefinitionBody;

export const containersOf = (body: TaskDefinitionBody): readonly ContainerDefinition[] =>
  body.containerDefinitions ?? [];
