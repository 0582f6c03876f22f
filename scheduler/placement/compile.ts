/** From a request as callers write it to one the core can decide: checks, defaults, filters and scorers. */
import type { Cluster } from './cluster.ts';
import type { PluginLedger } from './containment.ts';
import { PlacementError } from './errors.ts';
import type { Constraint, Scorer, Strategy } from './extension.ts';
import { Filter, type FilterPart } from './filter.ts';
import { parseClusterQuery } from './query-parser.ts';
import { SlotCandidate } from './candidate.ts';
import { Request } from './request.ts';
import { strategies as ownStrategies } from './strategies.ts';
import type { ConstraintSpec, InstanceSpec, PlacementRequest, StrategySpec, TaskShape } from './types.ts';

/** The strategies of a service that names none: zones first, then the instance with the fewest of its tasks. */
export const serviceDefault: readonly StrategySpec[] = [
  { type: 'spread', field: 'attribute:ecs.availability-zone' },
  { type: 'spread', field: 'instanceId' },
];
/** ECS does not document the default of standalone tasks; any valid instance does, so one is drawn. */
const standaloneDefault: readonly StrategySpec[] = [{ type: 'random' }];

const largestAmount = 2 ** 31 - 1;

export class Compiler {
  readonly #cluster: Cluster;
  readonly #ledger: PluginLedger;
  readonly #strategies = new Map<string, Strategy>();
  readonly #plugins: ReadonlySet<Strategy>;
  readonly #constraints = new Map<string, Constraint>();
  readonly #filters = new Map<string, Filter>();
  #filterNumber = 0;

  constructor(
    cluster: Cluster,
    ledger: PluginLedger,
    plugins: { readonly strategies: readonly Strategy[]; readonly constraints: readonly Constraint[] },
  ) {
    this.#cluster = cluster;
    this.#ledger = ledger;
    this.#plugins = new Set(plugins.strategies);
    for (const strategy of ownStrategies) this.#strategies.set(strategy.type, strategy);
    for (const plugin of plugins.strategies) this.#add(this.#strategies, plugin);
    for (const plugin of plugins.constraints) this.#add(this.#constraints, plugin);
  }

  /** Throws `PlacementError` for a request that is wrong in itself. `without`: plug-in strategies to leave out. */
  compile(source: PlacementRequest, without: ReadonlySet<string>): Request {
    checkShape(source.shape);
    const group = this.#cluster.group(source.group);
    const specs = source.strategies.length === 0 ? defaults(source) : source.strategies;
    const chain = this.chain(specs.at(-1)?.type === 'spread' ? [...specs, { type: 'slipway:roomiest' }] : specs)
      .filter(({ type }) => !without.has(type) && !this.#ledger.isOut(type))
      .map(({ type, open }) => ({ name: type, scorer: open(source) }));
    return new Request(this.#cluster, source, group, this.#filter(source), chain);
  }

  /** The strategies by name, still to be opened for a task. */
  chain(
    specs: readonly StrategySpec[],
  ): readonly { readonly type: string; readonly open: (use: Pick<PlacementRequest, 'shape' | 'group'>) => Scorer }[] {
    return specs.map((spec) => {
      const strategy = this.#strategies.get(spec.type);
      if (strategy === undefined) throw unknown('strategy', spec.type, this.#strategies.keys());
      const field = 'field' in spec && spec.field !== undefined ? { field: spec.field } : {};
      return {
        type: spec.type,
        open: ({ shape, group }) =>
          this.#plugins.has(strategy)
            ? this.#ledger.openStrategy(strategy, { shape, group, ...field })
            : strategy.open({ shape, group, ...field }),
      };
    });
  }

  /** Filters are shared by all requests with the same attributes and expressions. */
  #filter(source: PlacementRequest): Filter | undefined {
    const { requires } = source.shape;
    const constraints = source.constraints.filter((constraint) => constraint.type !== 'distinctInstance');
    if (requires.length === 0 && constraints.length === 0) return undefined;
    const own = constraints.every((constraint) => constraint.type === 'memberOf');
    // A plug-in's check may depend on the task and its group as well.
    const key = JSON.stringify([requires, constraints, own ? undefined : [source.shape, source.group]]);
    const known = this.#filters.get(key);
    if (known !== undefined) return known;
    const parts: FilterPart[] = requires.map((name) => ({
      code: 'ATTRIBUTE',
      label: `is missing the attribute ${name} required by your task`,
      condition: { kind: 'test', subject: { kind: 'attribute', name }, operator: 'exists', values: [] },
    }));
    for (const constraint of constraints) parts.push(this.#part(constraint, source));
    const filter = new Filter(this.#cluster, parts, this.#filterNumber++);
    // More distinct constraints than any cluster has at a time: drop all, those in use come back at once.
    if (this.#filters.size >= 1024) this.#filters.clear();
    this.#filters.set(key, filter);
    return filter;
  }

  #part(constraint: ConstraintSpec, source: PlacementRequest): FilterPart {
    const expression = 'expression' in constraint ? constraint.expression : undefined;
    if (isMemberOf(constraint)) {
      const { code, sentence } = constraint.otherwise ?? {
        code: 'MEMBEROF',
        sentence: `does not satisfy the placement constraint memberOf ${expression}`,
      };
      return { code, label: sentence, condition: parseClusterQuery(expression ?? '') };
    }
    const plugin = this.#constraints.get(constraint.type);
    if (plugin === undefined) {
      throw unknown('constraint', constraint.type, ['memberOf', 'distinctInstance', ...this.#constraints.keys()]);
    }
    const { shape, group } = source;
    const check = this.#ledger.openConstraint(plugin, {
      shape,
      group,
      ...(expression === undefined ? {} : { expression }),
    });
    const candidate = new SlotCandidate(this.#cluster, this.#cluster.group(group));
    const test = (slot: number): boolean => {
      candidate.slot = slot;
      return check.allows(candidate);
    };
    const label = `does not satisfy the placement constraint ${constraint.type}${expression === undefined ? '' : ` ${expression}`}`;
    return { code: constraint.type.toUpperCase(), label, condition: { kind: 'check', reads: check.reads, test } };
  }

  #add<T extends { readonly type: string }>(table: Map<string, T>, plugin: T): void {
    if (table.has(plugin.type)) {
      throw new PlacementError('INVALID_PLUGIN', `two placement plug-ins are called ${plugin.type}`);
    }
    table.set(plugin.type, plugin);
  }
}

/** Extensions' names are other ones: they have a prefix. */
const isMemberOf = (constraint: ConstraintSpec): constraint is Extract<ConstraintSpec, { type: 'memberOf' }> =>
  constraint.type === 'memberOf';

function defaults(source: PlacementRequest): readonly StrategySpec[] {
  return source.kind === 'service' ? serviceDefault : standaloneDefault;
}

function unknown(what: string, type: string, known: Iterable<string>): PlacementError {
  return new PlacementError(
    'UNKNOWN_TYPE',
    `there is no placement ${what} "${type}"; known are ${[...known].join(', ')}. Plug-ins are loaded by configuration.`,
  );
}

/** Throws `PlacementError` when an amount is not a whole number from 0 to 2^31 - 1, or a port is none. */
export function checkShape(shape: TaskShape): void {
  if (checked.has(shape)) return;
  checkAmounts('task', shape);
  for (const port of [...shape.tcpPorts, ...shape.udpPorts]) checkPort(port);
  checked.add(shape);
}

/** Shapes are shared by all tasks of a revision: each is looked at once. */
const checked = new WeakSet<TaskShape>();

/** Throws `PlacementError` as `checkShape` does. */
export function checkInstance(instance: InstanceSpec): void {
  checkAmounts(`instance ${instance.id}`, instance);
  for (const port of [...instance.reservedTcpPorts, ...instance.reservedUdpPorts]) checkPort(port);
}

function checkAmounts(what: string, amounts: Pick<TaskShape, 'cpu' | 'memory' | 'gpus'>): void {
  for (const name of ['cpu', 'memory', 'gpus'] as const) {
    const amount = amounts[name];
    if (Number.isInteger(amount) && amount >= 0 && amount <= largestAmount) continue;
    throw new PlacementError('INVALID_INPUT', `${what}: ${name} is ${amount}, not a whole number from 0 to 2^31 - 1`);
  }
}

function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return;
  throw new PlacementError('INVALID_INPUT', `${port} is not a port`);
}
