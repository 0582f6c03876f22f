import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { softMemory } from './reservation.ts';

/**
 * Why the sizes of containers and task do not go together, as a sentence; undefined when they do. A soft limit is at most the hard one,
 * no container may use more memory than its task has, and what containers reserve fits into the task ("the total amount of CPU [of
 * memory] reserved for all containers within a task must be lower than the task-level value"; equal is taken). Overrides are applied.
 */
export function sizeConflict(body: TaskDefinitionBody): string | undefined {
  const containers = containersOf(body);
  for (const { name = '', memory, memoryReservation } of containers) {
    if (memory !== undefined && memoryReservation !== undefined && memoryReservation > memory) {
      return `Container '${name}': 'memoryReservation' (${memoryReservation}) must not be above 'memory' (${memory}).`;
    }
    if (body.memory !== undefined && (memory ?? 0) > Number(body.memory)) {
      return `Container '${name}': its memory (${memory}) is above the task's (${body.memory}).`;
    }
  }
  const reserved = {
    memory: containers.reduce((sum, container) => sum + softMemory(container), 0),
    cpu: containers.reduce((sum, container) => sum + (container.cpu ?? 0), 0),
  };
  for (const size of ['memory', 'cpu'] as const) {
    if (body[size] === undefined || reserved[size] <= Number(body[size])) continue;
    return `The containers reserve ${reserved[size]} of ${size}, which is above the task's ${size} (${body[size]}): raise '${size}' of the task, or lower the containers'.`;
  }
  return undefined;
}
