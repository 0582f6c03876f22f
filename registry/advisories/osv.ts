import { comparatorOf, familyOf } from './versions/compare.ts';
import { type Score, scoreOf, type Severity, severityOfScore, severityOfWord } from './severity.ts';

/** One step of a range; OSV schema 1.7, "affected[].ranges[].events". */
export type RangeEvent =
  | { readonly introduced: string }
  | { readonly fixed: string }
  | { readonly last_affected: string };

/** Which versions of one package an advisory is about. */
export interface Affected {
  /** Normalized, see {@link normalEcosystem}. */
  readonly ecosystem: string;
  readonly name: string;
  readonly versions: readonly string[];
  readonly ranges: readonly (readonly RangeEvent[])[];
  /** The distribution's own word, where it has one for this package. */
  readonly severity?: Severity;
}

/** An advisory as far as matching and showing it needs. */
export interface Advisory {
  /** OSV's id, e.g. `GHSA-…`, `DSA-5000-1`, `DEBIAN-CVE-2024-1`. */
  readonly id: string;
  /** What people call it: its CVE when it has exactly one, otherwise the id. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly uri: string;
  readonly references: readonly string[];
  readonly severity: Severity;
  readonly score?: Score;
  /** Milliseconds since the epoch. */
  readonly published?: number;
  readonly modified?: number;
}

export interface ParsedAdvisory {
  readonly advisory: Advisory;
  readonly affected: readonly Affected[];
}

const most = { text: 1000, entries: 5000, list: 20_000, references: 10, word: 300 };

/**
 * Reads an OSV record. Packages of ecosystems whose versions cannot be compared here, and ranges over git commits, are left out.
 * @returns the advisory; `withdrawn` with the id alone for one that was taken back; otherwise what is wrong with it
 */
export function parseOsv(
  value: unknown,
): ParsedAdvisory | { readonly withdrawn: string } | { readonly problem: string } {
  if (!isObject(value)) return { problem: 'it is not a JSON object' };
  const id = word(value['id']);
  if (id === undefined) return { problem: 'it has no id' };
  if (value['withdrawn'] !== undefined && value['withdrawn'] !== null) return { withdrawn: id };
  const entries = list(value['affected']);
  if (entries.length > most.entries) return { problem: `${id} names more than ${most.entries} packages` };
  const affected = entries.flatMap((entry) => affectedOf(entry));
  const aliases = [...texts(value['aliases']), ...texts(value['upstream'])].slice(0, 50);
  const score = bestScore([value, ...entries]);
  const severity = score
    ? severityOfScore(score.score)
    : severityOfWord(member(value['database_specific'], 'severity'));
  const references = list(value['references'])
    .map((reference) => member(reference, 'url'))
    .filter((url): url is string => typeof url === 'string' && /^https?:\/\//.test(url) && url.length <= 2000)
    .slice(0, most.references);
  const name = nameOf(id, aliases);
  return {
    advisory: {
      id,
      name,
      aliases,
      summary: summaryOf(value),
      uri: uriOf(id, name),
      references,
      severity: severity ?? 'UNDEFINED',
      ...(score ? { score } : {}),
      ...time('published', value['published']),
      ...time('modified', value['modified']),
    },
    affected,
  };
}

function affectedOf(entry: unknown): Affected[] {
  const pack = member(entry, 'package');
  const [ecosystem, name] = [word(member(pack, 'ecosystem')), word(member(pack, 'name'))];
  if (ecosystem === undefined || name === undefined || comparatorOf(ecosystem) === undefined) return [];
  const ranges = list(member(entry, 'ranges'))
    .filter((range) => member(range, 'type') !== 'GIT')
    .map((range) => list(member(range, 'events')).flatMap(eventOf))
    .filter((events) => events.length > 0);
  const versions = texts(member(entry, 'versions')).slice(0, most.list);
  if (ranges.length === 0 && versions.length === 0) return [];
  const specific = member(entry, 'ecosystem_specific');
  const severity = severityOfWord(member(specific, 'urgency')) ?? severityOfWord(member(specific, 'severity'));
  return [
    {
      ecosystem: normalEcosystem(ecosystem),
      name: normalName(ecosystem, name),
      // Explicit versions are redundant beside ranges, except where there are only they.
      versions: ranges.length > 0 && familyOf(ecosystem) !== 'Maven' ? [] : versions,
      ranges,
      ...(severity ? { severity } : {}),
    },
  ];
}

function eventOf(event: unknown): RangeEvent[] {
  for (const kind of ['introduced', 'fixed', 'last_affected'] as const) {
    const version = word(member(event, kind));
    if (version !== undefined) return [{ [kind]: version } as unknown as RangeEvent];
  }
  return [];
}

/** `Ubuntu:22.04:LTS` is `Ubuntu:22.04`, and the repositories of one Red Hat release are one: `Red Hat:9`. */
export function normalEcosystem(ecosystem: string): string {
  const redHat = /^Red Hat:enterprise_linux:(\d+)/.exec(ecosystem);
  if (redHat) return `Red Hat:${redHat[1]}`;
  return ecosystem.replace(/^(Ubuntu:\d+\.\d+):LTS$/, '$1');
}

/** Python's names are one whatever their case and separators (PEP 503). */
export const normalName = (ecosystem: string, name: string): string =>
  familyOf(ecosystem) === 'PyPI' ? name.toLowerCase().replace(/[-_.]+/g, '-') : name;

function nameOf(id: string, aliases: readonly string[]): string {
  const cves = new Set([id, ...aliases].flatMap((text) => /(?:^|-)(CVE-\d{4}-\d{4,})$/.exec(text)?.[1] ?? []));
  return cves.size === 1 ? ([...cves][0] ?? id) : id;
}

const uriOf = (id: string, name: string): string =>
  /^(?:DEBIAN-)?CVE-/.test(id) && id.startsWith('DEBIAN')
    ? `https://security-tracker.debian.org/tracker/${name}`
    : `https://osv.dev/vulnerability/${encodeURIComponent(id)}`;

function bestScore(entries: readonly unknown[]): Score | undefined {
  const scores = entries
    .slice(0, 100)
    .flatMap((entry) => list(member(entry, 'severity')))
    .slice(0, 100)
    .flatMap((severity) => {
      const vector = word(member(severity, 'score'));
      return vector === undefined ? [] : (scoreOf(vector) ?? []);
    });
  // CVSS 3 is what most rules were written for; then the newer, then the older.
  const rank = (score: Score): number => (score.version.startsWith('3') ? 2 : score.version === '4.0' ? 1 : 0);
  return scores.sort((a, b) => rank(b) - rank(a) || b.score - a.score)[0];
}

function summaryOf(value: Record<string, unknown>): string {
  const text = [value['summary'], value['details']].find((part) => typeof part === 'string' && part !== '');
  return typeof text === 'string' ? text.slice(0, most.text) : '';
}

function time<Name extends string>(name: Name, value: unknown): { readonly [N in Name]?: number } {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return (Number.isFinite(at) ? { [name]: at } : {}) as { readonly [N in Name]?: number };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const member = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const word = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= most.word ? value : undefined;
const texts = (value: unknown): string[] => list(value).filter((text): text is string => word(text) !== undefined);
