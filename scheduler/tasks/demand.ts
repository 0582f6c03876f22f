import type { ConstraintSpec, StrategySpec } from '../placement/index.ts';
import type { TaskDefinitionRecord, TaskRecord } from '../state/index.ts';
import { bodyOf } from './definition.ts';
import type { PlacementDemand } from './placer.ts';

/** What an instance must have to be outside of a cloud, as agents with ECS_EXTERNAL register it. */
const externalAttribute = 'ecs.capability.external';

/** What the request, or the service, adds to its task definition. */
export interface DemandOptions {
  readonly kind: PlacementDemand['kind'];
  readonly launchType: TaskRecord['launchType'];
  readonly constraints: readonly ConstraintSpec[];
  readonly strategies: readonly StrategySpec[];
  readonly instanceId?: string;
}

/**
 * Everything placement must know about tasks of a revision: the constraints of both, the attributes the definition
 * requires, and the CPU architecture it was written for. Launch type EC2 runs on every container instance, EXTERNAL
 * only on those whose agent says it is external.
 */
export function placementDemand(definition: TaskDefinitionRecord, options: DemandOptions): PlacementDemand {
  const body = bodyOf(definition);
  const architecture = body.runtimePlatform?.cpuArchitecture;
  return {
    kind: options.kind,
    requires: [...definition.requiresAttributes, ...(options.launchType === 'EXTERNAL' ? [externalAttribute] : [])],
    constraints: [
      ...(body.placementConstraints ?? []).map(({ expression = '' }): ConstraintSpec => ({
        type: 'memberOf',
        expression,
      })),
      ...(architecture === undefined
        ? []
        : [
            {
              type: 'memberOf' as const,
              expression: `attribute:ecs.cpu-architecture == ${architecture.toLowerCase()}`,
            },
          ]),
      ...options.constraints,
    ],
    strategies: options.strategies,
    ...(options.instanceId === undefined ? {} : { instanceId: options.instanceId }),
  };
}
