import { maximumTasks } from '../../services/index.ts';
import { clusterPartition } from '../../state/index.ts';
import { noRequestLabel, requestMetric, slotLength, tasksFor } from '../rules/index.ts';
import {
  type ForecastRecord,
  invalid,
  type PolicyDraft,
  type PolicyRecord,
  predictedNames,
  type PredictivePolicy,
  scalingKeys,
} from '../targets/index.ts';
import { mayOn, operation, type ScalingOperations, serviceOf } from './operation.ts';
import { list, number, type Of, oneTarget, refused, required, struct, text, time } from './shapes.ts';

const named = { PredefinedMetricType: required(text), ResourceLabel: text } as const;
const customized = refused(
  struct('PredictiveScalingCustomizedMetricSpecification', {
    MetricDataQueries: required(list(struct('PredictiveScalingMetricDataQuery', { Id: required(text) }))),
  }),
  'What a service uses, and how often its target group is asked, is forecast: name predefined metrics.',
);
const metricSpecification = struct('PredictiveScalingMetricSpecification', {
  TargetValue: required(number),
  PredefinedMetricPairSpecification: struct('PredictiveScalingPredefinedMetricPairSpecification', named),
  PredefinedScalingMetricSpecification: struct('PredictiveScalingPredefinedScalingMetricSpecification', named),
  PredefinedLoadMetricSpecification: struct('PredictiveScalingPredefinedLoadMetricSpecification', named),
  CustomizedScalingMetricSpecification: customized,
  CustomizedLoadMetricSpecification: customized,
  CustomizedCapacityMetricSpecification: customized,
});

export const predictiveConfiguration = struct('PredictiveScalingPolicyConfiguration', {
  MetricSpecifications: required(list(metricSpecification)),
  Mode: text,
  SchedulingBufferTime: number,
  MaxCapacityBreachBehavior: text,
  MaxCapacityBuffer: number,
});
type Configuration = Of<typeof predictiveConfiguration>;
type Kind = keyof typeof predictedNames;
const kinds = Object.keys(predictedNames) as readonly Kind[];

/** What a request makes of a predictive policy. @throws ValidationException */
export function predictiveOf(given: Configuration): PolicyDraft {
  const [specification] = given.MetricSpecifications;
  if (specification === undefined) throw invalid('MetricSpecifications must have one member.');
  const { TargetValue: target } = specification;
  if (!(target > 0 && Number.isFinite(target))) throw invalid('TargetValue must be a number greater than 0.');
  const {
    MaxCapacityBreachBehavior: behavior = 'HonorMaxCapacity',
    MaxCapacityBuffer: breach,
    SchedulingBufferTime: buffer,
  } = given;
  if ((behavior === 'IncreaseMaxCapacity') !== (breach !== undefined))
    throw invalid(
      'MaxCapacityBuffer is required where MaxCapacityBreachBehavior is IncreaseMaxCapacity, and is for nothing else.',
    );
  return {
    type: 'predictive',
    metric: metricOf(specification),
    target,
    ...(given.Mode === 'ForecastAndScale' ? { scales: true } : {}),
    ...(buffer === undefined ? {} : { buffer }),
    ...(breach === undefined ? {} : { breach }),
  };
}

function metricOf(of: Of<typeof metricSpecification>): PredictivePolicy['metric'] {
  const {
    PredefinedMetricPairSpecification: pair,
    PredefinedScalingMetricSpecification: scaling,
    PredefinedLoadMetricSpecification: load,
  } = of;
  if (
    (pair === undefined) === (scaling === undefined && load === undefined) ||
    (scaling === undefined) !== (load === undefined)
  )
    throw invalid(
      'A MetricSpecification has a PredefinedMetricPairSpecification, or both a PredefinedScalingMetricSpecification and a PredefinedLoadMetricSpecification.',
    );
  const [member, asked] = pair === undefined ? (['scaling', scaling] as const) : (['pair', pair] as const);
  const kind = kinds.find((one) => predictedNames[one][member] === asked?.PredefinedMetricType);
  if (kind === undefined)
    throw invalid(
      `PredefinedMetricType ${asked?.PredefinedMetricType.slice(0, 100)} is not supported: use ${kinds.map((one) => predictedNames[one][member]).join(', ')}.`,
    );
  const label = asked?.ResourceLabel;
  if (load !== undefined && (load.PredefinedMetricType !== predictedNames[kind].load || load.ResourceLabel !== label))
    throw invalid(
      `The load metric of ${predictedNames[kind].scaling} is ${predictedNames[kind].load}, with the same ResourceLabel.`,
    );
  if (kind === 'requests' && requestMetric(label) === undefined)
    throw invalid(noRequestLabel.replace('ALBRequestCountPerTarget', 'A metric of requests'));
  if (kind !== 'requests' && label !== undefined) throw invalid('ResourceLabel is for metrics of requests alone.');
  return { kind, ...(label === undefined ? {} : { label }), ...(pair === undefined ? { apart: true } : {}) };
}

/** As it was asked for. */
export const predictiveView = ({ metric, target, scales, buffer, breach }: PredictivePolicy): Configuration => ({
  MetricSpecifications: [specificationView(metric, target)],
  Mode: scales === true ? 'ForecastAndScale' : 'ForecastOnly',
  ...(buffer === undefined ? {} : { SchedulingBufferTime: buffer }),
  MaxCapacityBreachBehavior: breach === undefined ? 'HonorMaxCapacity' : 'IncreaseMaxCapacity',
  ...(breach === undefined ? {} : { MaxCapacityBuffer: breach }),
});

function specificationView(
  { kind, label, apart }: PredictivePolicy['metric'],
  TargetValue: number,
): Of<typeof metricSpecification> {
  const of = (PredefinedMetricType: string) => ({
    PredefinedMetricType,
    ...(label === undefined ? {} : { ResourceLabel: label }),
  });
  const { pair, scaling, load } = predictedNames[kind];
  return apart === true
    ? { TargetValue, PredefinedScalingMetricSpecification: of(scaling), PredefinedLoadMetricSpecification: of(load) }
    : { TargetValue, PredefinedMetricPairSpecification: of(pair) };
}

const values = { Timestamps: required(list(time)), Values: required(list(number)) } as const;
/** Days that one request may ask for. */
const mostDays = 30;

/** What predictive policies forecast. */
export const predictiveOperations: ScalingOperations = {
  GetPredictiveScalingForecast: operation({
    input: struct('GetPredictiveScalingForecastRequest', {
      ...oneTarget,
      PolicyName: required(text),
      StartTime: required(time),
      EndTime: required(time),
    }),
    output: struct('GetPredictiveScalingForecastResponse', {
      LoadForecast: list(struct('LoadForecast', { ...values, MetricSpecification: required(metricSpecification) })),
      CapacityForecast: struct('CapacityForecast', values),
      UpdateTime: time,
    }),
    access: mayOn('GetPredictiveScalingForecast'),
    handle: async (input, scene) => {
      const ref = serviceOf(scene, input);
      const [start, end] = [input.StartTime.getTime(), input.EndTime.getTime()];
      if (end <= start) throw invalid('EndTime must be later than StartTime.');
      if (end - start > mostDays * 86_400_000)
        throw invalid(`StartTime and EndTime are at most ${mostDays} days apart.`);
      const partition = clusterPartition(ref.account, ref.cluster);
      const read = async <T>(key: string): Promise<T | undefined> =>
        (await scene.api.records.get<T>(partition, key))?.value;
      const policy = await read<PolicyRecord>(scalingKeys.policy(ref.service, input.PolicyName));
      if (policy?.type !== 'predictive')
        throw invalid(`There is no predictive scaling policy ${input.PolicyName} of ${input.ResourceId}.`);
      const made = await read<ForecastRecord>(scalingKeys.forecast(ref.service, policy.name));
      if (made === undefined || made.loads.length === 0)
        throw invalid(
          'There is no forecast yet: it needs two days in which the metric was measured, and is made within the hour then.',
        );
      const slots = made.loads.flatMap((load, slot) => {
        const at = made.from + slot * slotLength;
        return load === null || at < start || at >= end ? [] : [{ at: new Date(at), load }];
      });
      const Timestamps = slots.map(({ at }) => at);
      return {
        LoadForecast: [
          {
            Timestamps,
            Values: slots.map(({ load }) => load),
            MetricSpecification: specificationView(policy.metric, policy.target),
          },
        ],
        CapacityForecast: {
          Timestamps,
          Values: slots.map(({ load }) => Math.min(tasksFor(load, policy.target), maximumTasks)),
        },
        UpdateTime: new Date(made.madeAt),
      };
    },
  }),
};
