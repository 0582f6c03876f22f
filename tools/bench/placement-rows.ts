/** The measurements of the placement benchmark. Each builds its own cluster, so that none profits from another. */
import { generateMix, simulate, type SimulationResult } from '../simulator/index.ts';
import {
  createPlacementIndex,
  type InstanceSpec,
  type PlacementIndex,
  type PlacementRequest,
  type Reservation,
  seededRandom,
  type Strategy,
  type StrategySpec,
  type TaskShape,
} from '@slipway/scheduler/placement';
import { nomadScore, Peer } from './placement-peers.ts';

export interface Workload {
  readonly instances: readonly InstanceSpec[];
  /** The requests in the order in which they come; the same objects again and again. */
  readonly queue: readonly PlacementRequest[];
  readonly strategies?: readonly Strategy[];
}

/** `count` instances of three sizes in three zones, with five attributes to choose by. */
export function makeInstances(count: number, seed = 1): readonly InstanceSpec[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => {
    const size = [1, 2, 2, 4][Math.floor(random() * 4)]!;
    return {
      id: `i-${number.toString(16).padStart(17, '0')}`,
      cpu: size * 8192,
      memory: size * 32_768,
      gpus: 0,
      attributes: new Map([
        ['ecs.availability-zone', `zone-${number % 3}`],
        ['ecs.instance-type', `m.${size}x`],
        ['ecs.cpu-architecture', number % 2 === 0 ? 'x86_64' : 'arm64'],
        ['stack', `stack-${number % 5}`],
        ['disk', number % 4 === 0 ? 'hdd' : 'ssd'],
        ['rack', `r${number % 40}`],
        ['ecs.capability.task-eni', ''],
      ]),
      reservedTcpPorts: [22, 2375, 2376, 51_678, 51_679],
      reservedUdpPorts: [],
      placeable: true,
      agentConnected: true,
    };
  });
}

export function makeShapes(count: number, seed = 2): readonly TaskShape[] {
  const random = seededRandom(seed);
  const cpus = [128, 256, 256, 512, 512, 1024, 1024, 2048];
  return Array.from({ length: count }, () => ({
    cpu: cpus[Math.floor(random() * cpus.length)]!,
    memory: 128 + 8 * Math.floor(random() * 960),
    gpus: 0,
    tcpPorts: [],
    udpPorts: [],
    requires: [],
  }));
}

/** Requests of `services` services with a shape each, in random order, `length` of them. */
export function makeQueue(
  services: number,
  length: number,
  strategies: readonly StrategySpec[],
  expression?: string,
  shapes = makeShapes(services),
): readonly PlacementRequest[] {
  const random = seededRandom(3);
  const requests = shapes.map((shape, service) => ({
    group: `service:${service}`,
    shape,
    constraints: expression === undefined ? [] : [{ type: 'memberOf' as const, expression }],
    strategies,
    kind: 'service' as const,
  }));
  return Array.from({ length }, () => requests[Math.floor(random() * services)]!);
}

export function makeIndex({ instances, strategies = [] }: Workload): PlacementIndex {
  const index = createPlacementIndex({ seed: 1, strategies });
  for (const instance of instances) index.upsertInstance(instance);
  return index;
}

/** Places the queue until it ends or the first request that does not fit; placements a second. */
export function batchRate(workload: Workload): number {
  const index = makeIndex(workload);
  const start = process.threadCpuUsage();
  let placed = 0;
  for (const request of workload.queue) {
    if (index.reserve(request) === undefined) break;
    placed++;
  }
  return perSecond(placed, start);
}

/** As `batchRate`, through `place` and `addTask` with an id for each task. */
export function taskRate(workload: Workload): number {
  const index = makeIndex(workload);
  const ids = workload.queue.map((_, number) => Buffer.from(`task-${number}-0123456789abcdef`).toString('latin1'));
  const start = process.threadCpuUsage();
  let placed = 0;
  for (const request of workload.queue) {
    const answer = index.place(request);
    if ('unplaceable' in answer) break;
    const { group, shape } = request;
    index.addTask({ id: ids[placed]!, instanceId: answer.instanceId, group, shape });
    placed++;
  }
  return perSecond(placed, start);
}

/** Fills to 85 % of the memory, then releases a random task and places another; pairs a second. */
export function steadyRate(workload: Workload, pairs: number): number {
  const index = makeIndex(workload);
  const random = seededRandom(4);
  const held: Reservation[] = [];
  const full = 0.85 * workload.instances.reduce((sum, instance) => sum + instance.memory, 0);
  let used = 0;
  let at = 0;
  while (used < full) {
    const request = workload.queue[at++ % workload.queue.length]!;
    const reservation = index.reserve(request);
    if (reservation === undefined) break;
    held.push(reservation);
    used += request.shape.memory;
  }
  const start = process.threadCpuUsage();
  let done = 0;
  for (let pair = 0; pair < pairs; pair++) {
    const place = Math.floor(random() * held.length);
    index.release(held[place]!);
    const next = index.reserve(workload.queue[at++ % workload.queue.length]!);
    if (next === undefined) held.splice(place, 1);
    else held[place] = next;
    done++;
  }
  return perSecond(done, start);
}

/** Placements a second of a peer on the same queue; at most `limit` of them, they are slower. */
export function peerRate(workload: Workload, limit: number, choose: (peer: Peer, shape: TaskShape) => number): number {
  const peer = new Peer(workload.instances, seededRandom(5));
  const start = process.threadCpuUsage();
  let placed = 0;
  for (const { shape } of workload.queue.slice(0, limit)) {
    const slot = choose(peer, shape);
    if (slot === -1) break;
    peer.take(slot, shape);
    placed++;
  }
  return perSecond(placed, start);
}

/**
 * Microseconds of single decisions. Each round one in a hundred instances changes (a task comes, another goes), then every
 * class decides once: each has that many changes to take in.
 */
export function decisionTimes(workload: Workload, rounds: number): readonly number[] {
  const index = makeIndex(workload);
  const random = seededRandom(6);
  const classes = [...new Set(workload.queue)];
  for (const request of workload.queue.slice(0, workload.instances.length * 2)) index.reserve(request);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let change = workload.instances.length / 100; change > 0; change--) {
      const { id } = workload.instances[Math.floor(random() * workload.instances.length)]!;
      const { group, shape } = classes[Math.floor(random() * classes.length)]!;
      index.addTask({ id: `change-${change}`, instanceId: id, group, shape });
    }
    for (const request of classes) {
      const start = performance.now();
      index.place(request);
      times.push((performance.now() - start) * 1000);
    }
  }
  // The first rounds are the warm-up.
  return times.slice(times.length / 5);
}

/** MiB the index holds for the instances and for the classes of the queue, each used. */
export function memoryHeld(workload: Workload, collect: () => void): number {
  const used = (): number => {
    // What buffers held is given back beside the collection that finds them: what was let go of before must be gone, or less than nothing is held.
    for (let least = Infinity; ;) {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      if (heapUsed + arrayBuffers >= least) return least;
      least = heapUsed + arrayBuffers;
    }
  };
  const before = used();
  const index = makeIndex({ ...workload, instances: workload.instances.map((instance) => ({ ...instance })) });
  for (const request of new Set(workload.queue)) {
    for (let times = 0; times < 2; times++) index.place(request);
  }
  const after = used();
  index.place(workload.queue[0]!);
  return (after - before) / 2 ** 20;
}

/** Nomad's bin-packing score as a plug-in: a score that no order of the instances serves. */
export const nomadPlugin: Strategy = {
  type: 'bench:nomad',
  open: ({ shape }) => ({
    reads: { kind: 'instance' },
    score: (candidate) =>
      nomadScore(
        (candidate.freeCpu - shape.cpu) / candidate.totalCpu,
        (candidate.freeMemory - shape.memory) / candidate.totalMemory,
      ),
  }),
};

export interface Churn {
  readonly placed: number;
  readonly rebalanced: number;
  readonly nomadTwo: number;
}

/** Instances in use over the lower bound at 30 % load, in the mean over the second half: what an autoscaled cluster pays. */
export function churn(instances: number, hours: number): Churn {
  const hosts = makeInstances(instances).map((instance) => ({ ...instance, cpu: 16_384, memory: 65_536 }));
  const duration = hours * 3600;
  const workload = generateMix({
    seed: 1,
    tasks: Math.round(instances * 4.7),
    lifetime: 6 * 3600,
    duration,
    services: instances * 3,
  });
  const common = { instances: hosts, workload, seed: 1, duration };
  const strategies: readonly StrategySpec[] = [{ type: 'slipway:best-fit' }];
  const peer = new Peer(hosts, seededRandom(7));
  const slots = new Map(hosts.map(({ id }, slot) => [id, slot]));
  let seen = '0.0';
  const sample = (index: PlacementIndex, request: PlacementRequest): string | undefined => {
    // The peer sees the cluster as it is: departures are read back from the index.
    for (const id of index.changesSince(seen) ?? []) {
      const spec = index.free(id);
      const slot = slots.get(id)!;
      peer.cpu[slot] = spec?.cpu ?? 0;
      peer.memory[slot] = spec?.memory ?? 0;
    }
    seen = index.version;
    const slot = peer.nomad(request.shape, 2);
    return slot === -1 ? undefined : hosts[slot]!.id;
  };
  const ratio = ({ samples }: SimulationResult): number => {
    const half = samples.slice(samples.length / 2);
    const sum = (of: 'inUse' | 'lowerBound'): number => half.reduce((total, each) => total + each[of], 0);
    return sum('inUse') / sum('lowerBound');
  };
  return {
    placed: ratio(simulate({ ...common, strategies })),
    rebalanced: ratio(simulate({ ...common, strategies, rebalance: { every: 3600, sharePerHour: 0.01 } })),
    nomadTwo: ratio(simulate({ ...common, strategies, decide: sample })),
  };
}

/** By the CPU time of this thread: on a machine that does other things as well, the clock would measure those too. */
function perSecond(count: number, start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start);
  return (count / (user + system)) * 1e6;
}
