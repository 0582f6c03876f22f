import { readFileSync } from 'node:fs';

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly dependencies?: Readonly<Record<string, string>>;
        readonly devDependencies?: Readonly<Record<string, string>>;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
        readonly resolved?: string;
      }
    >
  >;
}

/**
 * Checks that the lock file installs everywhere: every optional platform package that it names is in it (npm 11 refuses
 * `npm ci` otherwise), it carries no download addresses, and every package of the workspace wants the same exact version of what
 * several of them use.
 * @returns one line per problem; empty when all is well
 */
export function checkLock(path: string): string[] {
  const { packages } = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  const paths = Object.keys(packages);
  const problems: string[] = [];
  for (const [from, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!paths.some((other) => other.endsWith(`node_modules/${name}`))) {
        problems.push(
          `${from} wants ${name}, which the lock file lacks: pin a version whose platform packages all exist`,
        );
      }
    }
    if (entry.resolved?.startsWith('http'))
      problems.push(`${from} carries a download address: run npm install with the project's .npmrc`);
  }
  const wanted = new Map<string, { readonly version: string; readonly by: string }>();
  for (const [by, entry] of Object.entries(packages)) {
    if (by.includes('node_modules/')) continue;
    for (const [name, version] of Object.entries({ ...entry.dependencies, ...entry.devDependencies })) {
      const first = wanted.get(name);
      if (first === undefined) wanted.set(name, { version, by });
      else if (first.version !== version)
        problems.push(`${by || 'the root'} wants ${name} ${version}, and ${first.by || 'the root'} ${first.version}`);
      if (!/^(?:npm:.*@)?\d+\.\d+\.\d+/.test(version))
        problems.push(`${by || 'the root'} wants ${name} ${version}: name an exact version`);
    }
  }
  return problems;
}
