import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { clusterKeys } from '@slipway/scheduler/state';
import { LargeCluster, type Size } from './large-cluster.ts';

/** What a cluster of a size costs. Times are processor time of the one thread in which all of it runs, milliseconds. */
export interface Measured {
  readonly size: Size;
  /** MiB that are held once every agent is connected: the servers with their views, the store with its rows, the fleet. */
  readonly memory: number;
  /** For each agent that connects. */
  readonly connect: number;
  /** For each minute of virtual time in which nothing happens. */
  readonly idleMinute: number;
  /** For each minute in which 1 % of the tasks end and are replaced. */
  readonly busyMinute: number;
  /** Of the store, for each task that is replaced in such a minute. */
  readonly written: { readonly commits: number; readonly rows: number; readonly bytes: number };
  /** From the moment at which another server leads until it has looked at every service. */
  readonly takeover: number;
  /** For each task that is started or stopped while one service of up to 2,000 tasks is rolled. */
  readonly roll: number;
  /** From the commit of a task to its message at the agent, work and waiting together, at the 99th percentile of busy minutes. */
  readonly message: number;
  /** The same while that one service is rolled, all of it at once. */
  readonly messageOfRoll: number;
}

/** Processor time of this thread, milliseconds. */
function spent(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** MiB that are held when all garbage is gone. */
function held(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

const minute = 60_000;

/** Builds a cluster and measures it. `minutes`: how long each of the steady states is played. */
export async function measureScale(size: Size, minutes = 1): Promise<Measured> {
  const before = held();
  const cluster = new LargeCluster(size);
  const cost = async (work: () => Promise<unknown>): Promise<number> => {
    const from = spent();
    await work();
    return spent() - from;
  };
  try {
    await cluster.seed();
    const connect = (await cost(() => cluster.begin())) / size.instances;
    const memory = held() - before;
    const idleMinute = (await cost(() => cluster.play(minutes * minute))) / minutes;
    const changes = Math.max(1, Math.round((size.tasks / 100) * minutes));
    const waits = watchMessages(cluster);
    const busyMinute = (await cost(() => change(cluster, changes, minutes))) / minutes;
    const message = percentile(waits);
    // Counting costs as much as what is counted: not while the processor time is taken.
    const written = countWrites(cluster);
    await change(cluster, changes, minutes);
    await cluster.until(() => cluster.quiet, minute);
    const takeover = await takeOver(cluster);
    // Whatever the change of the leader left behind is over before the next question.
    await cluster.play(5_000);
    const ofRoll = watchMessages(cluster);
    const roll = await rollLargest(cluster);
    const perChange = (count: number): number => count / changes;
    return {
      size,
      memory,
      connect,
      idleMinute,
      busyMinute,
      written: { commits: perChange(written.commits), rows: perChange(written.rows), bytes: perChange(written.bytes) },
      takeover,
      roll,
      message,
      messageOfRoll: percentile(ofRoll),
    };
  } finally {
    cluster.end();
  }
}

async function change(cluster: LargeCluster, changes: number, minutes: number): Promise<void> {
  for (let count = 0; count < changes; count++) {
    cluster.exitOne();
    await cluster.play((minutes * minute) / changes);
  }
}

function countWrites(cluster: LargeCluster): { commits: number; rows: number; bytes: number } {
  const written = { commits: 0, rows: 0, bytes: 0 };
  cluster.onCommit = ({ batch }) => {
    written.commits += 1;
    for (const { key, value } of batch.put ?? []) {
      written.rows += 1;
      written.bytes += key.length + JSON.stringify(value).length;
    }
  };
  return written;
}

/** How long each task that is placed from now on waits for its message to the agent. */
function watchMessages(cluster: LargeCluster): number[] {
  const now = (): number => spent() + cluster.time.monotonic();
  const committed = new Map<string, number>();
  const waits: number[] = [];
  cluster.onCommit = ({ batch }) => {
    for (const { key, value } of batch.put ?? []) {
      if (!key.startsWith(clusterKeys.tasks)) continue;
      const { lastStatus, version } = value as { lastStatus?: string; version?: number };
      if (lastStatus === 'PENDING' && version === 1) committed.set(key.slice(clusterKeys.tasks.length), now());
    }
  };
  cluster.fleet.onStart = (id) => {
    const at = committed.get(id);
    if (at !== undefined) waits.push(now() - at);
  };
  return waits;
}

function percentile(sample: readonly number[]): number {
  return sample.toSorted((a, b) => a - b)[Math.floor(sample.length * 0.99)] ?? Number.NaN;
}

/** Kills the leader; what the next one needs until it has looked at everything. */
async function takeOver(cluster: LargeCluster): Promise<number> {
  cluster.servers[0]!.kill();
  let sum = 0;
  for (let step = 0; step < 60_000; step++) {
    const from = spent();
    await cluster.play(1);
    if (cluster.waiting !== undefined) sum += spent() - from;
    if (cluster.waiting === 0) return sum;
  }
  throw new Error('nobody took over');
}

async function rollLargest(cluster: LargeCluster): Promise<number> {
  const tasks = cluster.largest;
  const reports = cluster.fleet.reports;
  const from = spent();
  const [service] = cluster.services;
  const update = { cluster: 'default', service, forceNewDeployment: true };
  const updated = cluster.servers[1]!.call('UpdateService', update, 'operator');
  await cluster.until(() => cluster.fleet.reports >= reports + 2 * tasks, 10 * minute);
  await updated;
  return (spent() - from) / (2 * tasks);
}
