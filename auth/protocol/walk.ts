import type { NormalizedSchema } from '@smithy/core/schema';
import type { Constraint, Constraints } from '../contract/index.ts';
import { brokenRule, constraintOf, Problems } from './constraints.ts';
import { InputError, serializationProblem } from './problems.ts';

/**
 * How one wire format stores values; the walk below asks for what the schema wants, so that both formats share one
 * reading, one set of checks and one wording. `undefined` means absent. Every method throws an {@link InputError} when
 * what is there has another type.
 */
export interface Source<Node> {
  scalar(node: Node, schema: NormalizedSchema, path: string): unknown;
  member(node: Node, name: string, schema: NormalizedSchema): Node | undefined;
  struct(node: Node, path: string): void;
  list(node: Node, schema: NormalizedSchema, path: string): readonly (Node | undefined)[];
  map(node: Node, schema: NormalizedSchema, path: string): readonly (readonly [string, Node | undefined])[];
}

/**
 * Reads a value by its schema: unknown members are dropped as AWS drops them, required ones must be there, constraints hold.
 * @throws InputError with every broken constraint, or the first thing that cannot be read at all
 */
export function readInput<Node>(
  source: Source<Node>,
  schema: NormalizedSchema,
  root: Node,
  constraints: Constraints,
): Record<string, unknown> {
  if (!schema.isStructSchema()) return {};
  const walk = new Walk(source, constraints);
  const value = walk.struct(schema, root, ROOT);
  if (walk.problems.list.length > 0) throw new InputError(walk.problems.list);
  return value;
}

/**
 * Members looked for and elements read in one input. The largest that mean something, task definitions of 64 KB, take a few thousand;
 * this many take a few hundredths of a second, also when every one of them is wrong.
 */
const MAX_VISITS = 200_000;

/** No AWS input nests deeper; what recurses (a policy tree, a document) stops here instead of at the stack's end. */
const MAX_DEPTH = 64;

/** Where in the input the walk is. */
interface Place {
  readonly path: string;
  readonly depth: number;
  /** Under a member that the model calls sensitive: no value may be repeated. */
  readonly hidden: boolean;
  /** The member that constraints are looked up for. */
  readonly shape: string;
  readonly name: string;
}

const ROOT: Place = { path: '', depth: 0, hidden: false, shape: '', name: '' };

class Walk<Node> {
  readonly problems = new Problems();
  readonly #source: Source<Node>;
  readonly #constraints: Constraints;
  #visits = 0;

  constructor(source: Source<Node>, constraints: Constraints) {
    this.#source = source;
    this.#constraints = constraints;
  }

  struct(schema: NormalizedSchema, node: Node, place: Place): Record<string, unknown> {
    if (place.depth > MAX_DEPTH) throw serializationProblem(place.path, 'the input is nested too deeply');
    this.#source.struct(node, place.path);
    const value: Record<string, unknown> = {};
    const shape = schema.getName(false) ?? '';
    let required = requiredCount(schema);
    let present = 0;
    for (const [name, member] of schema.structIterator()) {
      this.#visit();
      const isRequired = required-- > 0;
      const child = this.#source.member(node, name, member);
      const path = place.path === '' ? name : `${place.path}.${name}`;
      if (child === undefined) {
        if (isRequired) this.problems.add(path, 'Member must not be null');
        continue;
      }
      const here = { path, depth: place.depth + 1, hidden: place.hidden || isSensitive(member), shape, name };
      const constraint = constraintOf(this.#constraints, shape, name);
      const read = this.#value(member, child, here, constraint);
      if (read === '' && !isRequired && constraint?.emptyIsAbsent === true) continue;
      present++;
      value[name] = read;
    }
    if (schema.isUnionSchema() && present > 1) this.problems.add(place.path, 'Member must have exactly one member set');
    return value;
  }

  /** Everything that is looked at counts, so that the work is bounded whatever the input is like. */
  #visit(): void {
    if (++this.#visits > MAX_VISITS) throw serializationProblem('', 'the input holds too many values');
  }

  #value(schema: NormalizedSchema, node: Node, place: Place, constraint: Constraint | undefined): unknown {
    if (constraint?.max !== undefined && this.#isLonger(schema, node, place.path, constraint.max)) {
      this.problems.add(place.path, `Member must have length less than or equal to ${constraint.max}`);
      return [];
    }
    const value = this.#read(schema, node, place);
    const rule = constraint === undefined ? undefined : brokenRule(constraint, value);
    if (rule !== undefined) {
      const simple = typeof value === 'string' || typeof value === 'number';
      this.problems.add(place.path, rule, simple && !place.hidden ? String(value) : undefined);
    }
    return value;
  }

  /** Whether a list or map holds more than it may, found out before any of it is read. */
  #isLonger(schema: NormalizedSchema, node: Node, path: string, max: number): boolean {
    if (schema.isListSchema()) return this.#source.list(node, schema, path).length > max;
    return schema.isMapSchema() && this.#source.map(node, schema, path).length > max;
  }

  #read(schema: NormalizedSchema, node: Node, place: Place): unknown {
    const { path, depth } = place;
    if (schema.isStructSchema()) return this.struct(schema, node, place);
    if (schema.isListSchema()) {
      const element = schema.getValueSchema();
      const constraint = constraintOf(this.#constraints, place.shape, `${place.name}[]`);
      const values: unknown[] = [];
      let count = 0;
      for (const child of this.#source.list(node, schema, path)) {
        this.#visit();
        const here = { ...place, path: `${path}.${++count}.member`, depth: depth + 1 };
        if (child === undefined) this.problems.add(here.path, 'Member must not be null');
        else values.push(this.#value(element, child, here, constraint));
      }
      return values;
    }
    if (schema.isMapSchema()) {
      const element = schema.getValueSchema();
      const values: Record<string, unknown> = {};
      for (const [key, child] of this.#source.map(node, schema, path)) {
        this.#visit();
        // An own property of this name would be lost, or worse, at the first careless copy.
        if (key === '__proto__') throw serializationProblem(path, 'the map key __proto__ is not supported');
        const here = { ...place, path: `${path}.${key}.member`, depth: depth + 1 };
        if (child === undefined) this.problems.add(here.path, 'Member must not be null');
        else values[key] = this.#value(element, child, here, undefined);
      }
      return values;
    }
    return this.#source.scalar(node, schema, path);
  }
}

const requiredCount = (schema: NormalizedSchema): number =>
  (schema.getSchema() as unknown as { readonly 6?: number })[6] ?? 0;

const isSensitive = (schema: NormalizedSchema): boolean => schema.getMergedTraits().sensitive !== undefined;
