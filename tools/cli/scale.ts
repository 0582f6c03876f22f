import { UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { note, parseOutput, print, printJson, table } from './output.ts';
import { ApiError } from './query-api.ts';

export interface ScaleOptions {
  readonly min?: string;
  readonly max?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly off?: boolean;
  readonly output: string;
}

interface Bounds {
  readonly MinCapacity: number;
  readonly MaxCapacity: number;
}

interface Policy {
  readonly PolicyName: string;
  readonly PolicyType: string;
  readonly TargetTrackingScalingPolicyConfiguration?: {
    readonly TargetValue: number;
    readonly PredefinedMetricSpecification?: { readonly PredefinedMetricType: string };
    readonly CustomizedMetricSpecification?: { readonly MetricName: string };
  };
}

interface Action {
  readonly ScheduledActionName: string;
  readonly Schedule: string;
  readonly Timezone?: string;
  readonly ScalableTargetAction: Partial<Bounds>;
}

interface Activity {
  readonly StartTime: number;
  readonly Description: string;
  readonly Cause: string;
  readonly StatusCode: string;
}

/** How a service is scaled, as `--output json` prints it. */
export interface Scaled {
  readonly service: string;
  readonly desiredCount: number;
  readonly runningCount: number;
  readonly bounds?: Bounds;
  readonly policies: readonly Policy[];
  readonly actions: readonly Action[];
  /** The newest ten. */
  readonly activities: readonly Activity[];
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
  const target = {
    ServiceNamespace: 'ecs',
    ResourceId: `service/${cluster}/${service}`,
    ScalableDimension: 'ecs:service:DesiredCount',
  };
  if (options.off === true) await unregister(target, `${cluster}/${service}`);
  if (follows) await register(target, wanted, `${cluster}/${service}`);
  if (wanted.count !== undefined)
    await client.send(new UpdateServiceCommand({ cluster, service, desiredCount: wanted.count }));
  const found = await read(target, `${cluster}/${service}`);
  if (output === 'json') printJson(found);
  else print(shown(found, Date.now()));
  const { bounds, desiredCount } = found;
  if (bounds !== undefined && (desiredCount < bounds.MinCapacity || desiredCount > bounds.MaxCapacity))
    note(
      `${desiredCount} is outside ${bounds.MinCapacity} to ${bounds.MaxCapacity}: the next policy or schedule that acts brings it back`,
    );
}

type Target = Readonly<Record<'ServiceNamespace' | 'ResourceId' | 'ScalableDimension', string>>;

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

async function read(target: Target, name: string): Promise<Scaled> {
  const { cluster, service } = parseService(name);
  const { desiredCount = 0, runningCount = 0 } = await activeService(ecsClient(), cluster, service);
  const { ResourceId } = target;
  const [[bounds], policies, actions, activities] = await Promise.all([
    list<Bounds>('DescribeScalableTargets', 'ScalableTargets', { ResourceIds: [ResourceId] }),
    list<Policy>('DescribeScalingPolicies', 'ScalingPolicies', { ResourceId }),
    list<Action>('DescribeScheduledActions', 'ScheduledActions', { ResourceId }),
    call<{ readonly ScalingActivities: readonly Activity[] }>('DescribeScalingActivities', {
      ServiceNamespace: 'ecs',
      ResourceId,
      MaxResults: 10,
    }),
  ]);
  return {
    service: name,
    desiredCount,
    runningCount,
    ...(bounds === undefined ? {} : { bounds: { MinCapacity: bounds.MinCapacity, MaxCapacity: bounds.MaxCapacity } }),
    policies,
    actions,
    activities: activities.ScalingActivities,
  };
}

/** How a service is scaled, for people. @param now milliseconds since the epoch */
export function shown(
  { service, desiredCount, runningCount, bounds, policies, actions, activities }: Scaled,
  now: number,
): string {
  const lines = [
    `${service}: ${desiredCount} wanted, ${runningCount} running${bounds === undefined ? '' : `, ${bounds.MinCapacity} to ${bounds.MaxCapacity} allowed`}`,
  ];
  if (bounds === undefined) lines.push('Nothing scales it: slipway scale --min 2 --max 10 --cpu 60 would.');
  for (const policy of policies) lines.push(`  ${policy.PolicyName}: ${ruleOf(policy)}`);
  for (const { ScheduledActionName, Schedule, Timezone = 'UTC', ScalableTargetAction: to } of actions)
    lines.push(`  ${ScheduledActionName}: ${Schedule} ${Timezone}, ${boundsOf(to)}`);
  if (activities.length > 0)
    lines.push(
      '',
      table(
        ['when', 'what', 'why'],
        activities.map(({ StartTime, Description, Cause, StatusCode }) => [
          ago(now - StartTime * 1000),
          StatusCode === 'Successful' ? Description : `${StatusCode}: ${Description}`,
          Cause,
        ]),
      ),
    );
  return lines.join('\n');
}

function ruleOf({ PolicyType, TargetTrackingScalingPolicyConfiguration: tracking }: Policy): string {
  if (tracking === undefined) return PolicyType === 'StepScaling' ? 'steps of an alarm that names it' : PolicyType;
  const {
    PredefinedMetricSpecification: predefined,
    CustomizedMetricSpecification: customized,
    TargetValue,
  } = tracking;
  return `${predefined?.PredefinedMetricType ?? customized?.MetricName ?? 'a metric'} at ${TargetValue}`;
}

const boundsOf = ({ MinCapacity, MaxCapacity }: Partial<Bounds>): string =>
  [
    ...(MinCapacity === undefined ? [] : [`at least ${MinCapacity}`]),
    ...(MaxCapacity === undefined ? [] : [`at most ${MaxCapacity}`]),
  ].join(', ');

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
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

const call = <T>(action: string, input: object): Promise<T> => callJson<T>('application-autoscaling', action, input);

/** All of a list, page by page. */
async function list<T>(action: string, member: string, input: object): Promise<T[]> {
  const found: T[] = [];
  for (let NextToken: string | undefined; ;) {
    const page = await call<{ readonly NextToken?: string } & Readonly<Record<string, readonly T[]>>>(action, {
      ServiceNamespace: 'ecs',
      ...input,
      ...(NextToken === undefined ? {} : { NextToken }),
    });
    found.push(...(page[member] ?? []));
    NextToken = page.NextToken as string | undefined;
    if (NextToken === undefined) return found;
  }
}
