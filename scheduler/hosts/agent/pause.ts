import type { AgentContainer, AgentTask } from '../wire/index.ts';

import { volumePoint } from './file-systems/index.ts';

/** What the names of all containers begin with that are the agent's own. */
export const internalPrefix = '~internal~ecs~';

/** The container that holds the namespaces that a task's containers share, as amazon-ecs-agent calls it. */
export const pauseName = '~internal~ecs~pause';

/**
 * The container that holds what a task's file systems are mounted from, so that it stays what was looked at: the engine follows a path
 * when the first container that has it starts, and again when none was left.
 */
export const holderName = '~internal~ecs~volumes';

/** Whether a container is the agent's own: no report, metadata or measurement tells of it. */
export const isInternal = ({ name }: Pick<AgentContainer, 'name'>): boolean =>
  name === pauseName || name === holderName;

/** The containers of the task definition. */
export const ownContainers = (task: AgentTask): AgentContainer[] =>
  task.containers.filter((container) => !isInternal(container));

/** Whether the containers of a task share what none of them is to own: a network interface, their processes, or their IPC objects. */
const shares = ({ networkMode, pidMode, ipcMode }: AgentTask): boolean =>
  networkMode === 'awsvpc' || pidMode === 'task' || ipcMode === 'task';

/**
 * A task whose containers share namespaces, with the container that holds these: the first to start, and the last to
 * stop. A container that is started again finds them as they were.
 */
export function withPause(task: AgentTask): AgentTask {
  if (!shares(task) || task.containers.some(({ name }) => name === pauseName)) return task;
  return before(task, waiting(pauseName));
}

/** A task with file systems, with the container that holds them: nothing of the task is made until it was seen what that has. */
export function withHolder(task: AgentTask): AgentTask {
  const own = task.volumes.filter(({ fileSystem }) => fileSystem !== undefined);
  if (own.length === 0 || task.containers.some(({ name }) => name === holderName)) return task;
  const mountPoints = own.map(({ name }, index) => ({
    sourceVolume: name,
    containerPath: volumePoint(index),
    readOnly: true,
  }));
  return before(task, { ...waiting(holderName), mountPoints });
}

/** What does nothing, and has nothing. */
const waiting = (name: string): AgentContainer => ({
  name,
  image: name,
  essential: true,
  cpu: 0,
  memory: 0,
  environment: {},
  environmentFiles: [],
  secrets: [],
  portMappings: [],
  overrides: '{}',
  mountPoints: [],
  volumesFrom: [],
  links: [],
  dependsOn: [],
  dockerConfig: { config: '{}', hostConfig: '{}' },
});

/** A task with a container that all others wait for. */
function before(task: AgentTask, first: AgentContainer): AgentTask {
  const after = { containerName: first.name, condition: 'START' } as const;
  return {
    ...task,
    containers: [
      first,
      ...task.containers.map((container) => ({ ...container, dependsOn: [...container.dependsOn, after] })),
    ],
  };
}
