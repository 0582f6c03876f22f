import type { AgentContainer, AgentTask } from '../wire/index.ts';

/** The container that holds the namespaces that a task's containers share, as amazon-ecs-agent calls it. */
export const pauseName = '~internal~ecs~pause';

/** Whether a container is the agent's own: no report, metadata or measurement tells of it. */
export const isInternal = ({ name }: Pick<AgentContainer, 'name'>): boolean => name === pauseName;

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
  if (!shares(task) || task.containers.some(isInternal)) return task;
  const pause: AgentContainer = {
    name: pauseName,
    image: pauseName,
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
  };
  const after = { containerName: pauseName, condition: 'START' } as const;
  return {
    ...task,
    containers: [
      pause,
      ...task.containers.map((container) => ({ ...container, dependsOn: [...container.dependsOn, after] })),
    ],
  };
}
