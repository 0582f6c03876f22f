/** `slipway placement explain`: where a task would go, or what keeps it from every instance. */
import {
  ClusterQueryError,
  PlacementError,
  type PlacementExplanation,
  type PlacementRequest,
  restorePlacementIndex,
  type TaskShape,
} from '@slipway/scheduler/placement';
import type { Command } from 'commander';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { ecsClient } from '../cli/aws-client.ts';
import { CliError } from '../cli/errors.ts';
import { parseOutput, print, printJson, table } from '../cli/output.ts';
import { readCluster, readDefinition, readService, requestFor } from './cluster-snapshot.ts';
import { collect, parseConstraint, parseCount, parseStrategy } from './options.ts';

interface Options {
  readonly cluster: string;
  readonly service?: string;
  readonly taskDefinition?: string;
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly port?: readonly string[];
  readonly group?: string;
  readonly constraint?: readonly string[];
  readonly strategy?: readonly string[];
  readonly output: string;
}

/** Adds `placement explain` to the program. */
export function register(program: Command): void {
  const placement = program.command('placement').description('questions about placement');
  placement
    .command('explain')
    .description('say where a task would be placed now, or how many instances each resource and constraint rules out')
    .option('--cluster <name>', 'cluster to look at (AWS_* variables say where and who)', 'default')
    .option('--service <name>', 'one more task of this service')
    .option('--task-definition <family[:revision]>', 'a standalone task of this task definition')
    .option('--cpu <units>', 'a hypothetical task: CPU units', parseCount('--cpu'), 0)
    .option('--memory <MiB>', 'a hypothetical task: memory', parseCount('--memory'), 0)
    .option('--gpus <count>', 'a hypothetical task: GPUs', parseCount('--gpus'), 0)
    .option('--port <number>', 'a hypothetical task: static TCP host port; may be given several times', collect)
    .option('--group <name>', 'task group, for spread and distinctInstance')
    .option('--constraint <expression>', 'distinctInstance, or a cluster query; may be given several times', collect)
    .option('--strategy <type[=field]>', 'placement strategy, in order; may be given several times', collect)
    .option('--output <format>', 'text or json', 'text')
    .action(explain);
}

async function explain(options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const request = await requestOf(client, options);
  const snapshot = await readCluster(client, options.cluster);
  const index = restorePlacementIndex(snapshot.placement, { seed: 0 });
  let explanation: PlacementExplanation;
  try {
    explanation = index.explain(request);
  } catch (cause) {
    if (cause instanceof ClusterQueryError) throw new CliError(`${cause.message}\n${cause.pointer}`, 2);
    if (cause instanceof PlacementError) throw new CliError(cause.message, 2);
    throw cause;
  }
  if (output === 'json') printJson({ request, ...explanation });
  else printExplanation(request, explanation);
}

function printExplanation({ shape, group }: PlacementRequest, explanation: PlacementExplanation): void {
  const { choice, feasible, instances, strategies, unplaceable, causes } = explanation;
  print(`a task of ${group}: ${shape.cpu} CPU units, ${shape.memory} MiB, ${shape.gpus} GPUs`);
  if (unplaceable !== undefined) {
    print(`cannot be placed: ${unplaceable.code}`);
    print(unplaceable.message);
  } else {
    print(
      `can be placed on ${feasible} of ${instances} instances, chosen by ${strategies.join(', ') || 'order of arrival'}`,
    );
    print(choice === undefined ? 'one of them is drawn' : `goes to ${choice}`);
  }
  if (causes.length === 0) return;
  print();
  print(
    table(
      ['RULED OUT', 'BY', 'BECAUSE THE INSTANCE'],
      causes.map(({ code, detail, instances: count }) => [`${count} of ${instances}`, code, detail]),
    ),
  );
}

async function requestOf(client: ECSClient, options: Options): Promise<PlacementRequest> {
  const { cluster, service: serviceName, taskDefinition } = options;
  const constraints = (options.constraint ?? []).map(parseConstraint);
  const strategies = (options.strategy ?? []).map(parseStrategy);
  if (serviceName === undefined && taskDefinition === undefined) {
    const group = options.group ?? 'hypothetical';
    return { group, shape: shapeFrom(options), constraints, strategies, kind: 'standalone' };
  }
  const service = serviceName === undefined ? undefined : await readService(client, cluster, serviceName);
  if (serviceName !== undefined && service === undefined) {
    throw new CliError(`there is no service ${serviceName} in the cluster ${cluster}`);
  }
  const definition = await readDefinition(client, taskDefinition ?? service?.taskDefinition ?? '');
  const group = options.group ?? (service === undefined ? `family:${definition.family}` : `service:${serviceName}`);
  const request = requestFor(group, definition, service);
  if (request === undefined) {
    throw new CliError(`${serviceName} is a DAEMON service: it runs on every instance that meets its constraints`);
  }
  return {
    ...request,
    constraints: [...request.constraints, ...constraints],
    strategies: strategies.length === 0 ? request.strategies : strategies,
  };
}

function shapeFrom({ cpu, memory, gpus, port = [] }: Options): TaskShape {
  return { cpu, memory, gpus, tcpPorts: port.map(parseCount('--port')), udpPorts: [], requires: [] };
}
