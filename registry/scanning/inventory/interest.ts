/** Why a file is worth reading. */
export type Interest = 'os-release' | 'dpkg' | 'apk' | 'rpm' | 'npm' | 'npm-lock' | 'python' | 'gem' | 'java';

const exact: Readonly<Record<string, Interest>> = {
  'etc/os-release': 'os-release',
  'usr/lib/os-release': 'os-release',
  'var/lib/dpkg/status': 'dpkg',
  'lib/apk/db/installed': 'apk',
  'usr/lib/apk/db/installed': 'apk',
  'var/lib/rpm/rpmdb.sqlite': 'rpm',
  'usr/lib/sysimage/rpm/rpmdb.sqlite': 'rpm',
  'usr/share/rpm/rpmdb.sqlite': 'rpm',
};

/** Databases of rpm before 4.16, of which nothing is read here: an image that has only these cannot be judged. */
export const oldRpmDatabases: ReadonlySet<string> = new Set([
  'var/lib/rpm/Packages',
  'var/lib/rpm/Packages.db',
  'usr/lib/sysimage/rpm/Packages',
  'usr/lib/sysimage/rpm/Packages.db',
]);

/** Whether a file tells of packages, by its normal path. */
export function interestOf(path: string): Interest | undefined {
  if (Object.hasOwn(exact, path)) return exact[path];
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (path.startsWith('var/lib/dpkg/status.d/')) return name.endsWith('.md5sums') ? undefined : 'dpkg';
  if (name === 'package.json')
    return /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path) ? 'npm' : undefined;
  if (name === 'package-lock.json') return path.includes('node_modules/') ? undefined : 'npm-lock';
  if (name === 'METADATA') return path.endsWith('.dist-info/METADATA') ? 'python' : undefined;
  if (name === 'PKG-INFO') return path.endsWith('.egg-info/PKG-INFO') ? 'python' : undefined;
  if (name.endsWith('.egg-info')) return 'python';
  if (name.endsWith('.gemspec')) return /(?:^|\/)specifications\/(?:default\/)?[^/]+$/.test(path) ? 'gem' : undefined;
  return isArchive(name) ? 'java' : undefined;
}

export const isArchive = (name: string): boolean => /\.(?:jar|war|ear)$/i.test(name);
