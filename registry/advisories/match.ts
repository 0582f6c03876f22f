import type { Advisories } from './database.ts';
import { type Advisory, type Affected, normalName } from './osv.ts';
import type { Package } from './package.ts';
import { compareSeverity, type Severity } from './severity.ts';
import { type CompareVersions, comparatorOf } from './versions/compare.ts';

/** An advisory that is about a package of an image. */
export interface Match {
  readonly advisory: Advisory;
  readonly package: Package;
  readonly severity: Severity;
  /** The lowest version above the installed one that has the repair. */
  readonly fixedIn?: string;
}

/** Whether a version is affected, and by which version it is repaired (OSV schema 1.7, "Evaluation"). */
export function affects(
  affected: Pick<Affected, 'versions' | 'ranges'>,
  version: string,
  compare: CompareVersions,
): { readonly affected: boolean; readonly fixedIn?: string } {
  let hit = affected.versions.includes(version);
  const repairs: string[] = [];
  for (const range of affected.ranges) {
    const events = range.toSorted((a, b) => compareBounds(a, b, compare));
    let inside = false;
    for (const event of events) {
      if ('introduced' in event) {
        if (event.introduced === '0' || compare(version, event.introduced) >= 0) inside = true;
      } else if ('fixed' in event) {
        if (compare(version, event.fixed) >= 0) inside = false;
        else repairs.push(event.fixed);
      } else if (compare(version, event.last_affected) > 0) inside = false;
    }
    hit ||= inside;
  }
  const fixedIn = repairs.sort(compare)[0];
  return { affected: hit, ...(hit && fixedIn !== undefined ? { fixedIn } : {}) };
}

/** By version; where a version is both, the range ends before a new one begins. */
function compareBounds(
  a: Affected['ranges'][number][number],
  b: Affected['ranges'][number][number],
  compare: CompareVersions,
): number {
  const [x, y] = [boundOf(a), boundOf(b)];
  if (x === '0' || y === '0') return Number(y === '0') - Number(x === '0');
  return compare(x, y) || Number('introduced' in a) - Number('introduced' in b);
}

const boundOf = (event: Affected['ranges'][number][number]): string =>
  'introduced' in event ? event.introduced : 'fixed' in event ? event.fixed : event.last_affected;

/**
 * Advisories about packages, worst first. The same vulnerability of one package is reported once, whichever databases have it.
 * Gives other work a turn now and then: a large image takes some hundred milliseconds.
 * @returns with the ecosystems of the image that the database has no advisory of, so that nobody takes silence for health
 */
export async function matchPackages(
  advisories: Advisories,
  packages: readonly Package[],
): Promise<{ readonly matches: readonly Match[]; readonly unknownEcosystems: readonly string[] }> {
  const known = advisories.ecosystems();
  const unknown = new Set<string>();
  const best = new Map<string, Match>();
  for (const [position, pack] of packages.entries()) {
    if (position % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
    if (!known.has(pack.ecosystem)) {
      unknown.add(pack.ecosystem);
      continue;
    }
    for (const match of matchesOf(advisories, pack)) {
      const key = `${match.advisory.name}\n${pack.ecosystem}\n${pack.name}\n${pack.version}\n${pack.path ?? ''}`;
      const other = best.get(key);
      if (other === undefined || compareSeverity(match.severity, other.severity) > 0) best.set(key, match);
    }
  }
  const matches = [...best.values()].sort(
    (a, b) =>
      compareSeverity(b.severity, a.severity) ||
      (a.advisory.name < b.advisory.name ? -1 : a.advisory.name > b.advisory.name ? 1 : 0) ||
      (a.package.name < b.package.name ? -1 : 1),
  );
  return { matches, unknownEcosystems: [...unknown].sort() };
}

function matchesOf(advisories: Advisories, pack: Package): Match[] {
  const compare = comparatorOf(pack.ecosystem);
  if (compare === undefined) return [];
  const found: Match[] = [];
  for (const { name, version } of namesOf(pack)) {
    for (const { advisory, affected } of advisories.about(pack.ecosystem, normalName(pack.ecosystem, name))) {
      const result = affects(affected, version, compare);
      if (!result.affected) continue;
      const severity = advisory.severity === 'UNDEFINED' ? (affected.severity ?? 'UNDEFINED') : advisory.severity;
      found.push({
        advisory,
        package: pack,
        severity,
        ...(result.fixedIn === undefined ? {} : { fixedIn: result.fixedIn }),
      });
    }
  }
  return found;
}

/** Debian, Ubuntu and Alpine name source packages in advisories; distributions on rpm name either. */
function namesOf(pack: Package): readonly { name: string; version: string }[] {
  if (pack.source === undefined) return [pack];
  return pack.type === 'rpm' && pack.source.name !== pack.name ? [pack, pack.source] : [pack.source];
}
