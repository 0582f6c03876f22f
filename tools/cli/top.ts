import { setTimeout as sleep } from 'node:timers/promises';
import type { ECSClient, Service } from '@aws-sdk/client-ecs';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { servicesIn } from './contents.ts';
import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { clearTerminal, parseOutput, print, printJson, table } from './output.ts';

export interface TopOptions {
  readonly cluster: string;
  readonly minutes: string;
  readonly watch?: true;
  readonly output: string;
}

/** A minute of a metric, as CloudWatch answers. Seconds since the epoch. */
interface Datapoint {
  readonly Timestamp: number;
  readonly Average?: number;
  readonly Maximum?: number;
  readonly Sum?: number;
  readonly SampleCount?: number;
}

interface Share {
  readonly average: number;
  readonly maximum: number;
}

/** What a service used in a minute. */
export interface MinuteOfService {
  /** When the minute began. */
  readonly time: string;
  /** Tasks that reported. */
  readonly tasks: number;
  /** Percent of what tasks reserve. */
  readonly cpu?: Share;
  readonly memory?: Share;
  /** Of each healthy task. */
  readonly requests?: number;
}

interface Line extends Partial<MinuteOfService> {
  readonly service: string;
  readonly running: number;
  readonly desired: number;
}

/** Services in one table, and how many of them are asked for at once. */
const most = 100;
const together = 10;
/** Milliseconds between looks. */
const pace = 10_000;
const minute = 60_000;
/** A minute is told once it is over: the newest one may be the one before the last. */
const recent = 4;

/** `slipway top`: what services use, as CloudWatch has it. */
export async function top(name: string | undefined, options: TopOptions): Promise<void> {
  const output = parseOutput(options.output);
  const minutes = Number(options.minutes);
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 1_440)
    throw new CliError('--minutes is a number from 1 to 1440', 2);
  const client = ecsClient();
  for (;;) {
    const shown =
      name === undefined ? await ofCluster(client, options.cluster) : await ofService(client, name, minutes);
    if (options.watch && output === 'text') clearTerminal();
    if (output === 'json') printJson(shown.value);
    else print(shown.text);
    if (!options.watch) return;
    await sleep(pace);
  }
}

interface Shown {
  readonly value: unknown;
  readonly text: string;
}

async function ofCluster(client: ECSClient, cluster: string): Promise<Shown> {
  const { found, left } = await servicesIn(client, cluster, { most });
  const lines: Line[] = [];
  for (let from = 0; from < found.length; from += together)
    lines.push(
      ...(await Promise.all(
        found.slice(from, from + together).map(async (service) => ({
          service: service.serviceName ?? '',
          running: service.runningCount ?? 0,
          desired: service.desiredCount ?? 0,
          ...(await minutesOf(cluster, service, recent)).at(-1),
        })),
      )),
    );
  lines.sort((a, b) => (b.cpu?.average ?? -1) - (a.cpu?.average ?? -1) || (a.service < b.service ? -1 : 1));
  const rows = lines.map((line) => [line.service, `${line.running}/${line.desired}`, ...cells(line)]);
  const more = left > 0 ? `\n${left} more services are not shown.` : '';
  const text =
    rows.length === 0 ? `no services in the cluster ${cluster}` : table(['SERVICE', 'TASKS', ...heads], rows);
  return { value: { services: lines }, text: `${text}${more}` };
}

async function ofService(client: ECSClient, name: string, count: number): Promise<Shown> {
  const { cluster, service } = parseService(name);
  const minutes = await minutesOf(cluster, await activeService(client, cluster, service), count);
  const rows = minutes.map((line) => [line.time.slice(11, 16), String(line.tasks), ...cells(line)]);
  return {
    value: { cluster, service, minutes },
    text: rows.length === 0 ? nothing : table(['MINUTE (UTC)', 'TASKS', ...heads], rows),
  };
}

const nothing = 'No task has reported yet: the first minute is told when it is over.';
const heads = ['CPU % (MAX)', 'MEMORY % (MAX)', 'REQUESTS PER TASK'];

const cells = ({ cpu, memory, requests }: Partial<MinuteOfService>): string[] => {
  const share = (of: Share | undefined): string =>
    of === undefined ? '' : `${of.average.toFixed(1)} (${of.maximum.toFixed(1)})`;
  return [share(cpu), share(memory), requests === undefined ? '' : String(Math.round(requests))];
};

async function minutesOf(cluster: string, service: Service, count: number): Promise<readonly MinuteOfService[]> {
  const now = Date.now();
  const ask = async (Namespace: string, MetricName: string, of: Readonly<Record<string, string>>) => {
    const { Datapoints = [] } = await callJson<{ Datapoints?: readonly Datapoint[] }>(
      'monitoring',
      'GetMetricStatistics',
      {
        Namespace,
        MetricName,
        Dimensions: Object.entries(of).map(([Name, Value]) => ({ Name, Value })),
        ...lastMinutes(now, count),
        Period: 60,
        Statistics: ['Average', 'Maximum', 'Sum', 'SampleCount'],
      },
    );
    return Datapoints;
  };
  const of = { ClusterName: cluster, ServiceName: service.serviceName ?? '' };
  const groups = (service.loadBalancers ?? []).flatMap(({ targetGroupArn }) => targetGroupArn ?? []);
  const [cpu, memory, ...requests] = await Promise.all([
    ask('AWS/ECS', 'CPUUtilization', of),
    ask('AWS/ECS', 'MemoryUtilization', of),
    ...groups.map((arn) =>
      ask('AWS/ApplicationELB', 'RequestCountPerTarget', { TargetGroup: arn.split(':').at(-1) ?? '' }),
    ),
  ]);
  return joined(cpu, memory, requests.flat());
}

/**
 * So many whole minutes that are over, in seconds since the epoch: a day of them is as many points as CloudWatch answers at once.
 * @param now milliseconds since the epoch
 */
export function lastMinutes(now: number, count: number): { readonly StartTime: number; readonly EndTime: number } {
  const EndTime = Math.floor(now / minute) * 60;
  return { StartTime: EndTime - count * 60, EndTime };
}

/** The minutes of a service, the oldest first; requests of several target groups are added up. */
export function joined(
  cpu: readonly Datapoint[],
  memory: readonly Datapoint[],
  requests: readonly Datapoint[],
): readonly MinuteOfService[] {
  const times = [...new Set([...cpu, ...memory, ...requests].map(({ Timestamp }) => Timestamp))].toSorted(
    (a, b) => a - b,
  );
  const at = (points: readonly Datapoint[], time: number): Datapoint | undefined =>
    points.find(({ Timestamp }) => Timestamp === time);
  const share = (name: 'cpu' | 'memory', point: Datapoint | undefined): { readonly [N in 'cpu' | 'memory']?: Share } =>
    point === undefined ? {} : { [name]: { average: point.Average ?? 0, maximum: point.Maximum ?? 0 } };
  return times.map((time) => {
    const asked = requests.filter(({ Timestamp }) => Timestamp === time);
    return {
      time: new Date(time * 1000).toISOString(),
      tasks: (at(memory, time) ?? at(cpu, time))?.SampleCount ?? 0,
      ...share('cpu', at(cpu, time)),
      ...share('memory', at(memory, time)),
      ...(asked.length === 0 ? {} : { requests: asked.reduce((sum, { Sum = 0 }) => sum + Sum, 0) }),
    };
  });
}
