/** Line charts as SVG, readable in light and dark. */
export interface Series {
  readonly name: string;
  readonly color: string;
  /** Without a y, the line has a gap. */
  readonly points: readonly (readonly [x: number, y: number | undefined])[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** What is written below, and where, of an axis that ends at the last one; without it, quarters of a round number. */
  readonly marks?: readonly (readonly [x: number, text: string])[];
}

const width = 860;
const height = 420;
const left = 70;
const right = 20;
const top = 60;
const bottom = 55;

/** The chart as one SVG document. */
export function renderChart({ title, xLabel, yLabel, series, marks }: Chart): string {
  const points = series.flatMap((line) => line.points);
  const xMax = marks?.at(-1)?.[0] ?? niceAbove(Math.max(1, ...points.map(([x]) => x)));
  const yMax = niceAbove(Math.max(1, ...points.map(([, y = 0]) => y)));
  const x = (value: number): number => left + (value / xMax) * (width - left - right);
  const y = (value: number): number => height - bottom - (value / yMax) * (height - top - bottom);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const below = marks ?? ticks.map((tick) => [xMax * tick, number(xMax * tick)] as const);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${left}" y="24" font-size="16" font-weight="600" fill="#1f2328">${escape(title)}</text>`,
    ...ticks.map((tick) => grid(left, y(yMax * tick), width - right, y(yMax * tick))),
    ...ticks.map((tick) => label(left - 8, y(yMax * tick) + 4, 'end', number(yMax * tick))),
    ...below.map(([at, text]) => label(x(at), height - bottom + 20, 'middle', text)),
    label((left + width - right) / 2, height - 12, 'middle', xLabel),
    `<text transform="translate(18 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle" fill="#59636e">${escape(yLabel)}</text>`,
    ...series.flatMap(({ color, points: path }) =>
      unbroken(path).map(
        (line) =>
          `<polyline fill="none" stroke="${color}" stroke-width="2" points="${line.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ')}"/>`,
      ),
    ),
    ...series.map(
      ({ name, color }, index) =>
        `<rect x="${left + index * 190}" y="36" width="14" height="4" fill="${color}"/>${label(left + index * 190 + 20, 43, 'start', name)}`,
    ),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

/** The parts of a line between its gaps. */
function unbroken(points: Series['points']): readonly (readonly (readonly [number, number])[])[] {
  const parts: [number, number][][] = [[]];
  for (const [x, y] of points)
    if (y === undefined) parts.push([]);
    else parts.at(-1)?.push([x, y]);
  return parts.filter((part) => part.length > 0);
}

export function grid(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1.toFixed(1)}" x2="${x2}" y2="${y2.toFixed(1)}" stroke="#d1d9e0"/>`;
}

export function label(x: number, y: number, anchor: string, text: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#59636e">${escape(text)}</text>`;
}

/** The next of 1, 2, 4, 5, 8 or 10 times a power of ten: the quarters of the axis are round. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

export const number = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 2 });

/** Text for a place between tags or in a quoted attribute; XML has no way to write most control characters. */
export const escape = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
