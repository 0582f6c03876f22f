import type { ConstraintSpec, StrategySpec } from '../placement/index.ts';
import {
  type CapacityProvider,
  groupAttribute,
  type NetworkConfiguration,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';
import { bodyOf } from './definition.ts';
import { isolationConstraints } from './isolated.ts';
import type { PlacementDemand } from './placer.ts';

/** What an instance must have to be outside of a cloud, as agents with ECS_EXTERNAL register it. */
const externalAttribute = 'ecs.capability.external';

/** What instances of ours say that give tasks network interfaces; `ecs.capability.task-eni` alone is a promise of EC2's. */
const networkAttribute = 'slipway.capability.task-network';

/** What instances of ours say that have the folder of file systems; `ecs.capability.efs` alone is a promise of AWS's. */
const fileSystemsAttribute = 'slipway.capability.file-systems';

/** What instances say that take tasks of the launch type FARGATE. */
const fargateAttribute = 'slipway.capability.fargate';

/** What instances say that may be taken back. */
export const spotAttribute = 'slipway.spot';

/** Who gets tasks of Fargate: hosts that offer themselves; those that may be taken back only what may be interrupted. */
function fargateConstraints(provider: CapacityProvider | undefined): ConstraintSpec[] {
  const because = (sentence: string): { code: string; sentence: string } => ({ code: 'RESOURCE:FARGATE', sentence });
  return [
    {
      type: 'memberOf',
      expression: `attribute:${fargateAttribute} exists`,
      otherwise: because(
        'offers itself to no tasks of Fargate: its agent runs with --fargate off, or it cannot give tasks network interfaces, or not isolate them as it was told',
      ),
    },
    ...(provider === 'FARGATE_SPOT'
      ? []
      : [
          {
            type: 'memberOf' as const,
            expression: `attribute:${spotAttribute} !exists`,
            otherwise: because(
              'may be taken back (its agent runs with --spot), and of Fargate takes tasks of FARGATE_SPOT alone',
            ),
          },
        ]),
  ];
}

/** Who gets tasks of a provider of an Auto Scaling group: the group's hosts. */
const inGroup = (group: string): ConstraintSpec => ({
  type: 'memberOf',
  expression: `attribute:${groupAttribute} == '${group}'`,
  otherwise: {
    code: 'MEMBEROF',
    sentence: `is not of the Auto Scaling group ${group}: its agent does not say ${groupAttribute}=${group}`,
  },
});

/** What may be interrupted goes where it can be, if it finds room there. */
const spotHosts: readonly ConstraintSpec[] = [{ type: 'memberOf', expression: `attribute:${spotAttribute} exists` }];

function requiredBy({ launchType, network }: DemandOptions): string[] {
  return [
    ...(launchType === 'EXTERNAL' ? [externalAttribute] : []),
    ...(network === undefined ? [] : [networkAttribute]),
  ];
}

/** What the request, or the service, adds to its task definition. */
export interface DemandOptions {
  readonly kind: PlacementDemand['kind'];
  readonly launchType: TaskRecord['launchType'];
  readonly capacityProvider?: CapacityProvider | undefined;
  /** The Auto Scaling group of that provider, when it has one. */
  readonly group?: string | undefined;
  readonly network?: NetworkConfiguration | undefined;
  readonly constraints: readonly ConstraintSpec[];
  readonly strategies: readonly StrategySpec[];
  readonly instanceId?: string;
}

/**
 * Everything placement must know about tasks of a revision: the constraints of both, the attributes the definition
 * requires, the CPU architecture it was written for, and the zones of its subnets. Launch type EC2 runs on every container instance,
 * EXTERNAL only on those whose agent says it is external, FARGATE on those that offer it,
 * and of those that may be taken back only what may be interrupted; a capacity provider of an Auto Scaling group on the group's hosts.
 */
export function placementDemand(definition: TaskDefinitionRecord, options: DemandOptions): PlacementDemand {
  const body = bodyOf(definition);
  const architecture = body.runtimePlatform?.cpuArchitecture;
  return {
    kind: options.kind,
    requires: [
      ...definition.requiresAttributes,
      ...requiredBy(options),
      ...((body.volumes ?? []).some((volume) => volume.efsVolumeConfiguration !== undefined)
        ? [fileSystemsAttribute]
        : []),
    ],
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
      ...(options.network === undefined
        ? []
        : [
            {
              type: 'memberOf' as const,
              expression: `attribute:ecs.availability-zone in [${options.network.zones.join(', ')}]`,
            },
          ]),
      ...(options.launchType === 'FARGATE'
        ? [...fargateConstraints(options.capacityProvider), ...isolationConstraints(body)]
        : []),
      ...(options.group === undefined ? [] : [inGroup(options.group)]),
      ...options.constraints,
    ],
    rather: options.capacityProvider === 'FARGATE_SPOT' ? spotHosts : [],
    // Fargate spreads over zones, as nobody can ask it for anything else.
    strategies:
      options.launchType === 'FARGATE'
        ? [{ type: 'spread', field: 'attribute:ecs.availability-zone' }]
        : options.strategies,
    ...(options.capacityProvider === undefined ? {} : { capacityProvider: options.capacityProvider }),
    // Of services there is nothing before there is room: they are looked at again by themselves.
    ...(options.group === undefined || options.kind === 'service' ? {} : { waits: true }),
    ...(options.instanceId === undefined ? {} : { instanceId: options.instanceId }),
  };
}
