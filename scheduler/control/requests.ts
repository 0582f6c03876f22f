import { groupOf } from '../cluster/index.ts';
import type { ConstraintSpec, PlacementRequest, StrategySpec } from '../placement/index.ts';
import type { CapacityProvider, ServiceRecord, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, placementDemand, reservationOf } from '../tasks/index.ts';

/** Requests kept in memory. */
const capacity = 5000;

/** What is asked for a task: where it is rather to be, when it is, and where it may be. */
export interface Wanted {
  readonly rather?: PlacementRequest;
  readonly request: PlacementRequest;
}

/** The request with further constraints, where there are any. */
export const ratherOf = (request: PlacementRequest, further: readonly ConstraintSpec[]): Pick<Wanted, 'rather'> =>
  further.length === 0 ? {} : { rather: { ...request, constraints: [...request.constraints, ...further] } };

/** What the placement core is asked for tasks of services. It compiles each request object once, so equal requests must be one object. */
export class ServiceRequests {
  readonly #known = new Map<string, Wanted>();
  readonly #bare = new WeakMap<PlacementRequest, PlacementRequest>();

  /** The same for a task without size, in one zone: whether any host there meets its requirements. */
  bareOf(service: ServiceRecord, definition: TaskDefinitionRecord, zone: string): PlacementRequest {
    const { request } = this.of(service, definition, undefined, zone);
    const known = this.#bare.get(request);
    if (known !== undefined) return known;
    const made = bare(request);
    this.#bare.set(request, made);
    return made;
  }

  /**
   * The request for one task of a revision as part of a service.
   * @param provider what it runs on, when a strategy decides that
   * @param zone the one availability zone that it may be in; by default any
   */
  of(service: ServiceRecord, definition: TaskDefinitionRecord, provider?: CapacityProvider, zone?: string): Wanted {
    const { placementConstraints, placementStrategy, launchType, network, name } = service;
    const group = groupOf(service.capacityProviderStrategy ?? [], provider);
    const key = JSON.stringify([
      name,
      definition.arn,
      // Of a revision that was given out twice, the store having lost the first.
      definition.registeredAt,
      placementConstraints,
      placementStrategy,
      launchType,
      provider,
      group,
      network?.zones,
      zone,
    ]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const demand = placementDemand(definition, {
      kind: 'service',
      launchType,
      capacityProvider: provider,
      group,
      network,
      constraints: placementConstraints.map(constraintOf),
      strategies: strategiesOf(service),
    });
    const request: PlacementRequest = {
      group: `service:${name}`,
      shape: { ...reservationOf(bodyOf(definition)), requires: demand.requires },
      constraints: zone === undefined ? demand.constraints : [...demand.constraints, inZone(zone)],
      strategies: demand.strategies,
      kind: 'service',
    };
    const wanted = { request, ...ratherOf(request, demand.rather) };
    const [oldest] = this.#known.keys();
    if (this.#known.size >= capacity && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, wanted);
    return wanted;
  }
}

/** The request without its size: whether an instance meets the requirements, however full it is. */
export const bare = (request: PlacementRequest): PlacementRequest => ({
  ...request,
  shape: { ...request.shape, cpu: 0, memory: 0, gpus: 0, tcpPorts: [], udpPorts: [] },
});

const inZone = (zone: string): ConstraintSpec => ({
  type: 'memberOf',
  expression: `attribute:ecs.availability-zone == ${zone}`,
  otherwise: { code: 'MEMBEROF', sentence: `is not in the availability zone ${zone}.` },
});

const constraintOf = ({ type, expression }: ServiceRecord['placementConstraints'][number]): ConstraintSpec => {
  switch (type) {
    case 'distinctInstance':
      return { type };
    case 'memberOf':
      return { type, expression: expression ?? '' };
    default:
      return expression === undefined ? { type } : { type, expression };
  }
};

/** A service's strategies as the placement core takes them. */
export const strategiesOf = (service: ServiceRecord): readonly StrategySpec[] =>
  service.placementStrategy.map(({ type, field }): StrategySpec => {
    switch (type) {
      case 'random':
        return { type };
      case 'spread':
        return { type, field: field ?? '' };
      case 'binpack':
        return { type, field: field?.toLowerCase() === 'memory' ? 'memory' : 'cpu' };
      default:
        return field === undefined ? { type } : { type, field };
    }
  });
