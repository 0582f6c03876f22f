import type { Chart, Series } from '../simulator/chart.ts';
import type { Scaled } from './scaling.ts';

const hour = 3_600_000;
const colors = [
  { was: '#1a7f37', forecast: '#0969da' },
  { was: '#bf8700', forecast: '#8250df' },
] as const;
const boundColor = '#8c959f';

/**
 * The picture of what predictive policies forecast of a service: tasks that the load of each hour takes, a day back and a day ahead, over what came; and
 * the bounds. Times are of UTC.
 * @returns undefined: nothing is forecast yet
 */
export function forecastChart({
  service,
  bounds,
  policies,
}: Pick<Scaled, 'service' | 'bounds' | 'policies'>): Chart | undefined {
  const forecasts = policies.flatMap(({ PolicyName, forecast }) =>
    forecast === undefined ? [] : [{ name: PolicyName, forecast }],
  );
  const [first] = forecasts;
  if (first === undefined) return undefined;
  const { from, forecast } = first.forecast;
  const hours = forecast.length;
  const flat = (name: string, tasks: number): Series => ({
    name,
    color: boundColor,
    points: [
      [0, tasks],
      [hours, tasks],
    ],
  });
  const lines = forecasts
    .slice(0, colors.length)
    .flatMap(({ name, forecast: of }, index): Series[] => [
      { name: `${name}: forecast`, color: colors[index]!.forecast, points: steps(of.forecast) },
      ...(of.actual.length === 0
        ? []
        : [{ name: `${name}: was`, color: colors[index]!.was, points: steps(of.actual) }]),
    ]);
  // Bounds far above what is forecast would leave nothing to see of it.
  const highest = Math.max(1, ...lines.flatMap(({ points }) => points.map(([, tasks = 0]) => tasks)));
  const limits = bounds === undefined ? [] : [flat('minimum', bounds.MinCapacity), flat('maximum', bounds.MaxCapacity)];
  const time = (at: number): string => new Date(from * 1000 + at * hour).toISOString().slice(5, 16).replace('T', ' ');
  return {
    title: `${service}: tasks that its load takes, forecast and as it came`,
    xLabel: `UTC; what comes begins at ${time(hours / 2)}`,
    yLabel: 'tasks',
    series: [...limits.filter(({ points: [[, tasks = 0] = [0, 0]] }) => tasks <= 2 * highest), ...lines],
    marks: Array.from({ length: 5 }, (_, index) => {
      const at = (hours / 4) * index;
      return [at, time(at)] as const;
    }),
  };
}

/** A value for each hour, as a line that holds it for that hour. */
const steps = (values: readonly (number | null)[]): Series['points'] =>
  values.flatMap((tasks, index) => [
    [index, tasks ?? undefined],
    [index + 1, tasks ?? undefined],
  ]);
