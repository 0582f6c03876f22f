import type Docker from 'dockerode';

import type { AgentContainer, AgentTask, ContainerSecrets } from '../../wire/index.ts';
import { addedPath, configurationPath, routerConfiguration, socketFolder } from './configuration.ts';
import type { RouterPort } from './port.ts';
import { forwardPort, idOf, routedLog, routedOptions, routerOf, routerVariables } from './task.ts';

/** What a container gets because its task routes output. */
export interface Routing {
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly Docker.MountSettings[];
  /** In the place of the log driver that the definition names. */
  readonly log?: { readonly Type: string; readonly Config: Record<string, string> };
}

export interface RoutingPorts {
  readonly routers: Pick<RouterPort, 'prepare' | 'socket'>;
  /** Cluster name or ARN. */
  readonly cluster: string;
  readonly secretsOf: (container: string) => ContainerSecrets;
  /** Asks the engine for the address of a container on its bridge; empty when it has none. */
  readonly addressOf: (container: AgentContainer) => Promise<string>;
}

/**
 * Makes what a container needs to route, or to have its output routed: for the router its configuration, the folder of its socket and the
 * secrets of all outputs; for others Docker's driver to that socket, and where the router listens.
 * @throws RouterError, EngineUnavailable, EngineError
 */
export async function routingOf(task: AgentTask, container: AgentContainer, ports: RoutingPorts): Promise<Routing> {
  const router = routerOf(task);
  if (router === undefined) return { environment: {}, mounts: [] };
  if (container.name === router.name) {
    const { type = '' } = router.firelensConfiguration ?? {};
    const { routerConfiguration: added } = ports.secretsOf(router.name);
    const text = routerConfiguration(task, router, ports.cluster);
    const files = await ports.routers.prepare(idOf(task), text, added);
    return {
      environment: routerVariables(task, ports.secretsOf),
      // Not binds: of a path that the engine does not see it would make an empty folder.
      mounts: [
        { Type: 'bind', Source: files.configuration, Target: configurationPath(type), ReadOnly: true },
        ...(added === undefined
          ? []
          : [{ Type: 'bind' as const, Source: files.added, Target: addedPath(type), ReadOnly: true }]),
        { Type: 'bind', Source: files.folder, Target: socketFolder },
      ],
    };
  }
  if (routedOptions(container) === undefined) return { environment: {}, mounts: [] };
  const host = await listening(task, router, ports);
  return {
    environment: host === '' ? {} : { FLUENT_HOST: host, FLUENT_PORT: String(forwardPort) },
    mounts: [],
    log: routedLog(task, container, ports.routers.socket(idOf(task))),
  };
}

/** Where a container of the task finds the router's TCP input. */
async function listening(task: AgentTask, router: AgentContainer, ports: RoutingPorts): Promise<string> {
  if (task.networkMode === 'awsvpc') return '127.0.0.1';
  return ['bridge', 'default', ''].includes(task.networkMode) ? ports.addressOf(router) : '';
}
