/** Random but repeatable lives of a small cluster, played to the core and to the oracle at once. */
import { createPlacementIndex } from '../placement-index.ts';
import { seededRandom } from '../random.ts';
import type { ConstraintSpec, InstanceSpec, PlacementRequest, StrategySpec, TaskShape } from '../types.ts';
import { Oracle } from './oracle.ts';

export interface ScenarioOptions {
  readonly seed: number;
  readonly steps: number;
  /** The most instances at a time. */
  readonly instances: number;
  /** The most live tasks at a time. */
  readonly tasks: number;
  /** The chain of strategies to try, otherwise chains are drawn. */
  readonly strategies?: readonly StrategySpec[];
  /** Requests only of CPU and memory, without constraints: what the sorted index serves. */
  readonly plain?: boolean;
  readonly tuning?: object;
}

/** Decisions compared, and how many of them placed a task. */
export interface ScenarioResult {
  readonly decisions: number;
  readonly placed: number;
}

/** What chains of ECS are made of. */
export const strategyChoices: readonly StrategySpec[] = [
  { type: 'random' },
  { type: 'spread', field: 'instanceId' },
  { type: 'spread', field: 'attribute:ecs.availability-zone' },
  { type: 'spread', field: 'attribute:rack' },
  { type: 'binpack', field: 'cpu' },
  { type: 'binpack', field: 'memory' },
];

const expressions = [
  'attribute:rack == r1',
  'attribute:rack != r1',
  'not(attribute:rack == r1)',
  'attribute:ecs.availability-zone in [a, b]',
  'attribute:disk !exists',
  'attribute:disk == ssd and attribute:rack exists or attribute:ecs.availability-zone == c',
  'attribute:rack =~ "r[12]" and not(task:group == service:1)',
  'task:group == service:0',
  'task:group != service:2',
  'runningTasksCount < 3',
  'runningTasksCount >= 1 or attribute:disk == ssd',
  'agentVersion >= 1.50 and registeredAt < 2024-01-01',
  'agentConnected == true',
];

/** Plays one life; throws with the seed and the step where the core and the oracle differ. */
export function playScenario(options: ScenarioOptions): ScenarioResult {
  return new Scenario(options).play();
}

class Scenario {
  readonly #options: ScenarioOptions;
  readonly #random: () => number;
  readonly #core: ReturnType<typeof createPlacementIndex>;
  readonly #oracle: Oracle;
  readonly #instances = new Map<string, InstanceSpec>();
  readonly #tasks: { id: string; group: string }[] = [];
  #requests: PlacementRequest[] = [];
  #ids = 0;
  #step = 0;
  #decisions = 0;
  #placed = 0;

  constructor(options: ScenarioOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#core = createPlacementIndex({ seed: options.seed, ...options.tuning });
    this.#oracle = new Oracle(options.seed);
  }

  play(): ScenarioResult {
    for (let count = this.#options.instances * (0.5 + this.#random() / 2); count > 0; count--) this.#arrive();
    for (this.#step = 0; this.#step < this.#options.steps; this.#step++) {
      if (this.#requests.length === 0 || this.#chance(0.03)) this.#requests = this.#drawRequests();
      const dice = this.#random();
      if (dice < 0.62) this.#place(this.#one(this.#requests)!);
      else if (dice < 0.84) this.#endTask();
      else if (dice < 0.88) this.#retireOrLeave();
      else if (dice < 0.91) this.#arrive();
      else if (dice < 0.93) this.#leave();
      else if (dice < 0.98) this.#change();
      else if (dice < 0.99) this.#askOne();
      else this.#scaleIn();
    }
    return { decisions: this.#decisions, placed: this.#placed };
  }

  #place(request: PlacementRequest): void {
    const answer = this.#core.place(request);
    const actual = 'instanceId' in answer ? answer.instanceId : undefined;
    this.#same('place', actual, this.#oracle.place(request), request);
    this.#decisions++;
    if (actual === undefined) {
      if (this.#tasks.length > 0) this.#endTask();
      return;
    }
    this.#placed++;
    if (this.#tasks.length >= this.#options.tasks) this.#endTask();
    // Sometimes the decision is not acted on, or by somebody else elsewhere, or for an instance that is not there yet.
    if (this.#chance(0.05)) return;
    const instanceId = this.#chance(0.03) ? (this.#one([...this.#instances.keys(), 'i-later']) ?? actual) : actual;
    const task = { id: `t${this.#ids++}`, instanceId, group: request.group, shape: request.shape };
    this.#tasks.push(task);
    this.#both((index) => index.addTask(task));
    if (this.#chance(0.2)) this.#reserve(request);
  }

  /** Room taken before there is a task: confirmed as one, or given back. */
  #reserve(request: PlacementRequest): void {
    const reservation = this.#core.reserve(request);
    this.#same('reserve', reservation?.instanceId, this.#oracle.place(request), request);
    this.#decisions++;
    if (reservation === undefined) return;
    const task = {
      id: `t${this.#ids++}`,
      instanceId: reservation.instanceId,
      group: request.group,
      shape: request.shape,
    };
    this.#oracle.addTask(task);
    const next = this.#one(this.#requests)!;
    const answer = this.#core.place(next);
    this.#same('place', 'instanceId' in answer ? answer.instanceId : undefined, this.#oracle.place(next), next);
    if (this.#chance(0.5)) {
      this.#same('confirm', this.#core.confirm(reservation, task.id), true, task);
      this.#tasks.push(task);
      return;
    }
    this.#core.release(reservation);
    this.#oracle.removeTask(task.id);
    this.#same('confirm', this.#core.confirm(reservation, task.id), false, task);
  }

  #endTask(): void {
    const [task] = this.#tasks.splice(this.#below(this.#tasks.length), 1);
    this.#both((index) => index.removeTask(task?.id ?? 'unknown'));
  }

  #retireOrLeave(): void {
    const task = this.#one(this.#tasks);
    if (task === undefined) return;
    const leaving = this.#chance(0.7);
    if (this.#chance(0.5)) this.#both((index) => index.retireTask(task.id));
    else this.#both((index) => index.setLeaving(task.id, leaving));
  }

  #arrive(): void {
    if (this.#instances.size >= this.#options.instances) return;
    const id = this.#chance(0.05) ? 'i-later' : `i-${this.#ids++}`;
    this.#put(this.#drawInstance(id));
  }

  #leave(): void {
    const id = this.#one([...this.#instances.keys()]) ?? 'i-unknown';
    this.#instances.delete(id);
    this.#both((index) => index.removeInstance(id));
  }

  /** New attributes, another size, draining and back, a lost agent. */
  #change(): void {
    const before = this.#one([...this.#instances.values()]);
    if (before === undefined) return;
    const fresh = this.#drawInstance(before.id);
    const { cpu, memory, attributes, placeable, agentConnected } = fresh;
    if (this.#chance(0.4)) this.#put({ ...before, attributes });
    else if (this.#chance(0.7)) this.#put({ ...before, placeable, agentConnected });
    else this.#put({ ...before, cpu, memory });
  }

  #put(instance: InstanceSpec): void {
    this.#instances.set(instance.id, instance);
    this.#both((index) => index.upsertInstance(instance));
  }

  #askOne(): void {
    const id = this.#one([...this.#instances.keys()]);
    const request = this.#one(this.#requests);
    if (id === undefined || request === undefined) return;
    this.#same('whyNot', this.#core.whyNot(id, request) === undefined, this.#oracle.feasible(id, request), request);
  }

  #scaleIn(): void {
    const group = this.#one(this.#tasks)?.group ?? '';
    const ids = this.#tasks.filter((task) => task.group === group).map((task) => task.id);
    const strategies = this.#one(this.#requests)?.strategies ?? [];
    // Scores of the core's own are not renewed from task to task: only ECS's strategies have a specification in reverse.
    if (strategies.some(({ type }) => type.includes(':'))) return;
    const gone = ids.splice(0, this.#below(4));
    const limit = this.#chance(0.5) ? this.#below(ids.length + 1) : ids.length;
    const actual = this.#core.scaleInOrder(ids, strategies, limit, gone).join();
    this.#same('scaleInOrder', actual, this.#oracle.scaleInOrder(ids, strategies, limit, gone).join(), strategies);
  }

  #drawInstance(id: string): InstanceSpec {
    const attributes = new Map<string, string>();
    if (this.#chance(0.9)) attributes.set('ecs.availability-zone', this.#one(['a', 'b', 'c'])!);
    if (this.#chance(0.8)) attributes.set('rack', this.#one(['r1', 'r2', 'r3', 'r4'])!);
    if (this.#chance(0.3)) attributes.set('disk', this.#one(['ssd', 'hdd'])!);
    if (this.#chance(0.7)) attributes.set('ecs.capability.task-eni', '');
    const size = this.#one([1, 2, 2, 4])!;
    return {
      id,
      cpu: size * 512,
      memory: this.#chance(0.1) ? this.#below(3000) : size * 1024,
      gpus: this.#chance(0.2) ? 2 : 0,
      attributes,
      reservedTcpPorts: [22],
      reservedUdpPorts: [],
      placeable: this.#chance(0.9),
      agentConnected: this.#chance(0.9),
      agentVersion: this.#one(['1.49.0', '1.50.1'])!,
      registeredAt: Date.parse(this.#one(['2023-05-01', '2025-05-01'])!),
    };
  }

  #drawRequests(): PlacementRequest[] {
    return Array.from({ length: 1 + this.#below(5) }, () => this.#drawRequest());
  }

  #drawRequest(): PlacementRequest {
    const standalone = this.#chance(0.2);
    return {
      group: standalone ? 'family:batch' : `service:${this.#below(4)}`,
      shape: this.#drawShape(),
      constraints: this.#drawConstraints(),
      strategies: this.#options.strategies ?? this.#drawChain(),
      kind: standalone ? 'standalone' : 'service',
    };
  }

  #drawChain(): readonly StrategySpec[] {
    if (this.#chance(0.05)) return [this.#one(strategyChoices)!, { type: 'slipway:best-fit' }];
    return Array.from({ length: this.#below(4) }, () => this.#one(strategyChoices)!);
  }

  #drawShape(): TaskShape {
    const odd = this.#chance(0.15);
    if (this.#options.plain === true) {
      const [cpu, memory] = odd
        ? [this.#below(300), this.#below(600)]
        : [this.#one([64, 128, 256])!, this.#one([64, 128, 512])!];
      return { cpu, memory, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] };
    }
    return {
      cpu: odd ? this.#below(300) : this.#one([0, 128, 128, 256, 512])!,
      memory: odd ? this.#below(600) : this.#one([64, 128, 256, 512])!,
      gpus: this.#chance(0.08) ? 1 : 0,
      tcpPorts: this.#chance(0.12) ? [this.#one([22, 80, 443])!] : [],
      udpPorts: this.#chance(0.05) ? [53] : [],
      requires: this.#chance(0.15) ? ['ecs.capability.task-eni'] : [],
    };
  }

  #drawConstraints(): readonly ConstraintSpec[] {
    const constraints: ConstraintSpec[] = [];
    if (this.#options.plain === true)
      return this.#chance(0.2) ? [{ type: 'memberOf', expression: expressions[0]! }] : [];
    if (this.#chance(0.15)) constraints.push({ type: 'distinctInstance' });
    while (this.#chance(0.3)) constraints.push({ type: 'memberOf', expression: this.#one(expressions)! });
    return constraints;
  }

  #both(
    act: (
      index: Pick<Oracle, 'upsertInstance' | 'removeInstance' | 'addTask' | 'removeTask' | 'retireTask' | 'setLeaving'>,
    ) => void,
  ): void {
    act(this.#core);
    act(this.#oracle);
  }

  #same(what: string, actual: unknown, expected: unknown, about: unknown): void {
    if (actual === expected) return;
    const { seed } = this.#options;
    throw new Error(
      `${what} differs at step ${this.#step} of seed ${seed}: core ${String(actual)}, oracle ${String(expected)}\n${JSON.stringify(about)}`,
    );
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #one<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }
}
