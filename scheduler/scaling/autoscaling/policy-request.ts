import { type GroupPolicyDraft, predefinedGroupMetric } from '../following/index.ts';
import { unsupported, validation } from '../groups/index.ts';
import { type AdjustmentType, adjustmentTypes, inOrder, type Step, stepsProblem } from '../rules/index.ts';
import { configuration } from './policy-shapes.ts';
import { type Of, struct } from './shapes.ts';

const request = struct('PolicyRequest', configuration);
type PolicyRequest = Of<typeof request>;

const types = ['SimpleScaling', 'StepScaling', 'TargetTrackingScaling'] as const;
/** Members that one kind of policy has, and others not. */
const members = {
  SimpleScaling: ['AdjustmentType', 'ScalingAdjustment', 'Cooldown', 'MinAdjustmentMagnitude'],
  StepScaling: [
    'AdjustmentType',
    'StepAdjustments',
    'MetricAggregationType',
    'MinAdjustmentMagnitude',
    'EstimatedInstanceWarmup',
  ],
  TargetTrackingScaling: ['TargetTrackingConfiguration', 'EstimatedInstanceWarmup'],
} as const;
const always: readonly string[] = ['PolicyType', 'Enabled'];

/** What a request makes of a policy. @throws ValidationError */
export function policyOf(input: PolicyRequest, group: string): GroupPolicyDraft {
  const asked = input.PolicyType ?? 'SimpleScaling';
  const type = types.find((one) => one === asked);
  if (type === undefined) {
    if (asked === 'PredictiveScaling')
      throw unsupported('PolicyType PredictiveScaling', 'Scheduled actions scale a group before a load that is known.');
    throw validation(`PolicyType must be one of ${types.join(', ')}, not ${asked.slice(0, 64)}.`);
  }
  const allowed: readonly string[] = [...members[type], ...always];
  for (const name of Object.keys(configuration) as (keyof PolicyRequest)[])
    // Terraform says 0 of what a policy does not have, as it changes one.
    if (input[name] !== undefined && input[name] !== 0 && !allowed.includes(name))
      throw validation(`${name} cannot be specified for the policy type ${type}.`);
  const warmup = type === 'SimpleScaling' ? undefined : input.EstimatedInstanceWarmup;
  const base = {
    ...(input.Enabled === false ? { disabled: true as const } : {}),
    ...(warmup === undefined ? {} : { warmup }),
  };
  if (type === 'TargetTrackingScaling') return { ...base, ...trackingOf(input, group) };
  const adjustmentType = adjustmentOf(input.AdjustmentType);
  const minMagnitude = input.MinAdjustmentMagnitude === 0 ? undefined : input.MinAdjustmentMagnitude;
  if (minMagnitude !== undefined && adjustmentType !== 'PercentChangeInCapacity')
    throw validation('MinAdjustmentMagnitude is for the AdjustmentType PercentChangeInCapacity alone.');
  const magnitude = minMagnitude === undefined ? {} : { minMagnitude };
  if (type === 'SimpleScaling') {
    const { ScalingAdjustment: adjustment, Cooldown: cooldown } = input;
    if (adjustment === undefined)
      throw validation('ScalingAdjustment must be specified for the policy type SimpleScaling.');
    if (adjustmentType === 'ExactCapacity' && adjustment < 0)
      throw validation('ScalingAdjustment must not be negative where AdjustmentType is ExactCapacity.');
    const rule = { adjustmentType, steps: [{ adjustment }], ...magnitude };
    return { ...base, type: 'simple', rule, ...(cooldown === undefined ? {} : { cooldown }) };
  }
  const steps = inOrder(
    (input.StepAdjustments ?? []).map(
      ({ MetricIntervalLowerBound: lower, MetricIntervalUpperBound: upper, ScalingAdjustment: adjustment }): Step => ({
        ...(lower === undefined ? {} : { lower }),
        ...(upper === undefined ? {} : { upper }),
        adjustment,
      }),
    ),
  );
  const problem = stepsProblem(steps, adjustmentType);
  if (problem !== undefined) throw validation(problem);
  const { MetricAggregationType: aggregation } = input;
  if (aggregation !== undefined && !['Average', 'Minimum', 'Maximum'].includes(aggregation))
    throw validation(`MetricAggregationType must be Minimum, Maximum or Average, not ${aggregation.slice(0, 32)}.`);
  const rule = { adjustmentType, steps, ...magnitude };
  return { ...base, type: 'step', rule, ...(aggregation === undefined ? {} : { aggregation }) };
}

function adjustmentOf(asked: string | undefined): AdjustmentType {
  const found = adjustmentTypes.find((one) => one === asked);
  if (found === undefined) throw validation(`AdjustmentType must be one of ${adjustmentTypes.join(', ')}.`);
  return found;
}

const statistics = ['Average', 'Minimum', 'Maximum', 'SampleCount', 'Sum'];

function trackingOf({ TargetTrackingConfiguration: of }: PolicyRequest, group: string) {
  if (of === undefined)
    throw validation('TargetTrackingConfiguration must be specified for the policy type TargetTrackingScaling.');
  // Alarms of services of ECS are called so: they would be taken for strays of a cluster's.
  if (group.startsWith('service/'))
    throw unsupported('Target tracking of a group whose name begins with service/', 'Call the group otherwise.');
  const { PredefinedMetricSpecification: predefined, CustomizedMetricSpecification: own, TargetValue: target } = of;
  if ((predefined === undefined) === (own === undefined))
    throw validation(
      'Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.',
    );
  if (!(target > 0 && Number.isFinite(target))) throw validation('TargetValue must be a number greater than 0.');
  const noScaleIn = of.DisableScaleIn === true ? { noScaleIn: true as const } : {};
  const base = { type: 'tracking' as const, target, ...noScaleIn };
  if (predefined !== undefined) {
    const { PredefinedMetricType: type, ResourceLabel: label } = predefined;
    const metric = predefinedGroupMetric(group, type, label);
    return { ...base, metric, predefined: { type, ...(label === undefined ? {} : { label }) } };
  }
  const {
    MetricName: metric,
    Namespace: namespace,
    Statistic: statistic,
    Dimensions = [],
    Unit: unit,
    Period: period,
  } = own ?? {};
  if (metric === undefined || namespace === undefined || statistic === undefined)
    throw validation('A CustomizedMetricSpecification must have MetricName, Namespace and Statistic.');
  if (!statistics.includes(statistic)) throw validation(`Statistic must be one of ${statistics.join(', ')}.`);
  if (period !== undefined && period !== 60)
    throw unsupported(`The Period ${period}`, 'Groups follow metrics by the minute: say 60, or leave it out.');
  if (new Set(Dimensions.map(({ Name }) => Name)).size < Dimensions.length)
    throw validation('Dimensions name the same one twice.');
  const dimensions = Dimensions.map(({ Name: name, Value: value }) => ({ name, value }));
  return { ...base, metric: { namespace, metric, dimensions, statistic, ...(unit === undefined ? {} : { unit }) } };
}
