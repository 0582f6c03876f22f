/**
 * The specification of placement as a program: it keeps plain maps and looks at everything at every question.
 * It shares with the core only the parser of expressions and the generator behind `random`.
 */
import { compileQuery, type InstanceView } from '../query.ts';
import { seededRandom } from '../random.ts';
import type { ConstraintSpec, InstanceSpec, PlacedTask, PlacementRequest, StrategySpec, TaskShape } from '../types.ts';

type Counted = PlacedTask & { readonly counts: boolean; readonly leaves: boolean };
/** One instance with what the index knows of it. */
interface Host {
  readonly spec: InstanceSpec;
  /** Everything that holds resources on it. */
  readonly tasks: readonly Counted[];
}

export class Oracle {
  readonly #instances = new Map<string, InstanceSpec>();
  readonly #tasks = new Map<string, Counted>();
  readonly #random: () => number;
  readonly #queries = new Map<string, (instance: InstanceView) => boolean>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  upsertInstance(instance: InstanceSpec): void {
    this.#instances.set(instance.id, instance);
  }

  removeInstance(id: string): void {
    this.#instances.delete(id);
  }

  addTask(task: PlacedTask): void {
    this.#tasks.set(task.id, { ...task, counts: true, leaves: false });
  }

  removeTask(id: string): void {
    this.#tasks.delete(id);
  }

  retireTask(id: string): void {
    const task = this.#tasks.get(id);
    if (task !== undefined) this.#tasks.set(id, { ...task, counts: false });
  }

  setLeaving(id: string, leaves: boolean): void {
    const task = this.#tasks.get(id);
    if (task !== undefined) this.#tasks.set(id, { ...task, leaves });
  }

  /** Filter by resources, then by constraints; narrow by one strategy after the other; then the one added first. */
  place(request: PlacementRequest): string | undefined {
    const hosts = this.#hosts();
    let candidates = hosts.filter((host) => this.#feasible(host, request));
    for (const strategy of withDefaults(request)) {
      if (strategy.type === 'random') return this.#drawn(candidates)?.spec.id;
      const score = scoreOf(strategy, request, hosts);
      const scores = candidates.map(score);
      const least = Math.min(...scores);
      candidates = candidates.filter((_, index) => scores[index] === least);
    }
    return candidates[0]?.spec.id;
  }

  feasible(id: string, request: PlacementRequest): boolean {
    const host = this.#hosts().find(({ spec }) => spec.id === id);
    return host !== undefined && this.#feasible(host, request);
  }

  /** Ends one task after the other: the most crowded value, the most that will be left; otherwise the order given. */
  scaleInOrder(
    ids: readonly string[],
    strategies: readonly StrategySpec[],
    limit: number,
    gone: readonly string[],
  ): readonly string[] {
    const placed = ids.filter((id) => this.#instances.has(this.#tasks.get(id)?.instanceId ?? ''));
    const order = ids.filter((id) => !placed.includes(id));
    const chain = strategies.length === 0 ? serviceDefault : strategies;
    const ended = new Set(gone);
    for (let left = placed; left.length > 0 && order.length < limit; left = placed.filter((id) => !ended.has(id))) {
      const hosts = this.#hosts().map(({ spec, tasks }) => ({ spec, tasks: tasks.filter(({ id }) => !ended.has(id)) }));
      let candidates = left.map((id) => this.#tasks.get(id)!);
      for (const strategy of chain) {
        if (strategy.type === 'random') {
          candidates = [this.#drawn(candidates)!];
          break;
        }
        const score = scoreOf(strategy, candidates[0]!, hosts);
        const scores = candidates.map((task) => {
          const host = hosts.find(({ spec }) => spec.id === task.instanceId)!;
          return strategy.type === 'binpack'
            ? amount(strategy) === 'cpu'
              ? room(host, 'cpu') + task.shape.cpu
              : room(host, 'memory') + task.shape.memory
            : score(host);
        });
        const most = Math.max(...scores);
        candidates = candidates.filter((_, index) => scores[index] === most);
      }
      ended.add(candidates[0]!.id);
      order.push(candidates[0]!.id);
    }
    return order.slice(0, limit);
  }

  #hosts(): readonly Host[] {
    const tasks = Map.groupBy(this.#tasks.values(), (task) => task.instanceId);
    return [...this.#instances.values()].map((spec) => ({ spec, tasks: tasks.get(spec.id) ?? [] }));
  }

  #feasible(host: Host, { shape, group, constraints }: PlacementRequest): boolean {
    const { spec, tasks } = host;
    return (
      spec.placeable &&
      room(host, 'cpu') >= shape.cpu &&
      room(host, 'memory') >= shape.memory &&
      room(host, 'gpus') >= shape.gpus &&
      !shape.tcpPorts.some((port) =>
        [spec.reservedTcpPorts, ...tasks.map((task) => task.shape.tcpPorts)].flat().includes(port),
      ) &&
      !shape.udpPorts.some((port) =>
        [spec.reservedUdpPorts, ...tasks.map((task) => task.shape.udpPorts)].flat().includes(port),
      ) &&
      shape.requires.every((name) => spec.attributes.has(name)) &&
      constraints.every((constraint) => this.#satisfied(constraint, host, group))
    );
  }

  #satisfied(constraint: ConstraintSpec, { spec, tasks }: Host, group: string): boolean {
    const live = tasks.filter((task) => task.counts);
    if (constraint.type === 'distinctInstance') return !live.some((task) => task.group === group);
    const { expression = '' } = constraint as { readonly expression?: string };
    if (!this.#queries.has(expression)) this.#queries.set(expression, compileQuery(expression));
    const taskGroups = live.map((task) => task.group);
    return this.#queries.get(expression)!({ ...spec, runningTasksCount: live.length, taskGroups });
  }

  #drawn<T>(candidates: readonly T[]): T | undefined {
    return candidates.length === 0 ? undefined : candidates[Math.floor(this.#random() * candidates.length)];
  }
}

/** Less is better. */
function scoreOf(
  strategy: StrategySpec,
  { shape, group }: Pick<PlacedTask, 'shape' | 'group'>,
  hosts: readonly Host[],
): (host: Host) => number {
  const mine = ({ tasks }: Host): number =>
    tasks.filter((task) => task.counts && !task.leaves && task.group === group).length;
  if (strategy.type === 'binpack') return (host) => room(host, amount(strategy));
  if (strategy.type === 'slipway:roomiest') return (host) => -room(host, 'memory');
  if (strategy.type === 'slipway:best-fit') return (host) => squares(host, shape);
  const { field = '' } = strategy as { readonly field?: string };
  if (field === 'instanceId' || field === 'host') return mine;
  const valueOf = ({ spec }: Host): string | undefined => spec.attributes.get(field.replace('attribute:', ''));
  const sums = new Map<string | undefined, number>();
  for (const host of hosts) sums.set(valueOf(host), (sums.get(valueOf(host)) ?? 0) + mine(host));
  return (host) => sums.get(valueOf(host))!;
}

const serviceDefault: readonly StrategySpec[] = [
  { type: 'spread', field: 'attribute:ecs.availability-zone' },
  { type: 'spread', field: 'instanceId' },
];

function withDefaults({ strategies, kind }: PlacementRequest): readonly StrategySpec[] {
  const chain =
    strategies.length > 0 ? strategies : kind === 'service' ? serviceDefault : [{ type: 'random' } as const];
  return chain.at(-1)?.type === 'spread' ? [...chain, { type: 'slipway:roomiest' }] : chain;
}

function amount(strategy: StrategySpec): 'cpu' | 'memory' {
  return (strategy as { readonly field: 'cpu' | 'memory' }).field;
}

function room({ spec, tasks }: Host, resource: 'cpu' | 'memory' | 'gpus'): number {
  return Math.max(0, spec[resource] - tasks.reduce((sum, task) => sum + task.shape[resource], 0));
}

function squares(host: Host, shape: TaskShape): number {
  const left = (resource: 'cpu' | 'memory'): number =>
    host.spec[resource] === 0 ? 0 : (room(host, resource) - shape[resource]) / host.spec[resource];
  return left('cpu') * left('cpu') + left('memory') * left('memory');
}
