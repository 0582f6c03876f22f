/** Moves that pay: whole instances freed, or zones evened out, for a bounded number of restarted tasks. */
import { restorePlacementIndex } from './placement-index.ts';
import type {
  InstanceSpec,
  PlacedTask,
  PlacementIndex,
  PlacementRequest,
  PlacementSnapshot,
  StrategySpec,
} from './types.ts';

export interface RebalanceOptions {
  /** `free-instances`: empty the instances that hold the fewest tasks. `even-zones`: see `zone`. */
  readonly goals: readonly ('free-instances' | 'even-zones')[];
  /** The most tasks to move, all goals together. */
  readonly maxMoves: number;
  /** The most tasks of one group to move, as a share of its tasks; at least one. Default 0.1. */
  readonly maxGroupShare?: number;
  /** The attribute `even-zones` evens out. Default `ecs.availability-zone`. */
  readonly zone?: string;
  /** How the task would be placed again; undefined when it must stay (protected, daemon, not movable). */
  readonly requestOf: (task: PlacedTask) => PlacementRequest | undefined;
}

/** Start the task's replacement on `to`, and end it on `from` once that is healthy. */
export interface Move {
  readonly taskId: string;
  readonly from: string;
  readonly to: string;
  readonly goal: 'free-instances' | 'even-zones';
}

export interface RebalancePlan {
  readonly moves: readonly Move[];
  /** Instances that hold no task any more once every move is done. */
  readonly freed: readonly string[];
  readonly inUseBefore: number;
  readonly inUseAfter: number;
}

/** Proposes moves on a snapshot; nothing is changed. The order is the order in which to do them. */
export function proposeMoves(snapshot: PlacementSnapshot, options: RebalanceOptions): RebalancePlan {
  return new Rebalancer(snapshot, options).propose();
}

class Rebalancer {
  readonly #options: RebalanceOptions;
  readonly #work: PlacementIndex;
  readonly #instances = new Map<string, InstanceSpec>();
  readonly #tasksOn = new Map<string, Map<string, PlacedTask>>();
  readonly #groupBudget = new Map<string, number>();
  readonly #inUseBefore: number;
  readonly #requests = new WeakMap<PlacementRequest, PlacementRequest>();
  readonly #moves: Move[] = [];
  readonly #moved = new Set<string>();
  readonly #freed: string[] = [];

  constructor(snapshot: PlacementSnapshot, options: RebalanceOptions) {
    this.#options = options;
    this.#work = restorePlacementIndex(snapshot, { seed: 0 });
    for (const instance of snapshot.instances) {
      this.#instances.set(instance.id, instance);
      this.#tasksOn.set(instance.id, new Map());
    }
    const groups = new Map<string, number>();
    for (const task of snapshot.tasks) {
      this.#tasksOn.get(task.instanceId)?.set(task.id, task);
      groups.set(task.group, (groups.get(task.group) ?? 0) + 1);
    }
    for (const [group, tasks] of groups) {
      this.#groupBudget.set(group, Math.max(1, Math.floor(tasks * (options.maxGroupShare ?? 0.1))));
    }
    this.#inUseBefore = this.#inUse();
  }

  propose(): RebalancePlan {
    if (this.#options.goals.includes('even-zones')) this.#evenZones();
    if (this.#options.goals.includes('free-instances')) this.#freeInstances();
    return {
      moves: this.#moves,
      freed: this.#freed,
      inUseBefore: this.#inUseBefore,
      inUseAfter: this.#inUse(),
    };
  }

  #inUse(): number {
    return [...this.#tasksOn.values()].filter((tasks) => tasks.size > 0).length;
  }

  #left(): number {
    return this.#options.maxMoves - this.#moves.length;
  }

  /** Instances with the fewest tasks first: the most instances for the fewest moves. */
  #freeInstances(): void {
    // An empty instance may go to sleep: nothing is moved onto one.
    for (const [id, tasks] of this.#tasksOn) if (tasks.size === 0) this.#close(id);
    const sources = [...this.#tasksOn]
      .filter(([id, tasks]) => tasks.size > 0 && this.#instances.get(id)!.placeable)
      .map(([id, tasks]) => ({ id, count: tasks.size, used: this.#used(id) }))
      .sort((left, right) => left.count - right.count || left.used - right.used);
    for (const { id } of sources) {
      if (this.#left() === 0) return;
      const tasks = [...this.#tasksOn.get(id)!.values()];
      if (tasks.length > this.#left()) continue;
      if (this.#vacate(id, tasks)) this.#freed.push(id);
    }
  }

  /** Moves all tasks of an instance to others in use, or none. */
  #vacate(id: string, tasks: readonly PlacedTask[]): boolean {
    if (!this.#mayMove(tasks)) return false;
    this.#close(id);
    const placed: { task: PlacedTask; to: string }[] = [];
    for (const task of tasks.toSorted((left, right) => right.shape.memory - left.shape.memory)) {
      const to = this.#moveInThought(task);
      if (to === undefined) {
        for (const { task: back } of placed) this.#work.addTask(back);
        this.#open(id);
        return false;
      }
      placed.push({ task, to });
    }
    for (const { task, to } of placed) this.#record(task, to, 'free-instances');
    return true;
  }

  /** From the value of the zone attribute with the most tasks of a group to the one with the fewest, while they differ by two. */
  #evenZones(): void {
    const { zone = 'ecs.availability-zone' } = this.#options;
    const groups = Map.groupBy(
      [...this.#tasksOn.values()].flatMap((tasks) => [...tasks.values()]),
      (task) => task.group,
    );
    const zones = new Set(
      [...this.#instances.values()].filter(({ placeable }) => placeable).map(({ attributes }) => attributes.get(zone)),
    );
    for (const tasks of groups.values()) {
      while (this.#left() > 0) {
        const byZone = Map.groupBy(tasks, (task) => this.#zoneOf(task, zone));
        for (const name of zones) if (!byZone.has(name)) byZone.set(name, []);
        const ordered = [...byZone].sort(([, left], [, right]) => right.length - left.length);
        const [most, fewest] = [ordered[0]!, ordered.at(-1)!];
        if (most[1].length - fewest[1].length < 2) break;
        const move = most[1].find((task) => this.#toZone(task, zone));
        if (move === undefined) break;
        tasks[tasks.indexOf(move)] = { ...move, instanceId: this.#moves.at(-1)!.to };
      }
    }
  }

  #zoneOf(task: PlacedTask, zone: string): string | undefined {
    return this.#instances.get(task.instanceId)?.attributes.get(zone);
  }

  /** Whether the task, placed by zone, goes to another zone; if so it is moved. */
  #toZone(task: PlacedTask, zone: string): boolean {
    if (this.#moved.has(task.id) || !this.#mayMove([task])) return false;
    const to = this.#moveInThought(task, [{ type: 'spread', field: `attribute:${zone}` }]);
    if (to === undefined) return false;
    if (this.#instances.get(to)!.attributes.get(zone) === this.#zoneOf(task, zone)) {
      this.#work.addTask(task);
      return false;
    }
    this.#record(task, to, 'even-zones');
    return true;
  }

  /** Places the task anew among the instances that are open; leaves it where it was when that fails. */
  #moveInThought(task: PlacedTask, strategies?: readonly StrategySpec[]): string | undefined {
    const request = this.#packed(this.#options.requestOf(task)!, strategies);
    this.#work.removeTask(task.id);
    const reservation = this.#work.reserve(request);
    if (reservation === undefined) {
      this.#work.addTask(task);
      return undefined;
    }
    this.#work.confirm(reservation, task.id);
    return reservation.instanceId;
  }

  /** The request with its spreads (or other strategies) first, then the tightest fit. The same object each time. */
  #packed(request: PlacementRequest, strategies: readonly StrategySpec[] | undefined): PlacementRequest {
    const known = strategies === undefined ? this.#requests.get(request) : undefined;
    if (known !== undefined) return known;
    const first = strategies ?? request.strategies.filter(({ type }) => type === 'spread');
    const packed: PlacementRequest = { ...request, strategies: [...first, { type: 'slipway:best-fit' }] };
    if (strategies === undefined) this.#requests.set(request, packed);
    return packed;
  }

  #mayMove(tasks: readonly PlacedTask[]): boolean {
    const wanted = new Map<string, number>();
    for (const task of tasks) {
      if (this.#moved.has(task.id) || this.#options.requestOf(task) === undefined) return false;
      const count = (wanted.get(task.group) ?? 0) + 1;
      if (count > this.#groupBudget.get(task.group)!) return false;
      wanted.set(task.group, count);
    }
    return true;
  }

  #record(task: PlacedTask, to: string, goal: Move['goal']): void {
    this.#moves.push({ taskId: task.id, from: task.instanceId, to, goal });
    this.#moved.add(task.id);
    this.#groupBudget.set(task.group, this.#groupBudget.get(task.group)! - 1);
    this.#tasksOn.get(task.instanceId)?.delete(task.id);
    this.#tasksOn.get(to)!.set(task.id, { ...task, instanceId: to });
  }

  #used(id: string): number {
    const { cpu, memory } = this.#instances.get(id)!;
    let share = 0;
    for (const { shape } of this.#tasksOn.get(id)!.values()) {
      share += shape.cpu / Math.max(1, cpu) + shape.memory / Math.max(1, memory);
    }
    return share;
  }

  #close(id: string): void {
    this.#work.upsertInstance({ ...this.#instances.get(id)!, placeable: false });
  }

  #open(id: string): void {
    this.#work.upsertInstance(this.#instances.get(id)!);
  }
}
