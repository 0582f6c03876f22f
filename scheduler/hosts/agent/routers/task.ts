import { firelensBuffer, refuseRouted, refuseRouter } from '../../../reach/index.ts';
import { type AgentContainer, type AgentTask, type ContainerSecrets, needsSecrets } from '../../wire/index.ts';
import { ownContainers } from '../pause.ts';
import { dockerHostConfig } from '../policy.ts';

/** The log driver of containers whose output a router of their task takes. */
export const routedDriver = 'awsfirelens';

/** Where routers listen beside their socket, for programs that speak the forward protocol themselves. */
export const forwardPort = 24_224;

/** The container that takes the output of others, if the task has one. */
export const routerOf = (task: AgentTask): AgentContainer | undefined =>
  ownContainers(task).find(({ firelensConfiguration }) => firelensConfiguration !== undefined);

/** The options of `awsfirelens` of a container that has it. */
export function routedOptions({ dockerConfig }: AgentContainer): Readonly<Record<string, string>> | undefined {
  const log = dockerHostConfig.parse(JSON.parse(dockerConfig.hostConfig)).LogConfig;
  return log?.Type === routedDriver ? (log.Config ?? {}) : undefined;
}

/** The secrets of a container that are options of its output. */
export const secretOptionsOf = ({ secrets }: AgentContainer): string[] =>
  secrets.flatMap((secret) => {
    const { name, target } = secret as { readonly name?: unknown; readonly target?: unknown };
    return target === 'LOG_DRIVER' && typeof name === 'string' ? [name] : [];
  });

/** The variable of the router that has the value of a secret option; containers are told apart by their place, since names may have hyphens. */
export const variableOf = (task: AgentTask, container: AgentContainer, option: string): string =>
  `${option}_${ownContainers(task).findIndex(({ name }) => name === container.name)}`;

/** A task in which containers whose output is routed start behind their router, as amazon-ecs-agent has it. */
export function withRouter(task: AgentTask): AgentTask {
  const router = routerOf(task);
  if (router === undefined) return task;
  const after = { containerName: router.name, condition: 'START' } as const;
  return {
    ...task,
    containers: task.containers.map((container) =>
      routedOptions(container) === undefined ||
      container.dependsOn.some(({ containerName }) => containerName === router.name)
        ? container
        : { ...container, dependsOn: [...container.dependsOn, after] },
    ),
  };
}

/** Whether a container cannot be made without values that travel beside it: a router has its file of S3, and the secrets of all outputs. */
export function awaitsSecrets(task: AgentTask, container: AgentContainer): boolean {
  const { firelensConfiguration: router } = container;
  if (needsSecrets(container)) return true;
  return (
    router !== undefined &&
    ownContainers(task).some((other) => routedOptions(other) !== undefined && secretOptionsOf(other).length > 0)
  );
}

/** The router's variables with the secret options of all outputs. */
export function routerVariables(
  task: AgentTask,
  secretsOf: (container: string) => ContainerSecrets,
): Record<string, string> {
  return Object.fromEntries(
    ownContainers(task)
      .filter((container) => routedOptions(container) !== undefined)
      .flatMap((container) =>
        Object.entries(secretsOf(container.name).logOptions).map(([option, value]) => [
          variableOf(task, container, option),
          value,
        ]),
      ),
  );
}

/** The log driver of a container whose output is routed: Docker's for Fluentd, to the socket of its task's router and nowhere else. */
export function routedLog(
  task: AgentTask,
  container: AgentContainer,
  socket: string,
): { Type: string; Config: Record<string, string> } {
  return {
    Type: 'fluentd',
    Config: {
      'fluentd-address': `unix://${socket}`,
      tag: `${container.name}-firelens-${idOf(task)}`,
      // A router that is slow or away holds up no container.
      'fluentd-async': 'true',
      'fluentd-sub-second-precision': 'true',
      'fluentd-buffer-limit': firelensBuffer(routedOptions(container) ?? {}),
    },
  };
}

/** The id of a task, which names its files. @throws Error when it is none */
export function idOf({ arn }: Pick<AgentTask, 'arn'>): string {
  const id = arn.slice(arn.lastIndexOf('/') + 1);
  if (!/^[\w-]{1,64}$/.test(id)) throw new Error(`${arn} does not end with the id of a task`);
  return id;
}

/** Why this host must not route a task's output as it is asked to, or undefined; independent of the control plane's checks. */
export function routingRefusal(task: AgentTask): string | undefined {
  const routers = ownContainers(task).filter(({ firelensConfiguration }) => firelensConfiguration !== undefined);
  const [router, second] = routers;
  if (second !== undefined) return `container ${second.name}: a task has one log router, and ${router?.name} is one.`;
  const { type = '', options = {} } = router?.firelensConfiguration ?? {};
  const wrong = router === undefined ? undefined : refuseRouter(type, options);
  if (wrong !== undefined) return `container ${router?.name}: ${wrong}`;
  for (const container of ownContainers(task)) {
    const routed = routedOptions(container);
    if (routed === undefined) continue;
    const why =
      router === undefined
        ? `The log driver '${routedDriver}' needs a container with a firelensConfiguration.`
        : container === router
          ? 'A log router cannot route its own output.'
          : refuseRouted(type, routed, secretOptionsOf(container));
    if (why !== undefined) return `container ${container.name}: ${why}`;
  }
  return undefined;
}
