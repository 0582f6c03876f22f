import { cloudwatch, pages } from './aws.ts';
import type { Point } from './chart.tsx';
import { visible } from './format.ts';

/** Widgets of a dashboard, and metrics of a widget, that are shown. */
export const mostWidgets = 50;
const mostMetrics = 20;

/** A curve of a widget: a metric with its statistic, or what an expression comes to. */
export interface Curve {
  readonly id: string;
  readonly label: string;
  readonly isShown: boolean;
  /** Seconds. */
  readonly period: number;
  readonly of:
    | { readonly expression: string }
    | {
        readonly namespace: string;
        readonly metric: string;
        readonly dimensions: readonly { readonly Name: string; readonly Value: string }[];
        readonly stat: string;
      };
}

/** A widget as it is shown; what of a dashboard is not known here is said by its type. */
export type Widget =
  | { readonly kind: 'metrics'; readonly title: string; readonly curves: readonly Curve[]; readonly left: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'alarms'; readonly title: string; readonly names: readonly string[] }
  | { readonly kind: 'unknown'; readonly type: string };

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/**
 * The widgets of a dashboard's body (CloudWatch API reference, "Dashboard body structure and syntax"). Somebody has written it: whatever is
 * not as it should be is left out.
 * @returns undefined for a body that is none
 */
export function widgetsOf(body: string): readonly Widget[] | undefined {
  let read: unknown;
  try {
    read = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isObject(read)) return undefined;
  return listOf(read['widgets'])
    .filter(isObject)
    .slice(0, mostWidgets)
    .map((widget): Widget => {
      const properties = isObject(widget['properties']) ? widget['properties'] : {};
      const title = textOf(properties['title']);
      const type = textOf(widget['type']);
      if (type === 'text') return { kind: 'text', text: textOf(properties['markdown']) };
      if (type === 'alarm')
        return { kind: 'alarms', title, names: listOf(properties['alarms']).map((arn) => nameOfAlarm(textOf(arn))) };
      if (type !== 'metric') return { kind: 'unknown', type };
      const rows = listOf(properties['metrics']).map(listOf);
      const annotated = isObject(properties['annotations']) ? listOf(properties['annotations']['alarms']) : [];
      if (rows.length === 0 && annotated.length > 0)
        return { kind: 'alarms', title, names: annotated.map((arn) => nameOfAlarm(textOf(arn))) };
      const { period = 300, stat = 'Average' } = {
        period: numberOf(properties['period']),
        stat: textOf(properties['stat']) === '' ? undefined : textOf(properties['stat']),
      };
      const curves = curvesOf(rows, { period, stat });
      return { kind: 'metrics', title, curves: curves.slice(0, mostMetrics), left: curves.length - mostMetrics };
    });
}

const nameOfAlarm = (arn: string): string => /:alarm:(.+)$/.exec(arn)?.[1] ?? arn;

/** A row says a dot for what the row above has in its place, and three for all that it begins with. */
function curvesOf(
  rows: readonly (readonly unknown[])[],
  usual: { readonly period: number; readonly stat: string },
): Curve[] {
  let above: readonly string[] = [];
  return rows.flatMap((row, index): Curve[] => {
    const options = isObject(row.at(-1)) ? (row.at(-1) as Json) : {};
    const said = row.filter((part) => typeof part === 'string');
    const own = textOf(options['id']);
    const common = {
      id: /^[a-z]\w*$/.test(own) ? own : `q${index}`,
      isShown: options['visible'] !== false,
      period: numberOf(options['period']) ?? usual.period,
    };
    const label = textOf(options['label']);
    const expression = textOf(options['expression']);
    if (expression !== '') return [{ ...common, label: label === '' ? expression : label, of: { expression } }];
    const rest = said[0] === '...' ? said.slice(1) : said;
    const begun = said[0] === '...' ? above.slice(0, above.length - rest.length) : [];
    const names = [...begun, ...rest].map((part, i) => (part === '.' ? (above[i] ?? '') : part));
    above = names;
    const [namespace = '', metric = '', ...pairs] = names;
    if (namespace === '' || metric === '' || pairs.length % 2 !== 0) return [];
    const dimensions = Array.from({ length: pairs.length / 2 }, (_, i) => ({
      Name: pairs[2 * i] ?? '',
      Value: pairs[2 * i + 1] ?? '',
    }));
    const given = textOf(options['stat']);
    const of = { namespace, metric, dimensions, stat: given === '' ? usual.stat : given };
    return [{ ...common, label: label === '' ? labelOf(metric, dimensions) : label, of }];
  });
}

const labelOf = (metric: string, dimensions: readonly { readonly Value: string }[]): string =>
  [metric, ...dimensions.map(({ Value }) => Value)].join(' ');

/** What a widget shows of an hour. */
export interface Drawn {
  readonly from: number;
  readonly to: number;
  readonly curves: readonly { readonly label: string; readonly points: readonly Point[]; readonly step: number }[];
}

/** The last hour of a widget's curves. @throws AwsError */
export async function readCurves(curves: readonly Curve[], signal: AbortSignal): Promise<Drawn> {
  const to = Math.floor(Date.now() / 60_000) * 60;
  const from = to - 3600;
  const shown = curves.filter(({ isShown }) => isShown);
  if (shown.length === 0) return { from, to, curves: [] };
  const { MetricDataResults = [] } = await cloudwatch(
    'GetMetricData',
    {
      StartTime: from,
      EndTime: to,
      ScanBy: 'TimestampAscending',
      MetricDataQueries: curves.map(({ id, isShown, period, of }) => ({
        Id: id,
        ReturnData: isShown,
        ...('expression' in of
          ? { Expression: of.expression, Period: period }
          : {
              MetricStat: {
                Metric: { Namespace: of.namespace, MetricName: of.metric, Dimensions: [...of.dimensions] },
                Period: period,
                Stat: of.stat,
              },
            }),
      })),
    },
    { signal },
  );
  return {
    from,
    to,
    curves: shown.map(({ id, label, period }) => {
      const { Timestamps = [], Values = [] } = MetricDataResults.find(({ Id }) => Id === id) ?? {};
      return { label: visible(label), step: period, points: Timestamps.map((at, i): Point => [at, Values[i] ?? 0]) };
    }),
  };
}

/** How alarms stand, by their names. @throws AwsError */
export async function readAlarms(
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, { readonly state: string; readonly reason: string }>> {
  const AlarmNames = names.filter((name) => name !== '' && name.length <= 255).slice(0, 100);
  if (AlarmNames.length === 0) return new Map();
  const { MetricAlarms = [], CompositeAlarms = [] } = await cloudwatch(
    'DescribeAlarms',
    { AlarmNames, AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] },
    { signal },
  );
  return new Map(
    [...MetricAlarms, ...CompositeAlarms].map(({ AlarmName = '', StateValue = '', StateReason = '' }) => [
      AlarmName,
      { state: StateValue, reason: StateReason },
    ]),
  );
}

/** Every dashboard by its name, with when it was changed last. @throws AwsError */
export const readDashboards = (signal: AbortSignal) =>
  pages(
    async (NextToken) => {
      const { DashboardEntries, NextToken: nextToken } = await cloudwatch('ListDashboards', { NextToken }, { signal });
      return { DashboardEntries, nextToken };
    },
    ({ DashboardEntries }) => DashboardEntries,
  );
