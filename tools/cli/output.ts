import { styleText } from 'node:util';
import { CliError, harmless } from './errors.ts';

export { harmless };

export type Output = 'text' | 'json';

/** Checks `--output`. */
export function parseOutput(value: string): Output {
  if (value === 'text' || value === 'json') return value;
  throw new CliError(`--output is text or json, not '${value}'`, 2);
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** For people, beside what scripts read. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** Empties the screen for what is shown again; nothing where that is no terminal. */
export function clearTerminal(): void {
  if (process.stdout.isTTY) print('\u001B[2J\u001B[H');
}

/** A table with left-aligned columns, as wide as their widest cell, each row on a line of its own. */
export function table(header: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((cell) => harmless(cell).replaceAll(/[\t\n]+/g, ' ')));
  const widths = header.map((title, column) =>
    rows.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(header)), ...rows.map(line)].join('\n');
}

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** How long ago something was, in the largest unit that is one or more: `3d`, `5h`, `12m`, `40s`. Milliseconds since the epoch. */
export function ageOf(since: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - since) / 1000));
  const [unit, length] = units.find(([, each]) => seconds >= each) ?? ['s', 1];
  return `${Math.floor(seconds / length)}${unit}`;
}

/** Bytes for people: `1.9 MB`, in powers of 1000 as docker writes them. */
export function bytesOf(bytes: number): string {
  const power = Math.min(4, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? String(value) : value.toPrecision(3)} ${['B', 'kB', 'MB', 'GB', 'TB'][power] ?? ''}`;
}
