import type { JSX } from 'preact';

/** One point of a curve: seconds since the epoch, and its value. */
export type Point = readonly [time: number, value: number];

const width = 600;
const height = 140;
const left = 4;
const bottom = 20;
/** Room for the highest number of the scale. */
const head = 16;

/**
 * A curve over time as a picture with a sentence for whoever cannot see it. Gaps stay gaps; deployments are upright lines.
 * @param from begin of the picture, seconds since the epoch
 */
export function Chart(props: {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly Point[];
  readonly from: number;
  readonly to: number;
  readonly marks: readonly { readonly at: number; readonly text: string }[];
  readonly step: number;
  /** Why there may be nothing. */
  readonly nothing?: string;
}): JSX.Element {
  const { points, from, to, step, unit } = props;
  const highest = points.reduce((most, [, value]) => Math.max(most, value), 0);
  const top = roundUp(highest);
  const x = (time: number): number => left + ((time - from) / (to - from)) * (width - 2 * left);
  const y = (value: number): number => head + (height - bottom - head) * (1 - value / top);
  const last = points.at(-1);
  const runs = unbroken(points, step * 2.5);
  return (
    <figure class="chart">
      <figcaption>
        <span>{props.title}</span>
        <span class="number">{last === undefined ? '—' : `${shown(last[1])} ${unit}`}</span>
      </figcaption>
      {last === undefined ? (
        <p class="faint">{props.nothing ?? 'Nothing was measured in this hour.'}</p>
      ) : (
        <svg
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label={`${props.title}: ${shown(last[1])} ${unit} now, at most ${shown(highest)} ${unit} in the last hour`}
        >
          {[0, 0.5, 1].map((part) => (
            <g key={part}>
              <line class="grid" x1={left} x2={width - left} y1={y(top * part)} y2={y(top * part)} />
              <text class="scale" x={left} y={y(top * part) - 3}>
                {part === 0 ? '' : `${shown(top * part)} ${unit}`}
              </text>
            </g>
          ))}
          {props.marks
            .filter(({ at }) => at > from)
            .map(({ at, text }) => (
              <g key={`${at} ${text}`}>
                <line class="mark" x1={x(at)} x2={x(at)} y1={head} y2={height - bottom} />
                <title>{text}</title>
              </g>
            ))}
          {runs.map((run) => (
            <g key={run[0]?.[0]}>
              <path
                class="area"
                d={`M${x(run[0]?.[0] ?? 0)},${y(0)}${run.map(([t, v]) => `L${x(t).toFixed(1)},${y(v).toFixed(1)}`).join('')}L${x(run.at(-1)?.[0] ?? 0)},${y(0)}Z`}
              />
              <path
                class="line"
                d={run.map(([t, v], i) => `${i === 0 ? 'M' : 'L'}${x(t).toFixed(1)},${y(v).toFixed(1)}`).join('')}
              />
              {run.length === 1 ? <circle class="dot" cx={x(run[0]?.[0] ?? 0)} cy={y(run[0]?.[1] ?? 0)} r="3" /> : null}
            </g>
          ))}
          <text class="time" x={left} y={height - 2}>
            {hour(from)}
          </text>
          <text class="time end" x={width - left} y={height - 2}>
            now
          </text>
        </svg>
      )}
    </figure>
  );
}

const hour = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });

const shown = (value: number): string =>
  value === 0 ? '0' : value < 1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : String(Math.round(value));

/** 1, 2 or 5 times a power of ten, so that the scale has round numbers. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value) ?? value;
}

/** The stretches of a curve without a gap. @param most seconds between two points of one stretch */
export function unbroken(points: readonly Point[], most: number): readonly (readonly Point[])[] {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run === undefined || before === undefined || point[0] - before[0] > most) runs.push([point]);
    else run.push(point);
  }
  return runs;
}
