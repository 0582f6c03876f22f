/** Loading plug-ins by configuration: module names in, strategies and constraints out. */
import { PlacementError } from './errors.ts';
import type { Constraint, Strategy } from './extension.ts';

export interface PlacementPlugins {
  readonly strategies: readonly Strategy[];
  readonly constraints: readonly Constraint[];
}

/**
 * Imports each module and takes the `strategies` and `constraints` it exports. `load` is the caller's `import()`, so that
 * names are resolved from where the configuration says. Throws `PlacementError` (INVALID_PLUGIN) that names the module.
 */
export async function loadPlacementPlugins(
  modules: readonly string[],
  load: (module: string) => Promise<unknown>,
): Promise<PlacementPlugins> {
  const strategies: Strategy[] = [];
  const constraints: Constraint[] = [];
  for (const module of modules) {
    const exported = await imported(module, load);
    strategies.push(...listOf<Strategy>(module, exported, 'strategies'));
    constraints.push(...listOf<Constraint>(module, exported, 'constraints'));
    if (exported['strategies'] === undefined && exported['constraints'] === undefined) {
      throw invalid(module, 'exports neither "strategies" nor "constraints"');
    }
  }
  return { strategies, constraints };
}

async function imported(module: string, load: (module: string) => Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    return (await load(module)) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(module, `cannot be imported: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function listOf<T extends Strategy | Constraint>(module: string, exported: Record<string, unknown>, name: string): T[] {
  const list = exported[name] ?? [];
  if (!Array.isArray(list)) throw invalid(module, `exports "${name}" that is no array`);
  for (const entry of list as Partial<Strategy>[]) {
    const { type } = entry ?? {};
    if (typeof type !== 'string' || !/^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$/.test(type)) {
      throw invalid(module, `has an entry in "${name}" whose type is not <vendor>:<name> in small letters`);
    }
    if (type.startsWith('slipway:')) throw invalid(module, `calls an entry ${type}: "slipway:" is the core's own`);
    if (typeof entry.open !== 'function') throw invalid(module, `has the entry ${type} without a function "open"`);
  }
  return list as T[];
}

function invalid(module: string, problem: string, cause?: unknown): PlacementError {
  return new PlacementError('INVALID_PLUGIN', `the placement plug-in ${module} ${problem}`, { cause });
}
