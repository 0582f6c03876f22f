import { writeFileSync } from 'node:fs';
import { UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { forecastChart } from './forecast-chart.ts';
import { note, parseOutput, print, printJson } from './output.ts';
import { ApiError } from './query-api.ts';
import { type Bounds, call, list, type Scaled, scalingOf, shown, type Target, targetOf } from './scaling.ts';

export interface ScaleOptions {
  readonly min?: string;
  readonly max?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly off?: boolean;
  readonly svg?: string;
  readonly output: string;
}

const metrics = { cpu: 'ECSServiceAverageCPUUtilization', memory: 'ECSServiceAverageMemoryUtilization' } as const;

/** What a policy that this command puts is called; `aws application-autoscaling` may put others beside it. */
const policyName = (of: keyof typeof metrics): string => `slipway-${of}`;

/** `slipway scale`: sets the count of a service or lets it follow a metric, and shows how it is scaled. */
export async function scale(name: string, count: string | undefined, options: ScaleOptions): Promise<void> {
  const output = parseOutput(options.output);
  const wanted = {
    count: whole(count, 'the count'),
    min: whole(options.min, '--min'),
    max: whole(options.max, '--max'),
    cpu: percent(options.cpu, '--cpu'),
    memory: percent(options.memory, '--memory'),
  };
  const follows = [wanted.min, wanted.max, wanted.cpu, wanted.memory].some((value) => value !== undefined);
  if (options.off === true && (follows || wanted.count !== undefined))
    throw new CliError('--off goes with no other option: it removes bounds, policies and schedules', 2);
  const { cluster, service } = parseService(name);
  const client = ecsClient();
  await activeService(client, cluster, service);
  const target = targetOf(cluster, service);
  if (options.off === true) await unregister(target, `${cluster}/${service}`);
  if (follows) await register(target, wanted, `${cluster}/${service}`);
  if (wanted.count !== undefined)
    await client.send(new UpdateServiceCommand({ cluster, service, desiredCount: wanted.count }));
  const found = await scalingOf(cluster, service, await activeService(client, cluster, service));
  if (options.svg !== undefined) await writePicture(options.svg, found);
  if (output === 'json') printJson(found);
  else print(shown(found, Date.now()));
  const { bounds, desiredCount } = found;
  if (bounds !== undefined && (desiredCount < bounds.MinCapacity || desiredCount > bounds.MaxCapacity))
    note(
      `${desiredCount} is outside ${bounds.MinCapacity} to ${bounds.MaxCapacity}: the next policy or schedule that acts brings it back`,
    );
}

async function writePicture(file: string, scaled: Scaled): Promise<void> {
  const chart = forecastChart(scaled);
  if (chart === undefined)
    throw new CliError(
      `nothing is forecast of ${scaled.service} yet: it takes a predictive policy, and two days of history`,
    );
  const { renderChart } = await import('../simulator/chart.ts');
  try {
    writeFileSync(file, renderChart(chart));
  } catch (error) {
    throw new CliError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

async function register(
  target: Target,
  wanted: { readonly [K in 'min' | 'max' | keyof typeof metrics]: number | undefined },
  owner: string,
): Promise<void> {
  const { min: MinCapacity, max: MaxCapacity } = wanted;
  const known = (
    await list<Bounds>('DescribeScalableTargets', 'ScalableTargets', { ResourceIds: [target.ResourceId] })
  )[0];
  if (known === undefined && (MinCapacity === undefined || MaxCapacity === undefined))
    throw new CliError(`${owner} has no bounds yet: give --min and --max`, 2);
  if (MinCapacity !== undefined || MaxCapacity !== undefined)
    await call('RegisterScalableTarget', { ...target, MinCapacity, MaxCapacity });
  for (const metric of ['cpu', 'memory'] as const) {
    if (wanted[metric] === undefined) continue;
    await call('PutScalingPolicy', {
      ...target,
      PolicyName: policyName(metric),
      PolicyType: 'TargetTrackingScaling',
      TargetTrackingScalingPolicyConfiguration: {
        TargetValue: wanted[metric],
        PredefinedMetricSpecification: { PredefinedMetricType: metrics[metric] },
      },
    });
  }
}

async function unregister(target: Target, owner: string): Promise<void> {
  try {
    await call('DeregisterScalableTarget', target);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'ObjectNotFoundException')) throw error;
    note(`${owner} was not scaled by anything`);
  }
}

function whole(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new CliError(`${what} is a number of tasks, not '${text}'`, 2);
  return Number(text);
}

function percent(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,3}(?:\.\d+)?%?$/.test(text) ? Number(text.replace('%', '')) : 0;
  if (value <= 0) throw new CliError(`${what} is a part in percent, not '${text}'`, 2);
  return value;
}
