import type { ConstraintSpec, PlacementRequest, StrategySpec } from '../placement/types.ts';
import type { ServiceRecord, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, reservationOf } from '../tasks/index.ts';

/** Constraints as records hold them, as the placement core takes them. */
export const constraintsOf = (constraints: ServiceRecord['placementConstraints']): readonly ConstraintSpec[] =>
  constraints.map((constraint) =>
    constraint.type === 'distinctInstance'
      ? { type: 'distinctInstance' }
      : { type: 'memberOf', expression: constraint.expression ?? '' },
  );

/** What the placement core is asked for one task of a revision: the definition's own constraints come with the caller's. */
export function requestFor(wish: {
  readonly group: string;
  readonly definition: TaskDefinitionRecord;
  readonly constraints: readonly ConstraintSpec[];
  readonly strategies: readonly StrategySpec[];
  readonly kind: 'service' | 'standalone';
}): PlacementRequest {
  const body = bodyOf(wish.definition);
  const own = (body.placementConstraints ?? []).flatMap((constraint): ConstraintSpec[] =>
    constraint.type === 'memberOf' ? [{ type: 'memberOf', expression: constraint.expression ?? '' }] : [],
  );
  return {
    group: wish.group,
    shape: { ...reservationOf(body), requires: wish.definition.requiresAttributes },
    constraints: [...own, ...wish.constraints],
    strategies: wish.strategies,
    kind: wish.kind,
  };
}
