import type { Gain } from '../deployments/index.ts';
import { startedAs } from '../deployments/index.ts';
import type { Improvement } from '../placement/index.ts';
import type { ServiceRecord, TaskRecord } from '../state/index.ts';

import type { PlannerPorts } from './planner.ts';

/**
 * Which of these tasks of a service's PRIMARY deployment its placement strategies would rather have elsewhere, each on the capacity
 * provider that it has.
 */
export function gainOf(ports: PlannerPorts, service: ServiceRecord, tasks: readonly TaskRecord[]): Gain | undefined {
  const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
  const definition = ports.definitions.get(primary?.taskDefinition ?? '');
  if (primary === undefined || definition === undefined) return undefined;
  const launched = startedAs(service, primary);
  for (const [provider, own] of Map.groupBy(tasks, ({ capacityProvider }) => capacityProvider)) {
    const { request } = ports.requests.of(launched, definition, provider);
    const found = ports.view.index.improvement(
      request,
      own.map(({ id }) => id),
    );
    if (found !== undefined) return { taskId: found.taskId, from: found.from, to: found.to, why: inWords(found) };
  }
  return undefined;
}

function inWords({ strategy, before, after }: Improvement): string {
  const field = 'field' in strategy ? strategy.field : undefined;
  const name = field === undefined ? strategy.type : `${strategy.type} by ${field}`;
  if (strategy.type === 'spread')
    return `${name}: beside ${before} other tasks of the service where it is, ${after} where it goes`;
  if (strategy.type === 'binpack') {
    const unit = field === 'memory' ? 'MiB' : 'CPU units';
    return `${name}: without it ${before} ${unit} are free where it is, and ${after} where it goes`;
  }
  return `${name}: ${before} where it is, ${after} where it goes (less is better)`;
}
