import { StaleEpoch } from '@slipway/storage/records';

import { scan } from '../../cluster/index.ts';
import type { Led } from '../../control/index.ts';
import { maximumTasks, type ServiceRef } from '../../services/index.ts';
import type { MetricStore, Series } from '../../signals/metrics/index.ts';
import { clusterPartition, sameRecord, toJson } from '../../state/index.ts';
import {
  daySlots,
  type Floor,
  forecast,
  forecastFloor,
  forecastSlots,
  historyDays,
  parseSchedule,
  requestMetric,
  type Shift,
  shiftIn,
  slotLength,
} from '../rules/index.ts';
import { commit, type ScalerPorts } from './commit.ts';
import type { ForecastTurns } from './forecast-turns.ts';
import { scalingKeys } from './keys.ts';
import type { ActionRecord, ForecastRecord, PolicyRecord, PredictedMetric, PredictivePolicy } from './records.ts';

/** Milliseconds after which a forecast is made anew, and slots of what was forecast before that are kept. */
const renewal = 3_600_000;
const keptSlots = 2 * daySlots;
/** Seconds by which tasks are begun before their load where a policy does not say (API reference, PredictiveScalingPolicyConfiguration). */
export const usualBuffer = 300;

/** The names of predictive metrics (Application Auto Scaling user guide, "Predictive scaling for ECS"). */
export const predictedNames = {
  cpu: {
    pair: 'ECSServiceCPUUtilization',
    scaling: 'ECSServiceAverageCPUUtilization',
    load: 'ECSServiceTotalCPUUtilization',
  },
  memory: {
    pair: 'ECSServiceMemoryUtilization',
    scaling: 'ECSServiceAverageMemoryUtilization',
    load: 'ECSServiceTotalMemoryUtilization',
  },
  requests: { pair: 'ALBRequestCount', scaling: 'ALBRequestCountPerTarget', load: 'ALBTargetGroupRequestCount' },
} as const;

/**
 * Makes the forecasts of a target's predictive policies anew that are an hour old, or not there, as it is their turn. One that cannot be made keeps nobody
 * from being scaled.
 * @throws StaleEpoch
 */
export async function makeForecasts(
  ports: ScalerPorts,
  led: Led,
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
  turns: ForecastTurns,
): Promise<void> {
  const { clock, log } = ports;
  const fields = { cluster: ref.cluster, service: ref.service };
  for (const policy of policies) {
    if (policy.type !== 'predictive') continue;
    try {
      const before = await found(ports, ref, policy);
      const now = clock.now();
      if (before !== undefined && now < before.madeAt + renewal && now >= before.madeAt) continue;
      await turns.take(policy.id, () => makeForecast(ports, led, ref, policy, before));
    } catch (err) {
      if (err instanceof StaleEpoch) throw err;
      log.warn({ ...fields, policy: policy.name, err }, 'cannot forecast the load of a service now; trying again');
    }
  }
}

async function makeForecast(
  ports: ScalerPorts,
  led: Led,
  ref: ServiceRef,
  policy: PredictivePolicy,
  before: ForecastRecord | undefined,
): Promise<void> {
  const { clock, log } = ports;
  const now = clock.now();
  const origin = Math.floor(now / slotLength) * slotLength;
  const history = await historyOf(ports.metrics, ref, policy.metric, origin);
  const made = forecast(history, await shiftOf(ports, ref, origin - history.length * slotLength, origin));
  const from = origin - keptSlots * slotLength;
  const past = Array.from({ length: keptSlots }, (_, slot) => loadAt(before, from + slot * slotLength));
  const record: ForecastRecord = {
    service: ref.service,
    policy: policy.name,
    madeAt: now,
    season: made?.season ?? 'day',
    from,
    // Without enough of a history there is none; it is looked at again in an hour.
    loads:
      made === undefined
        ? []
        : [...past, ...made.loads.slice(0, forecastSlots).map((load) => Number(load.toPrecision(6)))],
  };
  const isWritten = await commit(ports, led, async (tx) => {
    const current = await tx.get<PolicyRecord>(scalingKeys.policy(ref.service, policy.name));
    // One that was deleted meanwhile has no forecast, and one that has another metric by now not this one.
    if (current?.type !== 'predictive' || current.id !== policy.id || !sameRecord(current.metric, policy.metric))
      return false;
    tx.put(scalingKeys.forecast(ref.service, policy.name), toJson(record));
    return true;
  });
  if (isWritten && made !== undefined)
    log.info(
      { cluster: ref.cluster, service: ref.service, policy: policy.name, season: made.season },
      'forecast the load of a service',
    );
}

/**
 * How the local time changes that the load of a service goes by: that of the zone that its schedules name; with none or several, nobody knows it, and days
 * are those of UTC.
 */
async function shiftOf(
  { records }: Pick<ScalerPorts, 'records'>,
  { account, cluster, service }: ServiceRef,
  from: number,
  origin: number,
): Promise<Shift | undefined> {
  const zones = new Set<string>();
  const prefix = scalingKeys.actionsOf(service);
  for await (const { value } of scan<ActionRecord>(records, clusterPartition(account, cluster), prefix))
    // A rate goes by no clock, and whoever names a zone beside one may have named any.
    if (value.timezone !== undefined && parseSchedule(value.schedule, value.timezone).kind !== 'rate')
      zones.add(value.timezone);
  const [zone] = zones;
  return zone === undefined || zones.size > 1 ? undefined : shiftIn(zone, from, origin + forecastSlots * slotLength);
}

/** What a forecast said of the slot that begins at a moment. */
const loadAt = (of: ForecastRecord | undefined, at: number): number | null =>
  (of === undefined ? undefined : of.loads[Math.round((at - of.from) / slotLength)]) ?? null;

const found = async ({ records }: Pick<ScalerPorts, 'records'>, ref: ServiceRef, { name }: PredictivePolicy) =>
  (
    await records.get<ForecastRecord>(
      clusterPartition(ref.account, ref.cluster),
      scalingKeys.forecast(ref.service, name),
    )
  )?.value;

/** The load of each slot of the last weeks, the oldest first, from the first that was measured on. */
export async function historyOf(
  metrics: Pick<MetricStore, 'read'>,
  ref: ServiceRef,
  metric: PredictedMetric,
  origin: number,
): Promise<readonly (number | undefined)[]> {
  const series = seriesOf(ref, metric);
  if (series === undefined) return [];
  const from = origin - historyDays * daySlots * slotLength;
  const [buckets = []] = await metrics.read(ref.account, [series], {
    from,
    to: origin,
    period: slotLength / 1000,
    distributions: false,
  });
  const history: (number | undefined)[] = Array.from({ length: historyDays * daySlots });
  // A minute has what all tasks use, or all requests: their sum over a slot is five times as much as in one of its minutes.
  for (const { time, sum } of buckets) history[Math.floor((time - from) / slotLength)] = (sum * 60_000) / slotLength;
  const first = history.findIndex((load) => load !== undefined);
  return first < 0 ? [] : history.slice(first);
}

function seriesOf({ cluster, service }: ServiceRef, { kind, label }: PredictedMetric): Series | undefined {
  if (kind !== 'requests')
    return {
      namespace: 'AWS/ECS',
      name: kind === 'cpu' ? 'CPUUtilization' : 'MemoryUtilization',
      dimensions: [
        { name: 'ClusterName', value: cluster },
        { name: 'ServiceName', value: service },
      ],
    };
  const of = requestMetric(label);
  return of === undefined ? undefined : { namespace: of.namespace, name: 'RequestCount', dimensions: of.dimensions };
}

/** What forecasts ask for. */
export interface Floored extends Floor {
  /** The count that a policy allows at most, where it may be above the maximum. */
  readonly most?: number;
}

/** The most that the forecasts of policies ask for that scale by them; undefined: nothing. */
export async function floorOf(
  ports: Pick<ScalerPorts, 'records'>,
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
  now: number,
): Promise<Floored | undefined> {
  let most: Floored | undefined;
  for (const policy of policies) {
    if (policy.type !== 'predictive' || policy.scales !== true) continue;
    const made = await found(ports, ref, policy);
    const floor =
      made === undefined
        ? undefined
        : forecastFloor({ ...made, target: policy.target }, now, (policy.buffer ?? usualBuffer) * 1000);
    // However little a task is to have of the load: nobody leads more of one service.
    const tasks = Math.min(floor?.tasks ?? 0, maximumTasks);
    if (floor === undefined || tasks <= (most?.count ?? 0)) continue;
    const name = predictedNames[policy.metric.kind].pair;
    most = {
      count: tasks,
      policy: policy.name,
      readings: `the forecast of ${name} (${Math.round(floor.load)} at ${new Date(floor.at).toISOString().slice(0, 16)}Z)`,
      ...(policy.breach === undefined
        ? {}
        : { most: Math.min(Math.ceil(tasks * (1 + policy.breach / 100) - 1e-9), maximumTasks) }),
    };
  }
  return most;
}
