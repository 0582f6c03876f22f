import { computedCount, hasTaskSets } from '../deployments/index.ts';
import type { ServiceRecord, TaskSetRecord } from '../state/index.ts';

/** Whoever asks right after the change does not read how the set stood before it. */
export const stabilizing = (taskSet: TaskSetRecord, now: number): TaskSetRecord =>
  taskSet.steady ? { ...taskSet, steady: false, steadyAt: now } : taskSet;

/** The service with another desired count: sets of which that changes the number of tasks are no longer steady. Pure. */
export function rescaled(service: ServiceRecord, desiredCount: number, now: number): ServiceRecord {
  if (!hasTaskSets(service)) return { ...service, desiredCount };
  return {
    ...service,
    desiredCount,
    deployments: service.deployments.map((deployment) => {
      const { taskSet } = deployment;
      if (
        taskSet === undefined ||
        computedCount(service.desiredCount, taskSet) === computedCount(desiredCount, taskSet)
      )
        return deployment;
      return { ...deployment, taskSet: stabilizing(taskSet, now) };
    }),
  };
}
