import { escape, grid, label, niceAbove, number } from '../chart.ts';
import { hostStates, type Moment, type Rehearsal, taskStates } from './rehearse.ts';

/** A line of a picture: what it counts, and its points at which the count changes, the first and last moment included. */
export interface Course {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [at: number, value: number])[];
}

/** One of the diagrams above each other. `stacked` ones add up. */
export interface Diagram {
  readonly title: string;
  readonly stacked: boolean;
  readonly courses: readonly Course[];
}

/** Services with a line of their own: the ones that fell the most. */
const mostServices = 8;
const palette = ['#0969da', '#cf222e', '#1a7f37', '#8250df', '#bf8700', '#bc4c00', '#1b7c83', '#bf3989'];
const taskColors = ['#1a7f37', '#54aeff', '#bf8700', '#cf222e'];
const hostColors = ['#1a7f37', '#bf8700', '#cf222e'];

/** What the picture of a rehearsal shows: tasks by state, healthy tasks by service in percent of the desired count, hosts. */
export function diagramsOf({ moments, services }: Rehearsal): readonly Diagram[] {
  const course = (name: string, color: string, value: (moment: Moment) => number): Course => ({
    name,
    color,
    points: changes(moments.map((moment) => [moment.at, value(moment)])),
  });
  const worst = services
    .filter(({ desired }) => desired > 0)
    .toSorted((a, b) => a.lowest / a.desired - b.lowest / b.desired || b.desired - a.desired)
    .slice(0, mostServices);
  const left = services.length - worst.length;
  return [
    {
      title: 'tasks by state',
      stacked: true,
      courses: taskStates.map((state, index) => course(state, taskColors[index]!, ({ tasks }) => tasks[state])),
    },
    {
      title: `healthy tasks, percent of the desired count${left > 0 ? ` (${left} services that kept more are left out)` : ''}`,
      stacked: false,
      courses: worst.map(({ name, desired }, index) =>
        course(name, palette[index]!, ({ healthy }) => ((healthy[name] ?? 0) / desired) * 100),
      ),
    },
    {
      title: 'hosts',
      stacked: true,
      courses: hostStates.map((state, index) => course(state, hostColors[index]!, ({ hosts }) => hosts[state])),
    },
  ];
}

/** Points of a step line: where the value changes, and both ends. */
function changes(points: readonly (readonly [number, number])[]): Course['points'] {
  return points.filter(([, value], index) => index === points.length - 1 || points[index - 1]?.[1] !== value);
}

const width = 960;
const left = 60;
const right = 20;
const head = 70;
const each = 240;
/** Height of a diagram's lines; above them are its title and the names of its courses. */
const tall = 160;

/** The rehearsal as one SVG document. */
export function renderPicture(rehearsal: Rehearsal): string {
  const diagrams = diagramsOf(rehearsal);
  const last = rehearsal.moments.at(-1)?.at ?? 0;
  const minutes = niceAbove(Math.max(1, last / 60_000));
  const x = (at: number): number => left + (at / 60_000 / minutes) * (width - left - right);
  const height = head + diagrams.length * each + 30;
  const bottom = head + diagrams.length * each - 25;
  const marks = rehearsal.timeline.filter(({ who }) => who === 'scenario').map(({ at }) => x(at).toFixed(1));
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${left}" y="26" font-size="16" font-weight="600" fill="#1f2328">${escape(rehearsal.what)}</text>`,
    label(left, 46, 'start', verdict(rehearsal)),
    ...marks.map(
      (at) => `<line x1="${at}" y1="${head}" x2="${at}" y2="${bottom}" stroke="#cf222e" stroke-dasharray="4 4"/>`,
    ),
    ...diagrams.map((diagram, index) => renderDiagram(diagram, head + index * each, x, last)),
    ...[0, 0.25, 0.5, 0.75, 1].map((tick) =>
      label(x(tick * minutes * 60_000), bottom + 18, 'middle', number(minutes * tick)),
    ),
    label((left + width - right) / 2, bottom + 38, 'middle', 'minutes'),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

function renderDiagram(
  { title, stacked, courses }: Diagram,
  top: number,
  x: (at: number) => number,
  last: number,
): string {
  const layers = stacked ? pile(courses) : courses.map(({ points }) => points);
  const most = niceAbove(Math.max(1, ...layers.flat().map(([, value]) => value)));
  const base = top + each - 25;
  const y = (value: number): number => base - (value / most) * tall;
  const step = (points: Course['points']): string =>
    points
      .map(
        ([at, value], index) =>
          `${index === 0 ? 'M' : 'H'}${x(at).toFixed(1)}${index === 0 ? ',' : ' V'}${y(value).toFixed(1)}`,
      )
      .join(' ');
  const drawn = courses.map(({ name, color }, index) => {
    const line = step(layers[index]!);
    const name_ = `data-course="${escape(name)}" data-most="${most}"`;
    return stacked
      ? `<path ${name_} fill="${color}" fill-opacity="0.75" stroke="none" d="${line} V${base} H${x(0).toFixed(1)} Z"/>`
      : `<path ${name_} fill="none" stroke="${color}" stroke-width="2" d="${line}"/>`;
  });
  return [
    label(left, top + 14, 'start', title),
    ...[0, 0.5, 1].flatMap((tick) => [
      grid(left, y(most * tick), x(last), y(most * tick)),
      label(left - 8, y(most * tick) + 4, 'end', number(most * tick)),
    ]),
    // The highest layer of a pile is drawn first, so that each one shows above the ones below it.
    ...(stacked ? drawn.toReversed() : drawn),
    ...courses.map(({ name, color }, index) => {
      const at = left + index * 110;
      return `<rect x="${at}" y="${top + 24}" width="12" height="4" fill="${color}"/>${label(at + 16, top + 31, 'start', short(name))}`;
    }),
  ].join('\n');
}

/** Each course with the sum of those before it added. */
function pile(courses: readonly Course[]): Course['points'][] {
  const times = [...new Set(courses.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const sums = new Map(times.map((at) => [at, 0]));
  return courses.map(({ points }) => {
    let next = 0;
    let value = 0;
    return times.map((at) => {
      while (next < points.length && points[next]![0] <= at) value = points[next++]![1];
      sums.set(at, sums.get(at)! + value);
      return [at, sums.get(at)!] as const;
    });
  });
}

const short = (name: string): string => (name.length > 14 ? `${name.slice(0, 13)}…` : name);

function verdict({ cluster, instances, tasks, services }: Rehearsal): string {
  const fell = services.filter(({ below }) => below > 0).length;
  const size = `cluster ${cluster}, ${instances} hosts, ${tasks} tasks: `;
  return (
    size +
    (fell === 0 ? 'every service kept its minimum' : `${fell} of ${services.length} services fell below their minimum`)
  );
}
