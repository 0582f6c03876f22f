/** The placement core: the index of one cluster and the decisions on it. */
import { Chooser, type Decider, type Tuning } from './chooser.ts';
import { Cluster, type TaskEntry } from './cluster.ts';
import { checkInstance, checkShape, Compiler, serviceDefault } from './compile.ts';
import { PluginFailure, PluginLedger } from './containment.ts';
import { planDaemon } from './daemon.ts';
import { seededRandom } from './random.ts';
import { bestImprovement, decisive } from './improve.ts';
import { causesOf, explain, explainOne } from './reasons.ts';
import { orderForScaleIn } from './scale-in.ts';

import type {
  DaemonPlan,
  Improvement,
  InstanceSpec,
  Placed,
  PlacedTask,
  PlacementExplanation,
  PlacementSnapshot,
  PlannedTask,
  PlanOutcome,
  Reservation,
  PlacementIndex,
  PlacementOptions,
  PlacementRequest,
  StrategySpec,
  Unplaceable,
} from './types.ts';

/** The index a snapshot describes. */
export function restorePlacementIndex(
  { instances, tasks }: PlacementSnapshot,
  options: PlacementOptions & Tuning,
): PlacementIndex {
  const index = createPlacementIndex(options);
  for (const instance of instances) index.upsertInstance(instance);
  for (const { retired, leaving = false, ...task } of tasks) {
    index.addTask(task);
    if (retired) index.retireTask(task.id);
    index.setLeaving(task.id, leaving);
  }
  return index;
}

/** An empty index. The same seed and the same calls give the same decisions on every machine. */
export function createPlacementIndex(options: PlacementOptions & Tuning): PlacementIndex {
  return new Index(options);
}

/** A task at some time: the entry itself changes. */
interface TaskState {
  readonly entry: TaskEntry;
  readonly counts: boolean;
  readonly leaving: boolean;
}

/** Instances from which a task is placed anew in thought, at most, to find what is worst placed. */
const mostImproved = 32;

/** Classes of requests from which on all are forgotten; those in use come back at once. */
const manyClasses = 16_384;

class Index implements PlacementIndex {
  readonly #cluster: Cluster;
  readonly #chooser: Chooser;
  readonly #ledger: PluginLedger;
  readonly #compiler: Compiler;
  readonly #draw: (count: number) => number;
  #deciders = new WeakMap<PlacementRequest, Decider>();
  /** While something is tried: the tasks it touched, as they were before; undefined for those that were not there. */
  #touched: Map<string, TaskState | undefined> | undefined;
  /** Groups from which on the empty ones are forgotten. */
  #manyGroups = 1024;

  constructor(options: PlacementOptions & Tuning) {
    const { seed, strategies = [], constraints = [], stopwatch, pluginBudgetMs = 20 } = options;
    const random = seededRandom(seed);
    this.#draw = (count) => Math.floor(random() * count);
    this.#cluster = new Cluster();
    this.#chooser = new Chooser(this.#cluster, this.#draw, options);
    this.#ledger = new PluginLedger(stopwatch, pluginBudgetMs);
    this.#compiler = new Compiler(this.#cluster, this.#ledger, { strategies, constraints });
  }

  upsertInstance(instance: InstanceSpec): void {
    this.#notTentative();
    checkInstance(instance);
    this.#cluster.upsert(instance);
  }

  removeInstance(id: string): void {
    this.#notTentative();
    this.#cluster.remove(id);
  }

  addTask(task: PlacedTask): void {
    checkShape(task.shape);
    this.#remember(task.id);
    this.#cluster.addTask(task);
  }

  removeTask(id: string): void {
    this.#remember(id);
    this.#cluster.removeTask(id);
  }

  retireTask(id: string): void {
    this.#remember(id);
    this.#cluster.retireTask(id);
  }

  setLeaving(id: string, leaving: boolean): void {
    this.#remember(id);
    this.#cluster.setLeaving(id, leaving);
  }

  tentatively<T>(work: () => T): T {
    const outer = this.#touched;
    const touched = new Map<string, TaskState | undefined>();
    this.#touched = touched;
    try {
      return work();
    } finally {
      this.#touched = outer;
      for (const [id, before] of [...touched].reverse()) this.#restore(id, before);
    }
  }

  place(source: PlacementRequest): Placed | { readonly unplaceable: Unplaceable } {
    const decider = this.#prepared(source);
    let slot: number;
    try {
      slot = this.#choose(decider);
    } catch (failure) {
      return this.#placeWithout(source, failure);
    }
    if (slot === -1) return { unplaceable: explain(this.#cluster, decider.request) };
    return { instanceId: this.#cluster.ids[slot]! };
  }

  reserve(source: PlacementRequest): Reservation | undefined {
    this.#notTentative();
    const slot = this.#slotFor(source);
    return slot === -1 ? undefined : this.#cluster.reserve(slot, this.#cluster.group(source.group), source.shape);
  }

  release(reservation: Reservation): void {
    this.#notTentative();
    this.#cluster.release(reservation as TaskEntry);
  }

  confirm(reservation: Reservation, taskId: string): boolean {
    this.#notTentative();
    return this.#cluster.confirm(reservation as TaskEntry, taskId);
  }

  explain(source: PlacementRequest): PlacementExplanation {
    const { request } = this.#prepared(source);
    this.#ledger.begin(this.#cluster.slots);
    request.filter?.sync();
    let feasible = 0;
    for (let slot = 0; slot < this.#cluster.slots; slot++) if (request.causes(slot) === 0) feasible++;
    const strategies = request.draws ? [...request.names, 'random'] : request.names;
    const causes = causesOf(this.#cluster, request);
    const common = { feasible, instances: this.#cluster.slotOf.size, strategies, causes };
    if (feasible === 0) return { ...common, unplaceable: explain(this.#cluster, request) };
    if (request.draws) return common;
    const answer = this.place(source);
    return 'instanceId' in answer ? { ...common, choice: answer.instanceId } : { ...common, ...answer };
  }

  commit(plan: readonly PlannedTask[]): PlanOutcome {
    const accepted: PlannedTask[] = [];
    const rejected: { planned: PlannedTask; unplaceable: Unplaceable }[] = [];
    for (const planned of plan) {
      const { id, instanceId, request } = planned;
      const unplaceable = this.whyNot(instanceId, request);
      if (unplaceable !== undefined) {
        rejected.push({ planned, unplaceable });
        continue;
      }
      this.addTask({ id, instanceId, group: request.group, shape: request.shape });
      accepted.push(planned);
    }
    return { accepted, rejected };
  }

  get version(): string {
    return `${this.#cluster.generation}.${this.#cluster.changes.end}`;
  }

  changesSince(version: string): readonly string[] | undefined {
    const [generation, position = Number.NaN] = version.split('.').map(Number);
    const { changes, ids } = this.#cluster;
    if (generation !== this.#cluster.generation || !(changes.end >= position)) return undefined;
    const changed: string[] = [];
    for (let slot = changes.newest; slot !== -1 && changes.changedAt[slot]! >= position; slot = changes.older[slot]!) {
      changed.push(ids[slot]!);
    }
    return changed.reverse();
  }

  snapshot(): PlacementSnapshot {
    const instances = this.#cluster.specs.filter((spec) => spec !== undefined);
    const tasks = Array.from(this.#cluster.tasks.values(), ({ id, instanceId, group, shape, counts, leaving }) => ({
      id,
      instanceId,
      group: group.name,
      shape,
      retired: !counts,
      ...(leaving ? { leaving } : {}),
    }));
    return { version: this.version, instances, tasks };
  }

  free(instanceId: string): { readonly cpu: number; readonly memory: number; readonly gpus: number } | undefined {
    const slot = this.#cluster.slotOf.get(instanceId);
    if (slot === undefined) return undefined;
    const { freeCpu, freeMemory, freeGpus } = this.#cluster;
    return { cpu: freeCpu[slot]!, memory: freeMemory[slot]!, gpus: freeGpus[slot]! };
  }

  daemon(source: PlacementRequest): DaemonPlan {
    const { request } = this.#prepared(source);
    this.#ledger.begin(this.#cluster.slots);
    return planDaemon(this.#cluster, request, this.#cluster.group(source.group));
  }

  pluginFailures(): ReadonlyMap<string, { readonly count: number; readonly last: string }> {
    return this.#ledger.failures;
  }

  whyNot(instanceId: string, source: PlacementRequest): Unplaceable | undefined {
    const slot = this.#cluster.slotOf.get(instanceId);
    if (slot === undefined) {
      const message = `Container instance ${instanceId} is not in the cluster.`;
      return { code: 'MISSING', message, ruledOut: { MISSING: 1 } };
    }
    try {
      const { request } = this.#prepared(source);
      this.#ledger.begin(this.#cluster.slots);
      request.filter?.sync();
      return explainOne(this.#cluster, request, slot);
    } catch (failure) {
      if (!(failure instanceof PluginFailure)) throw failure;
      this.#ledger.failed(failure);
      return refusal(failure);
    }
  }

  scaleInOrder(
    candidates: readonly string[],
    strategies: readonly StrategySpec[],
    limit?: number,
    gone: readonly string[] = [],
  ): readonly string[] {
    const waiting: string[] = [];
    const placed: TaskEntry[] = [];
    for (const id of candidates) {
      const task = this.#cluster.tasks.get(id);
      if (task === undefined || task.slot === -1) waiting.push(id);
      else placed.push(task);
    }
    const enough = Math.max(0, (limit ?? candidates.length) - waiting.length);
    const before = gone.flatMap((id) => this.#cluster.tasks.get(id) ?? []).filter(({ slot }) => slot !== -1);
    const ordered = orderForScaleIn(this.#cluster, this.#compiler, placed, strategies, this.#draw, { enough, before });
    return [...waiting, ...ordered.map((task) => task.id)].slice(0, limit);
  }

  improvement(source: PlacementRequest, candidates: readonly string[]): Improvement | undefined {
    const specs = decisive(source, serviceDefault);
    if (specs.length === 0) return undefined;
    const chain = this.#compiler.chain(specs);
    const opened = specs.map((spec, place) => ({ spec, scorer: chain[place]!.open(source) }));
    const ids = candidates.filter((id) => (this.#cluster.tasks.get(id)?.slot ?? -1) !== -1);
    const instances = new Set<number>();
    const tasks: TaskEntry[] = [];
    for (const id of this.scaleInOrder(ids, specs)) {
      const task = this.#cluster.tasks.get(id)!;
      if (instances.has(task.slot)) continue;
      instances.add(task.slot);
      if (tasks.push(task) >= mostImproved) break;
    }
    const without = <T>({ id }: TaskEntry, work: () => T): T =>
      this.tentatively(() => {
        this.removeTask(id);
        return work();
      });
    try {
      return bestImprovement(
        { cluster: this.#cluster, chain: opened, without, place: () => this.#slotFor(source) },
        tasks,
      );
    } catch (failure) {
      // A plug-in that cannot say how well a task is placed moves none.
      if (!(failure instanceof PluginFailure)) throw failure;
      this.#ledger.failed(failure);
      return undefined;
    }
  }

  #notTentative(): void {
    if (this.#touched !== undefined) throw new Error('instances and reservations cannot be changed tentatively');
  }

  #remember(id: string): void {
    if (this.#touched === undefined || this.#touched.has(id)) return;
    const entry = this.#cluster.tasks.get(id);
    this.#touched.set(id, entry && { entry, counts: entry.counts, leaving: entry.leaving });
  }

  #restore(id: string, before: TaskState | undefined): void {
    const now = this.#cluster.tasks.get(id);
    if (before === undefined) {
      this.#cluster.removeTask(id);
      return;
    }
    const { entry, counts, leaving } = before;
    if (now !== entry || now.counts !== counts) {
      this.#cluster.addTask({ id, instanceId: entry.instanceId, group: entry.group.name, shape: entry.shape });
      if (!counts) this.#cluster.retireTask(id);
    }
    this.#cluster.setLeaving(id, leaving);
  }

  /** A plug-in failed: decide without its strategy, or refuse because its constraint cannot be asked. */
  #placeWithout(source: PlacementRequest, cause: unknown): Placed | { readonly unplaceable: Unplaceable } {
    const warnings: string[] = [];
    const without = new Set<string>();
    for (let failure = cause; ;) {
      if (!(failure instanceof PluginFailure)) throw failure;
      this.#ledger.failed(failure);
      if (!isStrategy(source, failure.plugin)) return { unplaceable: refusal(failure) };
      // From now on requests are compiled without it, those known already included.
      if (this.#ledger.isOut(failure.plugin)) this.#forget();
      without.add(failure.plugin);
      warnings.push(`${failure.message}; placed without it`);
      const request = this.#compiler.compile(source, without);
      try {
        const slot = this.#choose(this.#chooser.prepare(request));
        if (slot === -1) return { unplaceable: explain(this.#cluster, request) };
        return { instanceId: this.#cluster.specs[slot]!.id, warnings };
      } catch (next) {
        failure = next;
      }
    }
  }

  /** As `place`, without the words. */
  #slotFor(source: PlacementRequest): number {
    try {
      return this.#choose(this.#prepared(source));
    } catch (failure) {
      const answer = this.#placeWithout(source, failure);
      return 'instanceId' in answer ? this.#cluster.slotOf.get(answer.instanceId)! : -1;
    }
  }

  #choose(decider: Decider): number {
    this.#ledger.begin(this.#cluster.slots);
    const slot = this.#chooser.choose(decider);
    if (this.#ledger.failures.size > 0) for (const name of decider.request.names) this.#ledger.worked(name);
    return slot;
  }

  #prepared(source: PlacementRequest): Decider {
    let decider = this.#deciders.get(source);
    if (decider === undefined) {
      if (this.#cluster.groups.size > this.#manyGroups || this.#chooser.classes > manyClasses) this.#forget();
      decider = this.#chooser.prepare(this.#compiler.compile(source, new Set()));
      this.#deciders.set(source, decider);
    }
    return decider;
  }

  #forget(): void {
    this.#cluster.forgetEmptyGroups();
    this.#deciders = new WeakMap();
    this.#chooser.clear();
    this.#manyGroups = Math.max(1024, 2 * this.#cluster.groups.size);
  }
}

function isStrategy(source: PlacementRequest, plugin: string): boolean {
  return source.strategies.some((strategy) => strategy.type === plugin);
}

/** A constraint that cannot be asked is not known to hold: the request is refused, the core goes on. */
function refusal(failure: PluginFailure): Unplaceable {
  const message = `The placement constraint could not be checked: ${failure.message}.`;
  return { code: failure.plugin.toUpperCase(), message, ruledOut: {} };
}
