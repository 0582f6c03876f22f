/**
 * `npm run bench:placement [-- --json FILE] [-- --short]`: the speed and the quality of placement, single thread, medians
 * of runs, beside a plain scan and sampling schedulers on the same data in the same run.
 */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { StrategySpec } from '@slipway/scheduler/placement';
import { durableRate } from './placement-durable.ts';
import {
  batchRate,
  churn,
  decisionTimes,
  makeInstances,
  makeQueue,
  makeShapes,
  memoryHeld,
  nomadPlugin,
  peerRate,
  steadyRate,
  taskRate,
  type Workload,
} from './placement-rows.ts';
import { median, quantile, type Row, short, writeSection } from './results.ts';

/** How much is measured: `full` for the record, `short` to see that it runs. */
export interface Size {
  readonly instances: number;
  readonly large: number;
  readonly runs: number;
  readonly churnInstances: number;
  readonly churnHours: number;
}

export const full: Size = { instances: 10_000, large: 100_000, runs: 5, churnInstances: 2000, churnHours: 30 };
export const shortened: Size = { instances: 300, large: 600, runs: 1, churnInstances: 60, churnHours: 6 };

/** One figure of the table, as numbers. */
export interface Measured {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  /** The plain scan on the same data, where there is one. */
  readonly scan?: number;
  /** Sampling in the styles of Nomad and Kubernetes, where it answers the same question. */
  readonly sampling?: Readonly<Record<string, number>>;
  readonly goal: number;
  /** Whether less is better. */
  readonly less: boolean;
}

const memory: StrategySpec = { type: 'binpack', field: 'memory' };
const zonesThenPack: readonly StrategySpec[] = [
  { type: 'spread', field: 'attribute:ecs.availability-zone' },
  { type: 'spread', field: 'instanceId' },
  memory,
];
const fiveAttributes =
  'attribute:ecs.cpu-architecture == x86_64 and attribute:stack in [stack-0, stack-1, stack-2] and attribute:disk != hdd and attribute:rack =~ r[0-9]+ and attribute:ecs.capability.task-eni exists';

setFlagsFromString('--expose-gc');
/** Collects garbage, to see what is held. */
const collect = runInNewContext('gc') as () => void;

/** Runs every measurement. */
export async function measure(size: Size): Promise<readonly Measured[]> {
  const rows = [...speed(size.instances, size, 1)];
  rows.push(...latencyAndMemory(size));
  rows.push(...speed(size.large, { ...size, runs: Math.min(3, size.runs) }, 3));
  rows.push(...(await durable(size)));
  rows.push(...quality(size));
  return rows;
}

/** The rates on one number of instances; the goals are divided by `slack`. */
function speed(count: number, { runs }: Size, slack: number): readonly Measured[] {
  const instances = makeInstances(count);
  const tasks = count * 16;
  const repeat = (run: () => number): number => median(Array.from({ length: runs + 1 }, run).slice(1));
  const name = (what: string): string => `${what}, ${count.toLocaleString('en-US')} instances`;
  const pack: Workload = { instances, queue: makeQueue(40, tasks, [memory]) };
  const scored: Workload = {
    instances,
    queue: makeQueue(200, Math.min(tasks, 320_000), [{ type: 'bench:nomad' }], undefined, makeShapes(200)),
    strategies: [nomadPlugin],
  };
  const deep = (services: number, each: number): Workload => ({
    instances,
    queue: makeQueue(services, services * each, zonesThenPack),
  });
  // Peers are slow: a few thousand decisions on a large cluster are enough.
  const some = Math.max(200, Math.floor(2e8 / count));
  const scan = repeat(() => peerRate(pack, some, (peer, shape) => peer.scan(shape)));
  const sampling = {
    'Nomad 2': repeat(() => peerRate(pack, some * 10, (peer, shape) => peer.nomad(shape, 2))),
    'Nomad log2 n': repeat(() => peerRate(pack, some, (peer, shape) => peer.nomad(shape, Math.ceil(Math.log2(count))))),
    'Kubernetes %': repeat(() => peerRate(pack, some / 2, (peer, shape) => peer.kubernetes(shape))),
  };
  const rate = { unit: '/s', less: false };
  return [
    {
      ...rate,
      what: name('binpack batch, 40 shapes interleaved'),
      ours: repeat(() => batchRate(pack)),
      scan,
      sampling,
      goal: 1.5e6 / slack,
    },
    {
      ...rate,
      what: name('the same through place and addTask by task id'),
      ours: repeat(() => taskRate(pack)),
      scan,
      goal: 0,
    },
    {
      ...rate,
      what: name('steady state at 85 % full, release and place'),
      ours: repeat(() => steadyRate(pack, tasks)),
      scan,
      goal: 7e5 / slack,
    },
    {
      ...rate,
      what: name('200 live classes interleaved, any per-node score (a plug-in)'),
      ours: repeat(() => batchRate(scored)),
      scan: repeat(() => peerRate(scored, some / 20, (peer, shape) => peer.scanByScore(shape))),
      goal: 1.5e5 / slack,
    },
    {
      ...rate,
      what: name('spread zone, instance, binpack: 100 services x 1,000 tasks'),
      ours: repeat(() => batchRate(deep(100, count / 10))),
      scan,
      goal: 5e5 / slack,
    },
    {
      ...rate,
      what: name('spread zone, instance, binpack: 10 services x 10,000 tasks'),
      ours: repeat(() => batchRate(deep(10, count))),
      scan,
      goal: 2e5 / slack,
    },
    {
      ...rate,
      what: name('memberOf on 5 attributes, binpack'),
      ours: repeat(() => batchRate({ instances, queue: makeQueue(40, tasks, [memory], fiveAttributes) })),
      scan,
      goal: 1e6 / slack,
    },
  ];
}

function latencyAndMemory({ instances: count, runs }: Size): readonly Measured[] {
  const instances = makeInstances(count);
  const queue = makeQueue(40, count * 4, [{ type: 'slipway:best-fit' }]);
  const times = decisionTimes({ instances, queue }, runs * 60);
  return [
    {
      what: 'p99 of a decision after 1 % of instances changed',
      unit: 'µs',
      ours: quantile(times, 0.99),
      goal: 50,
      less: true,
    },
    {
      what: `memory of ${count.toLocaleString('en-US')} instances with 40 classes`,
      unit: 'MiB',
      ours: memoryHeld({ instances, queue }, collect),
      goal: 32,
      less: true,
    },
  ];
}

/** Left out where there is no redis-server. */
async function durable({ instances: count, runs }: Size): Promise<readonly Measured[]> {
  const workload: Workload = { instances: makeInstances(count), queue: makeQueue(40, count * 8, [memory]) };
  const rates: number[] = [];
  for (let run = 0; run < runs; run++) {
    const rate = await durableRate(workload, 3000);
    if (rate === undefined) return [];
    rates.push(rate);
  }
  const what = 'durable, through Redis with appendfsync always, 3,000 to a commit, version checks per instance';
  return [{ what, unit: '/s', ours: median(rates), goal: 1e5, less: false }];
}

function quality({ churnInstances, churnHours }: Size): readonly Measured[] {
  const { placed, rebalanced, nomadTwo } = churn(churnInstances, churnHours);
  const sampling = { 'Nomad 2': nomadTwo };
  const ratio = { unit: 'x', less: true, sampling };
  return [
    {
      ...ratio,
      what: 'churn at 30 % load: instances in use over the lower bound, as placed',
      ours: placed,
      goal: 1.16,
    },
    { ...ratio, what: 'the same, rebalancer moving at most 1 % of tasks an hour', ours: rebalanced, goal: 1.05 },
  ];
}

export function toRow({ what, unit, ours, scan, sampling, goal, less }: Measured): Row {
  const peers = Object.entries({ ...(scan === undefined ? {} : { scan }), ...sampling });
  const met = less ? ours <= goal : ours >= goal;
  return {
    what,
    ours: `${short(ours)} ${unit}`,
    peer: peers.length === 0 ? '' : peers.map(([name, value]) => `${name} ${short(value)} ${unit}`).join('; '),
    ratio:
      peers.length === 0 ? '' : peers.map(([, value]) => `${short(less ? value / ours : ours / value)}x`).join('; '),
    goal: goal === 0 ? '' : `${less ? 'at most' : 'at least'} ${short(goal)} ${unit}: ${met ? 'met' : 'missed'}`,
  };
}

if (import.meta.main) {
  const short = process.argv.includes('--short');
  const json = process.argv.indexOf('--json');
  const measured = await measure(short ? shortened : full);
  const rows = measured.map(toRow);
  for (const row of rows) process.stdout.write(`${row.what}: ${row.ours} (${row.goal}) ${row.peer}\n`);
  if (json !== -1) writeFileSync(process.argv[json + 1]!, `${JSON.stringify(measured, undefined, 2)}\n`);
  if (!short) {
    writeSection({
      name: 'placement',
      title: 'Placement',
      command: 'npm run bench:placement',
      notes: [
        'Single thread, median of 5 runs (3 on 100,000 instances) after one to warm up, in memory, by the CPU time of the thread (the machine does other work as well); latency and durable rate by the clock. A placement is a decision and its room taken.',
        'Peers on the same instances and tasks in the same run: a plain scan over typed arrays (exact), and sampling in the style of Nomad (2 and log2 n feasible instances) and of Kubernetes (a percentage of the nodes). They are sketches of the methods, not the products, and keep no attributes, ports or counts.',
        '"200 live classes" are 200 different shapes scored by a plug-in (Nomad\'s 10^free); the scan beside it uses the same score.',
        'Churn: 2,000 instances of 16 vCPU and 64 GiB, services of 0.25 to 4 vCPU, tasks that live 6 hours in the mean, `slipway:best-fit`, hours 15 to 30; the bound is the larger of CPU and memory in use.',
      ],
      rows,
    });
  }
}
