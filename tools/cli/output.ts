import { styleText } from 'node:util';
import { CliError } from './errors.ts';

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

/** A table with left-aligned columns, as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(header)), ...rows.map(line)].join('\n');
}
