import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Which package may import which; the direction of the whole workspace (see the rooms in README.md). */
const allowed: Readonly<Record<string, readonly string[]>> = {
  storage: [],
  auth: ['storage'],
  registry: ['auth', 'storage'],
  scheduler: ['auth', 'storage'],
  tools: ['auth', 'registry', 'scheduler', 'storage'],
};

/** Import and re-export statements, which begin a line, and dynamic imports. */
const importPattern =
  /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"\n]+)['"]|^import\s*['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/gm;

/**
 * Checks every import of the workspace: package direction, declared dependencies, relative imports that leave a package,
 * imports past a room's index, and the purity of `scheduler/placement`.
 * @returns one line per violation; empty when all is well
 */
export function checkBoundaries(root: string): string[] {
  const problems: string[] = [];
  for (const [project, targets] of Object.entries(allowed)) {
    const manifest = JSON.parse(readFileSync(join(root, project, 'package.json'), 'utf8')) as Manifest;
    const declared = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.devDependencies ?? {}),
    ]);
    for (const file of globSync('**/*.ts', {
      cwd: join(root, project),
      exclude: ['**/node_modules/**', 'dist/**', 'examples/**'],
    })) {
      const path = join(root, project, file);
      const where = relative(root, path);
      for (const match of withoutComments(readFileSync(path, 'utf8')).matchAll(importPattern)) {
        const specifier = match[1] ?? match[2] ?? match[3] ?? '';
        const problem = checkImport(root, project, path, specifier, targets, declared);
        if (problem) problems.push(`${where}: '${specifier}' ${problem}`);
      }
    }
  }
  return problems;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Examples in comments import nothing. Only whole comment lines are taken out: `//` and `/*` also stand in strings. */
const withoutComments = (source: string): string => source.replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '');

/** Packages that the root manifest provides to every package's tests and tools. */
const shared = new Set(['vitest', 'fast-check', 'vitest/config', 'aws4']);

function checkImport(
  root: string,
  project: string,
  path: string,
  specifier: string,
  targets: readonly string[],
  declared: ReadonlySet<string>,
): string | undefined {
  const isTest = /\.test\.ts$|\/testing\//.test(path);
  const room = (file: string): string => relative(join(root, project), file).split('/')[0] ?? '';
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(path), specifier);
    if (!target.startsWith(join(root, project) + '/')) return `leaves ${project}/`;
    if (!specifier.endsWith('.ts') && !specifier.endsWith('.json')) return undefined;
    if (room(path) === 'placement' && project === 'scheduler' && room(target) !== 'placement') {
      return 'leaves placement/, which must stay pure';
    }
    return undefined;
  }
  if (specifier.startsWith('node:')) {
    return project === 'scheduler' && room(path) === 'placement' && !isTest
      ? 'is I/O; placement/ must stay pure'
      : undefined;
  }
  const workspace = /^@slipway\/([^/]+)/.exec(specifier)?.[1];
  if (workspace !== undefined) {
    if (workspace === project) return 'names its own package; use a relative import';
    if (!targets.includes(workspace)) return `is not allowed: ${project} may not import ${workspace}`;
    return declared.has(`@slipway/${workspace}`) ? undefined : 'is not declared in package.json';
  }
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? specifier);
  if (declared.has(name) || (shared.has(name) && isTest) || shared.has(specifier)) return undefined;
  return declared.has(`@types/${name}`) ? undefined : 'is not declared in package.json';
}
