import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** One line of a benchmark's table; every figure is already a text with its unit. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  readonly ratio: string;
  readonly goal: string;
}

export interface Section {
  /** Marks the section in RESULTS.md: `<!-- bench:<name> -->`. */
  readonly name: string;
  readonly title: string;
  /** The command that made it. */
  readonly command: string;
  /** Who the peer is, versions, what was done. One paragraph or list. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

const results = join(import.meta.dirname, 'RESULTS.md');

/** Replaces one section of RESULTS.md, or appends it; the others stay as they are. */
export function writeSection(section: Section, path = results): void {
  const before = existsSync(path)
    ? readFileSync(path, 'utf8')
    : '# Benchmark results\n\nEach section is written by the command it names, ours and the peer in the same run.\n';
  const [open, close] = [`<!-- bench:${section.name} -->`, `<!-- /bench:${section.name} -->`];
  const text = `${open}\n${render(section)}\n${close}`;
  const from = before.indexOf(open);
  const to = before.indexOf(close);
  writeFileSync(
    path,
    from >= 0 && to > from
      ? before.slice(0, from) + text + before.slice(to + close.length)
      : `${before.trimEnd()}\n\n${text}\n`,
  );
}

/** The section as Markdown. */
export function render(section: Section): string {
  const header = ['what', 'ours', 'peer', 'ratio', 'goal'];
  const cells = section.rows.map((row) => [row.what, row.ours, row.peer, row.ratio, row.goal]);
  const lines = [header, header.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |`);
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
  return [
    `## ${section.title}`,
    '',
    `\`${section.command}\` on ${machine}.`,
    '',
    ...section.notes.map((note) => `- ${note}`),
    '',
    ...lines,
  ].join('\n');
}

/** The value at a quantile of a sample, 0 to 1; NaN for an empty one. */
export function quantile(sample: readonly number[], q: number): number {
  const sorted = sample.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export const median = (sample: readonly number[]): number => quantile(sample, 0.5);

/** `min / median / max`, rounded to three significant digits. */
export function spread(sample: readonly number[], unit: string): string {
  return `${short(median(sample))} ${unit} (${short(Math.min(...sample))} to ${short(Math.max(...sample))})`;
}

export function short(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en-US', { maximumSignificantDigits: 3 }) : 'not measured';
}
