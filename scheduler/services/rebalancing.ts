import { invalidParameter } from '../cluster/index.ts';
import { rebalanceTag } from '../deployments/index.ts';
import type { ServiceRecord, Tags, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf } from '../tasks/index.ts';

export { rebalanceTag };

const zone = 'attribute:ecs.availability-zone';

type Rebalanced = Pick<
  ServiceRecord,
  | 'controller'
  | 'schedulingStrategy'
  | 'launchType'
  | 'deploymentConfiguration'
  | 'placementStrategy'
  | 'placementConstraints'
>;

/** Whether placement constraints say in which zones tasks are. */
const namesZones = (constraints: readonly { readonly expression?: string | undefined }[]): boolean =>
  constraints.some(({ expression = '' }) => expression.includes('ecs.availability-zone'));

/** Why zones of such a service cannot be evened out; undefined when they can (ECS developer guide, "Balancing an Amazon ECS service"). */
function conflictOf(service: Rebalanced, definition: TaskDefinitionRecord | undefined): string | undefined {
  const [first] = service.placementStrategy;
  const own = definition === undefined ? [] : (bodyOf(definition).placementConstraints ?? []);
  if (service.controller === 'EXTERNAL') return 'the deployment controller is EXTERNAL';
  if (service.schedulingStrategy === 'DAEMON') return 'the scheduling strategy is DAEMON';
  if (service.launchType === 'EXTERNAL') return 'the launch type is EXTERNAL';
  if (service.deploymentConfiguration.maximumPercent <= 100)
    return 'maximumPercent is 100, which leaves no room to start a task before another one ends';
  if (first !== undefined && !(first.type === 'spread' && first.field === zone))
    return `the first placement strategy is another one than spread by ${zone}`;
  if (namesZones([...service.placementConstraints, ...own])) return `a placement constraint uses ${zone}`;
  return undefined;
}

/**
 * Whether the zones of a service are evened out: as the request asks; where it says nothing, as before; where nothing was said before,
 * if that is possible (ECS: CreateService since September 2025). What makes it impossible switches it off, unless the same request asks for it.
 * @param asked of the request
 * @param before of the service; undefined for one that is made
 * @param definition the revision that it is to run, when that is known
 * @throws InvalidParameterException
 */
export function rebalancingOf(
  asked: string | undefined,
  before: ServiceRecord['availabilityZoneRebalancing'] | undefined,
  service: Rebalanced,
  definition: TaskDefinitionRecord | undefined,
): ServiceRecord['availabilityZoneRebalancing'] {
  if (asked !== undefined && asked !== 'ENABLED' && asked !== 'DISABLED')
    throw invalidParameter(`availabilityZoneRebalancing must be ENABLED or DISABLED, not '${asked}'.`);
  const wanted = asked ?? before ?? 'ENABLED';
  const conflict = wanted === 'ENABLED' ? conflictOf(service, definition) : undefined;
  if (conflict === undefined) return wanted;
  if (asked === undefined) return 'DISABLED';
  throw invalidParameter(
    `availabilityZoneRebalancing ENABLED is not supported for the service: ${conflict}. Change that, or use DISABLED.`,
  );
}

/**
 * Looks at the tag `slipway:rebalance`: `true` has tasks of the service moved to where its placement strategies would have them, `false` is
 * as if it were not there.
 * @throws InvalidParameterException for another value, or a service whose tasks cannot be moved
 */
export function checkRebalanceTag(
  tags: Tags,
  service: Pick<ServiceRecord, 'controller' | 'schedulingStrategy' | 'deploymentConfiguration'>,
): void {
  const value = tags[rebalanceTag];
  if (value === undefined || value === 'false') return;
  if (value !== 'true')
    throw invalidParameter(`Invalid value '${value}' of tag '${rebalanceTag}': use 'true' or 'false'.`);
  const why =
    service.controller === 'EXTERNAL'
      ? 'the deployment controller is EXTERNAL'
      : service.schedulingStrategy === 'DAEMON'
        ? 'the scheduling strategy is DAEMON'
        : service.deploymentConfiguration.maximumPercent <= 100
          ? 'maximumPercent is 100, which leaves no room to start a task before another one ends'
          : undefined;
  if (why !== undefined)
    throw invalidParameter(
      `Tasks of the service cannot be moved: ${why}. Change that, or remove the tag '${rebalanceTag}'.`,
    );
}
