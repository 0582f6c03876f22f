import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { doors, layers, nested, pure, pureModules } from './rooms.ts';

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
 * imports past a room's index, the layers of rooms, and rooms that are pure.
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
  const from = placeOf(root, project, path);
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(path), specifier);
    if (!target.startsWith(join(root, project) + '/')) return `leaves ${project}/`;
    if (!specifier.endsWith('.ts')) return undefined;
    const to = placeOf(root, project, target);
    if (from.room === '' || to.room === from.room) return undefined;
    if (project === 'scheduler' && from.room === 'placement') return 'leaves placement/, which must stay pure';
    // Tests look into what they test, wherever it lies.
    return isTest ? undefined : (pastTheIndex(project, to) ?? upwards(project, from.room, to.room));
  }
  if (specifier.startsWith('node:')) {
    const home = `${project}/${from.room}`;
    const isIO = pure.includes(home) && !pureModules[home]?.includes(specifier);
    return isIO && !isTest ? `is I/O; ${from.room}/ must stay pure` : undefined;
  }
  const workspace = /^@slipway\/([^/]+)/.exec(specifier)?.[1];
  if (workspace !== undefined) {
    if (workspace === project) return 'names its own package; use a relative import';
    if (!targets.includes(workspace)) return `is not allowed: ${project} may not import ${workspace}`;
    if (!isTest && specifier.endsWith('/testing') && !helpsTests(project, from.room)) return 'is for tests';
    return declared.has(`@slipway/${workspace}`) ? undefined : 'is not declared in package.json';
  }
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] ?? specifier);
  if (declared.has(name) || (shared.has(name) && isTest) || shared.has(specifier)) return undefined;
  return declared.has(`@types/${name}`) ? undefined : 'is not declared in package.json';
}

interface Place {
  /** `images`, or `hosts/wire` where rooms have rooms; empty for files beside the rooms. */
  readonly room: string;
  /** Below the room. */
  readonly file: string;
}

function placeOf(root: string, project: string, path: string): Place {
  const [first = '', ...rest] = relative(join(root, project), path).split(sep);
  if (rest.length === 0) return { room: '', file: first };
  const deep = nested.includes(`${project}/${first}`) && rest.length > 1;
  return deep ? { room: `${first}/${rest[0]}`, file: rest.slice(1).join('/') } : { room: first, file: rest.join('/') };
}

function pastTheIndex(project: string, { room, file }: Place): string | undefined {
  if (file === 'index.ts' || doors[`${project}/${room}`]?.files.includes(file)) return undefined;
  return `goes past the index of ${room}/; export it there`;
}

function upwards(project: string, from: string, to: string): string | undefined {
  const order = layers[project];
  if (order === undefined) return undefined;
  const [lower, upper] = [to, from].map((room) => order.findIndex((layer) => layer.includes(room)));
  for (const [room, layer] of [
    [to, lower],
    [from, upper],
  ]) {
    if (layer === -1) return `is in no layer: say in tools/checks/rooms.ts where ${String(room)}/ stands`;
  }
  return Number(lower) < Number(upper) ? undefined : `goes up: ${from}/ lies below ${to}/, or beside it`;
}

/** Rooms whose code runs tests or measures, though it is none. */
const helpsTests = (project: string, room: string): boolean =>
  project === 'tools' && ['bench', 'e2e', 'simulator', 'testbed'].includes(room);
