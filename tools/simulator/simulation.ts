/** Plays a workload against the placement core in virtual time. The same input gives the same result. */
import {
  createPlacementIndex,
  type InstanceSpec,
  type PlacementIndex,
  type PlacementRequest,
  proposeMoves,
  type StrategySpec,
} from '@slipway/scheduler/placement';
import { VirtualClock } from './virtual-clock.ts';
import type { WorkloadTask } from './workload.ts';

export interface SimulationOptions {
  readonly instances: readonly InstanceSpec[];
  readonly workload: readonly WorkloadTask[];
  readonly strategies: readonly StrategySpec[];
  readonly seed: number;
  /** Seconds to play. Default: until nothing arrives any more. */
  readonly duration?: number;
  /** Seconds between samples. Default: a two-hundredth of the duration. */
  readonly sampleEvery?: number;
  /** Runs the rebalancer this often (seconds), moving at most this share of the running tasks an hour. */
  readonly rebalance?: { readonly every: number; readonly sharePerHour: number };
  /** Decides instead of the core, for comparisons: the instance, or undefined. */
  readonly decide?: (index: PlacementIndex, request: PlacementRequest) => string | undefined;
}

export interface Sample {
  /** Seconds since the start. */
  readonly time: number;
  readonly running: number;
  readonly waiting: number;
  readonly inUse: number;
  /** No fewer instances could hold what runs: the larger of the CPU and the memory in use, in the largest instances. */
  readonly lowerBound: number;
}

export interface SimulationResult {
  readonly samples: readonly Sample[];
  readonly placed: number;
  /** Tasks that found no room when they arrived, and how often that was. */
  readonly delayed: number;
  readonly moves: number;
  readonly meanInUse: number;
  readonly meanLowerBound: number;
}

/** Plays the workload. */
export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #clock = new VirtualClock();
  readonly #index: PlacementIndex;
  readonly #duration: number;
  readonly #requests = new Map<string, PlacementRequest>();
  readonly #running = new Map<string, { readonly task: WorkloadTask; instanceId: string }>();
  readonly #tasksOn = new Map<string, number>();
  readonly #samples: Sample[] = [];
  #waiting: WorkloadTask[] = [];
  #cpu = 0;
  #memory = 0;
  #placed = 0;
  #delayed = 0;
  #moves = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#index = createPlacementIndex({ seed: options.seed });
    for (const instance of options.instances) this.#index.upsertInstance(instance);
    this.#duration = options.duration ?? (options.workload.at(-1)?.arrival ?? 0) + 1;
  }

  run(): SimulationResult {
    const { workload, rebalance, sampleEvery = this.#duration / 200 } = this.#options;
    for (const task of workload) {
      if (task.arrival > this.#duration) break;
      this.#clock.at(task.arrival * 1000, () => this.#arrive(task));
    }
    for (let time = sampleEvery; time <= this.#duration; time += sampleEvery) {
      this.#clock.at(time * 1000, () => this.#sample());
    }
    if (rebalance !== undefined) {
      for (let time = rebalance.every; time <= this.#duration; time += rebalance.every) {
        this.#clock.at(time * 1000, () => this.#rebalance(rebalance.every * rebalance.sharePerHour));
      }
    }
    this.#clock.runUntil(this.#duration * 1000);
    const mean = (of: (sample: Sample) => number): number =>
      this.#samples.reduce((sum, sample) => sum + of(sample), 0) / Math.max(1, this.#samples.length);
    return {
      samples: this.#samples,
      placed: this.#placed,
      delayed: this.#delayed,
      moves: this.#moves,
      meanInUse: mean((sample) => sample.inUse),
      meanLowerBound: mean((sample) => sample.lowerBound),
    };
  }

  #arrive(task: WorkloadTask): void {
    if (this.#start(task)) return;
    this.#delayed++;
    this.#waiting.push(task);
  }

  #start(task: WorkloadTask): boolean {
    const request = this.#requestOf(task);
    const instanceId = this.#decide(request);
    if (instanceId === undefined) return false;
    this.#index.addTask({ id: task.id, instanceId, group: task.group, shape: request.shape });
    this.#running.set(task.id, { task, instanceId });
    this.#count(instanceId, 1);
    this.#cpu += task.shape.cpu;
    this.#memory += task.shape.memory;
    this.#placed++;
    // A task that waited lives as long as it would have.
    const lifetime = task.departure - task.arrival;
    if (lifetime !== Infinity) this.#clock.at(this.#clock.now() + lifetime * 1000, () => this.#depart(task));
    return true;
  }

  #decide(request: PlacementRequest): string | undefined {
    if (this.#options.decide !== undefined) return this.#options.decide(this.#index, request);
    const answer = this.#index.place(request);
    return 'instanceId' in answer ? answer.instanceId : undefined;
  }

  #depart(task: WorkloadTask): void {
    this.#count(this.#running.get(task.id)!.instanceId, -1);
    this.#running.delete(task.id);
    this.#index.removeTask(task.id);
    this.#cpu -= task.shape.cpu;
    this.#memory -= task.shape.memory;
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((waiting) => !this.#start(waiting));
  }

  #rebalance(share: number): void {
    const maxMoves = Math.floor((this.#running.size * share) / 3600);
    const { moves } = proposeMoves(this.#index.snapshot(), {
      goals: ['free-instances'],
      maxMoves,
      requestOf: ({ id }) => this.#requestOf(this.#running.get(id)!.task),
    });
    for (const { taskId, to } of moves) {
      const entry = this.#running.get(taskId)!;
      this.#count(entry.instanceId, -1);
      this.#count(to, 1);
      entry.instanceId = to;
      this.#index.addTask({ id: taskId, instanceId: to, group: entry.task.group, shape: entry.task.shape });
    }
    this.#moves += moves.length;
  }

  #sample(): void {
    const { instances } = this.#options;
    const largest = (amount: 'cpu' | 'memory'): number => Math.max(...instances.map((instance) => instance[amount]));
    this.#samples.push({
      time: this.#clock.now() / 1000,
      running: this.#running.size,
      waiting: this.#waiting.length,
      inUse: this.#tasksOn.size,
      lowerBound: Math.ceil(Math.max(this.#cpu / largest('cpu'), this.#memory / largest('memory'))),
    });
  }

  #count(instanceId: string, difference: number): void {
    const count = (this.#tasksOn.get(instanceId) ?? 0) + difference;
    if (count === 0) this.#tasksOn.delete(instanceId);
    else this.#tasksOn.set(instanceId, count);
  }

  /** One object for all tasks that are alike: the core compiles each once. */
  #requestOf({ group, shape, distinct }: WorkloadTask): PlacementRequest {
    const key = `${group} ${shape.cpu} ${shape.memory} ${shape.gpus} ${distinct}`;
    let request = this.#requests.get(key);
    if (request === undefined) {
      const constraints = distinct ? [{ type: 'distinctInstance' } as const] : [];
      request = { group, shape, constraints, strategies: this.#options.strategies, kind: 'service' };
      this.#requests.set(key, request);
    }
    return request;
  }
}
