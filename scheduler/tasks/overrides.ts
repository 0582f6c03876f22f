import type { ContainerDefinition, ContainerOverride, TaskOverride } from '@aws-sdk/client-ecs';

import type { TaskDefinitionRecord, TaskRecord } from '../state/index.ts';
import { bodyOf, containersOf, type TaskDefinitionBody } from './definition.ts';

/** What a task runs: its definition with its overrides. */
export const taskBody = ({ overrides }: TaskRecord, definition: TaskDefinitionRecord): TaskDefinitionBody =>
  applyOverrides(bodyOf(definition), overrides as TaskOverride | undefined);

/**
 * The definition as a task with these overrides runs it: command, environment (by name), files of variables, CPU, memory and GPUs of
 * containers, and CPU, memory, ephemeral storage and roles of the task. The input is expected to have passed `checkOverrides`.
 */
export function applyOverrides(body: TaskDefinitionBody, overrides: TaskOverride | undefined): TaskDefinitionBody {
  if (overrides === undefined) return body;
  const byName = new Map((overrides.containerOverrides ?? []).map((override) => [override.name, override]));
  return {
    ...body,
    containerDefinitions: containersOf(body).map((container) =>
      applyToContainer(container, byName.get(container.name)),
    ),
    ...pick(overrides, ['cpu', 'memory', 'ephemeralStorage', 'taskRoleArn', 'executionRoleArn']),
  };
}

function applyToContainer(
  container: ContainerDefinition,
  override: ContainerOverride | undefined,
): ContainerDefinition {
  if (override === undefined) return container;
  const environment = new Map((container.environment ?? []).map(({ name, value }) => [name, value]));
  for (const { name, value } of override.environment ?? []) environment.set(name, value);
  return {
    ...container,
    ...pick(override, ['command', 'cpu', 'memory', 'memoryReservation', 'resourceRequirements', 'environmentFiles']),
    environment: [...environment].map(([name, value]) => ({ name, value })),
  };
}

/** The named members that are set; an absent override leaves the definition's own value. */
function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {};
  for (const name of names) if (from[name] !== undefined) picked[name] = from[name];
  return picked;
}
