import type { NormalizedSchema } from '@smithy/core/schema';
import { brokenRule, type Constraint, constraintOf, type Constraints, Problems } from './constraints.ts';
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
  const value = walk.struct(schema, root, '', 0);
  if (walk.problems.list.length > 0) throw new InputError(walk.problems.list);
  return value;
}

/** No AWS input nests deeper; what recurses (a policy tree, a document) stops here instead of at the stack's end. */
const MAX_DEPTH = 64;

class Walk<Node> {
  readonly problems = new Problems();
  readonly #source: Source<Node>;
  readonly #constraints: Constraints;

  constructor(source: Source<Node>, constraints: Constraints) {
    this.#source = source;
    this.#constraints = constraints;
  }

  struct(schema: NormalizedSchema, node: Node, path: string, depth: number): Record<string, unknown> {
    if (depth > MAX_DEPTH) throw serializationProblem(path, 'the input is nested too deeply');
    this.#source.struct(node, path);
    const value: Record<string, unknown> = {};
    const shape = schema.getName(false) ?? '';
    let required = requiredCount(schema);
    let present = 0;
    for (const [name, member] of schema.structIterator()) {
      const isRequired = required-- > 0;
      const child = this.#source.member(node, name, member);
      const here = path === '' ? name : `${path}.${name}`;
      if (child === undefined) {
        if (isRequired) this.problems.add(here, 'Member must not be null');
        continue;
      }
      present++;
      const read = this.value(
        member,
        child,
        here,
        depth + 1,
        constraintOf(this.#constraints, shape, name),
        name,
        shape,
      );
      value[name] = read;
    }
    if (schema.isUnionSchema() && present > 1) this.problems.add(path, 'Member must have exactly one member set');
    return value;
  }

  value(
    schema: NormalizedSchema,
    node: Node,
    path: string,
    depth: number,
    constraint: Constraint | undefined,
    name: string,
    shape: string,
  ): unknown {
    const value = this.#read(schema, node, path, depth, name, shape);
    const rule = constraint === undefined ? undefined : brokenRule(constraint, value);
    if (rule !== undefined) {
      const shown = typeof value === 'string' && !isSensitive(schema) ? value : undefined;
      this.problems.add(path, rule, typeof value === 'number' ? String(value) : shown);
    }
    return value;
  }

  #read(schema: NormalizedSchema, node: Node, path: string, depth: number, name: string, shape: string): unknown {
    if (schema.isStructSchema()) return this.struct(schema, node, path, depth);
    if (schema.isListSchema()) {
      const element = schema.getValueSchema();
      const constraint = constraintOf(this.#constraints, shape, `${name}[]`);
      const values: unknown[] = [];
      let place = 0;
      for (const child of this.#source.list(node, schema, path)) {
        const here = `${path}.${++place}.member`;
        if (child === undefined) this.problems.add(here, 'Member must not be null');
        else values.push(this.value(element, child, here, depth + 1, constraint, name, shape));
      }
      return values;
    }
    if (schema.isMapSchema()) {
      const element = schema.getValueSchema();
      const values: Record<string, unknown> = {};
      for (const [key, child] of this.#source.map(node, schema, path)) {
        // An own property of this name would be lost, or worse, at the first careless copy.
        if (key === '__proto__') throw serializationProblem(path, 'the map key __proto__ is not supported');
        if (child === undefined) this.problems.add(`${path}.${key}.member`, 'Member must not be null');
        else values[key] = this.value(element, child, `${path}.${key}.member`, depth + 1, undefined, name, shape);
      }
      return values;
    }
    return this.#source.scalar(node, schema, path);
  }
}

const requiredCount = (schema: NormalizedSchema): number =>
  ((schema.getSchema() as unknown as { readonly 6?: number })[6] as number | undefined) ?? 0;

const isSensitive = (schema: NormalizedSchema): boolean => schema.getMergedTraits().sensitive !== undefined;
