import { compareApk } from './apk.ts';
import { compareDeb } from './deb.ts';
import { compareGem } from './gem.ts';
import { compareMaven } from './maven.ts';
import { comparePep440 } from './pep440.ts';
import { compareRpm } from './rpm.ts';
import { compareSemver } from './semver.ts';

/** Negative, 0 or positive, as `Array.sort` wants it; a total order over all texts. */
export type CompareVersions = (a: string, b: string) => number;

/** The order of versions in an OSV ecosystem, by its name without what follows the colon. */
const comparators: Readonly<Record<string, CompareVersions>> = {
  Debian: compareDeb,
  Ubuntu: compareDeb,
  Echo: compareDeb,
  Alpine: compareApk,
  Wolfi: compareApk,
  Chainguard: compareApk,
  MinimOS: compareApk,
  'Red Hat': compareRpm,
  'Rocky Linux': compareRpm,
  AlmaLinux: compareRpm,
  SUSE: compareRpm,
  openSUSE: compareRpm,
  Mageia: compareRpm,
  Photon: compareRpm,
  'Azure Linux': compareRpm,
  openEuler: compareRpm,
  npm: compareSemver,
  Go: compareSemver,
  'crates.io': compareSemver,
  PyPI: comparePep440,
  Maven: compareMaven,
  RubyGems: compareGem,
};

/** The ecosystem's family: `Debian` of `Debian:12`. */
export const familyOf = (ecosystem: string): string => ecosystem.split(':', 1)[0] ?? '';

/** How versions of an ecosystem compare; undefined for one that is not known here. */
export const comparatorOf = (ecosystem: string): CompareVersions | undefined => {
  const family = familyOf(ecosystem);
  return Object.hasOwn(comparators, family) ? comparators[family] : undefined;
};
