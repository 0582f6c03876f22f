import type { AgentTask } from '../wire/index.ts';

import { containerName, dockerName, volumeName } from './create-options.ts';
import { internalPrefix } from './pause.ts';

/**
 * Why two things of a task would be one to the engine, or undefined. Names are cut and cleaned for it, and the agent has containers of its own:
 * whoever had one of their names could take the volumes of the one that holds all file systems.
 */
export function nameClash(task: AgentTask): string | undefined {
  const reserved = dockerName(internalPrefix);
  const own = task.containers.find(({ name }) => dockerName(name).startsWith(reserved));
  if (own !== undefined) return `container ${own.name}: names that begin with ${reserved} are the agent's own.`;
  const container = twice(task.containers, ({ name }) => containerName(task, name));
  if (container !== undefined) return `container ${container.name}: its name is another one's to the Docker engine.`;
  const volume = twice(task.volumes, (one) => volumeName(task, one));
  return volume === undefined ? undefined : `volume ${volume.name}: its name is another one's to the Docker engine.`;
}

/** The first that has a name which one before it has. */
function twice<T>(all: readonly T[], nameOf: (one: T) => string | undefined): T | undefined {
  const seen = new Set<string>();
  return all.find((one) => {
    const name = nameOf(one);
    if (name === undefined) return false;
    const known = seen.has(name);
    seen.add(name);
    return known;
  });
}
