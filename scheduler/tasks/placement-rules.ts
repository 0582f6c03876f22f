import type { PlacementConstraint, PlacementStrategy } from '@aws-sdk/client-ecs';

import { invalidParameter } from '../cluster/index.ts';
import {
  builtInExtensions,
  ClusterQueryError,
  type ConstraintSpec,
  type ExtensionType,
  parseClusterQuery,
  type StrategySpec,
} from '../placement/index.ts';

/** Types beyond ECS's own: those that come with the placement core and those of plug-ins, `<vendor>:<name>`. */
export interface PlacementExtensions {
  readonly strategies: ReadonlySet<string>;
  readonly constraints: ReadonlySet<string>;
}

const maximumConstraints = 10;
const maximumStrategies = 5;

/**
 * Constraints of a request, in the placement core's form.
 * @param ofDefinition how many the task definition already has: the limit of 10 counts both
 * @throws InvalidParameterException
 */
export function parseConstraints(
  constraints: readonly PlacementConstraint[] | undefined,
  ofDefinition = 0,
  extensions: PlacementExtensions = builtInExtensions,
): ConstraintSpec[] {
  if ((constraints?.length ?? 0) + ofDefinition > maximumConstraints) {
    throw invalidParameter(
      `There can be at most ${maximumConstraints} placement constraints, those of the task definition included.`,
    );
  }
  return (constraints ?? []).map(({ type, expression }): ConstraintSpec => {
    if (type === 'distinctInstance') {
      if (expression !== undefined && expression !== '') {
        throw invalidParameter('Placement constraint distinctInstance takes no expression.');
      }
      return { type };
    }
    if (isExtension(type)) {
      checkKnown('constraint', type, extensions.constraints);
      return expression === undefined ? { type } : { type, expression };
    }
    if (type !== 'memberOf') {
      throw invalidParameter(`Placement constraint type must be distinctInstance or memberOf, not '${String(type)}'.`);
    }
    return { type, expression: checkExpression(expression) };
  });
}

/**
 * Strategies of a request, in the placement core's form: `host` is `instanceId`, binpack fields are lower case.
 * @throws InvalidParameterException
 */
export function parseStrategies(
  strategies: readonly PlacementStrategy[] | undefined,
  extensions: PlacementExtensions = builtInExtensions,
): StrategySpec[] {
  if ((strategies?.length ?? 0) > maximumStrategies) {
    throw invalidParameter(`There can be at most ${maximumStrategies} placement strategies.`);
  }
  return (strategies ?? []).map(({ type, field = '' }): StrategySpec => {
    if (isExtension(type)) {
      checkKnown('strategy', type, extensions.strategies);
      return field === '' ? { type } : { type, field };
    }
    switch (type) {
      case 'random':
        if (field !== '') throw invalidParameter('Placement strategy random takes no field.');
        return { type };
      case 'binpack': {
        const resource = field.toLowerCase();
        if (resource === 'cpu' || resource === 'memory') return { type, field: resource };
        throw invalidParameter(`Placement strategy binpack packs by 'cpu' or 'memory', not '${field}'.`);
      }
      case 'spread':
        if (field === 'host' || field === 'instanceId') return { type, field: 'instanceId' };
        if (/^attribute:[A-Za-z0-9_\-/\\.]{1,128}$/.test(field)) return { type, field };
        throw invalidParameter(
          `Placement strategy spread spreads over 'instanceId' or 'attribute:<name>', not '${field}'.`,
        );
      case undefined:
      default:
        throw invalidParameter(`Placement strategy type must be random, spread or binpack, not '${String(type)}'.`);
    }
  });
}

const isExtension = (type: string | undefined): type is ExtensionType =>
  type !== undefined && /^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$/.test(type);

function checkKnown(what: string, type: string, known: ReadonlySet<string>): void {
  if (known.has(type)) return;
  const names = known.size === 0 ? 'none' : [...known].join(', ');
  throw invalidParameter(
    `There is no placement ${what} '${type}'; beyond ECS's own there are: ${names}. Plug-ins are loaded by configuration.`,
  );
}

/**
 * An expression of the cluster query language.
 * @throws InvalidParameterException with the place where it goes wrong
 */
export function checkExpression(expression: string | undefined): string {
  if (expression === undefined || expression.trim() === '') {
    throw invalidParameter('Placement constraint memberOf needs an expression of the cluster query language.');
  }
  try {
    parseClusterQuery(expression);
  } catch (error) {
    if (error instanceof ClusterQueryError)
      throw invalidParameter(`Invalid expression '${expression}': ${error.message}`);
    throw error;
  }
  return expression;
}
