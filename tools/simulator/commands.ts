/** `slipway simulate`: capacity questions about the user's own cluster, or about a workload. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { StrategySpec } from '@slipway/scheduler/placement';
import type { Command } from 'commander';
import { ecsClient } from '../cli/aws-client.ts';
import { CliError } from '../cli/errors.ts';
import { parseOutput, print, printJson, table } from '../cli/output.ts';
import { type InstanceType, loseZone, needed, savings, typesOf, usage, zonesOf } from './capacity.ts';
import { type Chart, renderChart } from './chart.ts';
import { readCluster } from './cluster-snapshot.ts';
import { fewestInstances, type FleetQuestion, play, playWithoutZone } from './fleet.ts';
import { type RehearsalCommand, rehearsalCommand, rehearsalHelp, snapshotCommand } from './rehearsal/command.ts';
import { badImages, scenarios } from './rehearsal/scenarios.ts';
import { collect, parseCount, parseInstanceType, parseStrategy } from './options.ts';
import type { SimulationResult } from './simulation.ts';
import { generateMix, parseWorkload, WorkloadError, type WorkloadTask } from './workload.ts';

interface Options extends Omit<RehearsalCommand, 'within'> {
  readonly controlPlane?: boolean;
  readonly minutes: number;
  readonly trace?: string;
  readonly mix?: number;
  readonly hours: number;
  readonly instanceType?: readonly string[];
  readonly zones: number;
  readonly strategy?: readonly string[];
  readonly moves: number;
  readonly chart?: string;
}

/** Adds `simulate` to the program. */
export function register(program: Command): void {
  const simulate = program
    .command('simulate')
    .description(
      'say how many instances of which type a cluster or a workload needs, what fails if a zone is lost, and what moving tasks would save; ' +
        'with --control-plane, play a bad day of the whole cluster in virtual time',
    )
    .option('--cluster <name>', 'cluster to look at (AWS_* variables say where and who)', 'default')
    .option('--trace <file>', 'a workload instead: CSV of arrivals and departures, or one of the Alibaba traces')
    .option('--mix <tasks>', 'a made-up workload instead: services with so many tasks in the mean', parseCount('--mix'))
    .option('--hours <hours>', 'how long the made-up workload lasts', parseCount('--hours'), 24)
    .option('--instance-type <name=vCPU,MiB[,GPUs]>', 'a type to try; may be given several times', collect)
    .option('--zones <count>', 'availability zones of a workload', parseCount('--zones'), 3)
    .option(
      '--strategy <type[=field]>',
      'placement strategy of a workload, in order; may be given several times',
      collect,
    )
    .option(
      '--moves <count>',
      'tasks the rebalancer may move (of a workload: percent of the tasks an hour)',
      parseCount('--moves'),
      0,
    )
    .option('--seed <number>', 'seed of everything that is drawn', parseCount('--seed'), 1)
    .option('--chart <file>', 'write the chart, as SVG')
    .option('--control-plane', 'play a scenario with the real control plane and agents')
    .option(
      '--snapshot <file>',
      'with --control-plane: what slipway simulate snapshot wrote, or - (default: asks the cluster)',
    )
    .option('--scenario <name>', `with --control-plane: ${Object.keys(scenarios).join(', ')}`, 'zone-lost')
    .option('--zone <name>', 'the zone that is lost (default: the one with the most tasks)')
    .option('--host <id>', 'the container instance that is lost or drained (default: the one with the most tasks)')
    .option('--service <name>', 'the service whose image is pushed (default: the one with the most tasks)')
    .option('--image <kind>', `how the pushed image is bad: ${Object.keys(badImages).join(', ')}`, 'exits')
    .option('--lasts <minutes>', 'when what is lost comes back (default: 15, of redis-gone 1)', parseCount('--lasts'))
    .option('--minutes <count>', 'how long to look on after that, at most', parseCount('--minutes'), 30)
    .option('--servers <count>', 'servers of the installation', parseCount('--servers'), 3)
    .option('--svg <file>', 'with --control-plane: write the picture')
    .option('--output <format>', 'text or json', 'text')
    .addHelpText('after', rehearsalHelp)
    .action(async (options: Options, command: Command) => {
      refuseUnused(options, command);
      if (options.controlPlane === true) await rehearsalCommand({ ...options, within: options.minutes });
      else if (options.trace === undefined && options.mix === undefined) await ofCluster(options);
      else ofWorkload(options);
    });
  simulate
    .command('snapshot')
    .description(
      'print a snapshot of a cluster for --control-plane: what List* and Describe* tell, without anything secret',
    )
    .action(async (_, command: Command) => snapshotCommand(command.optsWithGlobals<Options>()));
}

/** Options that mean something only with `--control-plane`, and those that mean nothing with it. */
const played = [
  'snapshot',
  'scenario',
  'zone',
  'host',
  'service',
  'image',
  'lasts',
  'minutes',
  'servers',
  'svg',
] as const;
const counted = ['trace', 'mix', 'hours', 'instanceType', 'zones', 'strategy', 'moves', 'chart'] as const;

/** @throws CliError for an option that would not be acted on */
function refuseUnused(options: Options, command: Command): void {
  const given = (names: readonly string[]): string | undefined =>
    names.find((name) => command.getOptionValueSource(name) === 'cli');
  const playing = options.controlPlane === true;
  const unused = given(playing ? counted : played);
  if (unused === undefined) return;
  const flag = command.options.find((option) => option.attributeName() === unused)?.long ?? unused;
  throw new CliError(`${flag} means nothing ${playing ? 'with' : 'without'} --control-plane`, 2);
}

async function ofCluster(options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const asked = options.instanceType?.map(parseInstanceType);
  const snapshot = await readCluster(ecsClient(), options.cluster);
  const { instances, tasks } = snapshot.placement;
  if (instances.length === 0) {
    throw new CliError(
      `the cluster ${options.cluster} has no container instances; try --mix or --trace for a workload`,
    );
  }
  const types = asked ?? typesOf(instances);
  const zones = zonesOf(instances);
  const report = {
    cluster: options.cluster,
    instances: instances.length,
    tasks: tasks.length,
    types: usage(snapshot),
    needed: types.map((type) => needed(snapshot, type, zones)),
    zones: zones.map((zone) => loseZone(snapshot, zone)),
    rebalancer: savings(snapshot, options.moves === 0 ? Math.ceil(tasks.length / 10) : options.moves),
  };
  if (options.chart !== undefined) writeFileSync(options.chart, renderChart(usageChart(report.types)));
  if (output === 'json') {
    printJson(report);
    return;
  }
  print(`cluster ${options.cluster}: ${instances.length} instances, ${tasks.length} tasks`);
  print();
  print(
    table(
      ['INSTANCE TYPE', 'INSTANCES', 'IN USE', 'CPU', 'MEMORY'],
      report.types.map(({ type, instances: count, inUse, cpu, memory }) => [
        type,
        `${count}`,
        `${inUse}`,
        percent(cpu),
        percent(memory),
      ]),
    ),
  );
  print();
  print(
    table(
      ['ALL TASKS ON', 'INSTANCES NEEDED', 'NEVER FEWER THAN', 'WHY NOT'],
      report.needed.map(({ type, instances: count, lowerBound, unplaceable }) => [
        type,
        count === undefined ? 'impossible' : `${count}`,
        `${lowerBound}`,
        unplaceable ?? '',
      ]),
    ),
  );
  print();
  print(
    table(
      ['ZONE LOST', 'INSTANCES', 'TASKS', 'FIND NO ROOM'],
      report.zones.map(({ zone, instancesLost, tasksLost, unplaced }) => [
        zone || '(no zone)',
        `${instancesLost}`,
        `${tasksLost}`,
        unplaced.map(({ group, tasks: count }) => `${group}: ${count}`).join(', ') || 'none',
      ]),
    ),
  );
  for (const { group, reason } of report.zones.flatMap(({ unplaced }) => unplaced)) print(`  ${group}: ${reason}`);
  print();
  const { moves, freed, inUseBefore, inUseAfter } = report.rebalancer;
  print(`rebalancer: ${moves} moves free ${freed.length} instances (${inUseBefore} in use, then ${inUseAfter})`);
}

interface TypeReport {
  readonly type: string;
  readonly instances: number | undefined;
  readonly meanInUse: number;
  readonly lowerBound: number;
  readonly withRebalancer: number;
  readonly moves: number;
  readonly waitWithoutZone: number;
}

function ofWorkload(options: Options): void {
  const output = parseOutput(options.output);
  const workload = workloadOf(options);
  const types = (options.instanceType ?? ['16 vCPU, 64 GiB=16,65536']).map(parseInstanceType);
  const zones = Array.from({ length: Math.max(1, options.zones) }, (_, zone) => `zone-${zone + 1}`);
  const strategies: readonly StrategySpec[] = options.strategy?.map(parseStrategy) ?? [{ type: 'slipway:best-fit' }];
  const reports: TypeReport[] = [];
  let chart: Chart | undefined;
  for (const type of types) {
    const question: FleetQuestion = { workload, type, zones, strategies, seed: options.seed };
    const { report, played, moved } = answer(question, options.moves);
    reports.push(report);
    if (played !== undefined) chart ??= timeChart(type, played, moved);
  }
  if (options.chart !== undefined && chart !== undefined) writeFileSync(options.chart, renderChart(chart));
  if (output === 'json') {
    printJson({ tasks: workload.length, types: reports });
    return;
  }
  print(`${workload.length} tasks, ${zones.length} zones, strategies ${strategies.map(({ type }) => type).join(', ')}`);
  print();
  print(
    table(
      [
        'INSTANCE TYPE',
        'INSTANCES NEEDED',
        'IN USE (MEAN)',
        'NEVER FEWER THAN (MEAN)',
        'WITH REBALANCER',
        'MOVES',
        'TASKS THAT WAIT IF A ZONE IS LOST',
      ],
      reports.map((report) =>
        report.instances === undefined
          ? [report.type, 'impossible: a task is larger than the type', '', '', '', '', '']
          : [
              report.type,
              `${report.instances}`,
              report.meanInUse.toFixed(1),
              report.lowerBound.toFixed(1),
              report.withRebalancer.toFixed(1),
              `${report.moves}`,
              `${report.waitWithoutZone}`,
            ],
      ),
    ),
  );
}

function answer(
  question: FleetQuestion,
  percentAnHour: number,
): { report: TypeReport; played?: SimulationResult; moved?: SimulationResult } {
  const { type, zones } = question;
  const instances = fewestInstances(question);
  const nothing = { meanInUse: 0, lowerBound: 0, withRebalancer: 0, moves: 0, waitWithoutZone: 0 };
  if (instances === undefined) return { report: { type: type.name, instances, ...nothing } };
  const played = play(question, instances);
  const moved = play(question, instances, {
    every: 3600,
    sharePerHour: (percentAnHour === 0 ? 1 : percentAnHour) / 100,
  });
  return {
    report: {
      type: type.name,
      instances,
      meanInUse: played.meanInUse,
      lowerBound: played.meanLowerBound,
      withRebalancer: moved.meanInUse,
      moves: moved.moves,
      waitWithoutZone: playWithoutZone(question, instances, zones[0]!).delayed,
    },
    played,
    moved,
  };
}

function workloadOf({ trace, mix, hours, seed }: Options): readonly WorkloadTask[] {
  if (trace === undefined)
    return generateMix({ seed, tasks: Math.max(1, mix ?? 1), lifetime: 6 * 3600, duration: hours * 3600 });
  let text: string;
  try {
    text = readFileSync(trace, 'utf8');
  } catch (cause) {
    throw new CliError(`cannot read ${trace}: ${(cause as Error).message}`);
  }
  try {
    const workload = parseWorkload(text);
    if (workload.length === 0) throw new CliError(`${trace} has no tasks`);
    return workload;
  } catch (cause) {
    if (cause instanceof WorkloadError) throw new CliError(`${trace}, ${cause.message}`);
    throw cause;
  }
}

function timeChart(type: InstanceType, played: SimulationResult, moved: SimulationResult | undefined): Chart {
  const line = (result: SimulationResult, of: 'inUse' | 'lowerBound'): readonly (readonly [number, number])[] =>
    result.samples.map((sample) => [sample.time / 3600, sample[of]] as const);
  return {
    title: `Instances in use: ${type.name}`,
    xLabel: 'hours',
    yLabel: 'instances',
    series: [
      { name: 'as placed', color: '#0969da', points: line(played, 'inUse') },
      ...(moved === undefined ? [] : [{ name: 'with rebalancer', color: '#1a7f37', points: line(moved, 'inUse') }]),
      { name: 'never fewer than', color: '#8c959f', points: line(played, 'lowerBound') },
    ],
  };
}

function usageChart(types: ReturnType<typeof usage>): Chart {
  const line = (of: 'cpu' | 'memory'): readonly (readonly [number, number])[] =>
    types.map((type, index) => [index + 1, type[of] * 100] as const);
  return {
    title: 'Share of CPU and memory reserved, by instance type',
    xLabel: types.map(({ type }, index) => `${index + 1}: ${type}`).join(', '),
    yLabel: 'percent',
    series: [
      { name: 'CPU', color: '#0969da', points: line('cpu') },
      { name: 'memory', color: '#1a7f37', points: line('memory') },
    ],
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
