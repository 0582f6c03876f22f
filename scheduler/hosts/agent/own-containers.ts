import type Docker from 'dockerode';

import { engineCall, EngineError, labels } from './docker.ts';
import type { HostPorts, Protocol } from './host-ports.ts';
import type { TaskLimitsPort } from './limits/index.ts';

export interface OwnContainersPorts {
  readonly docker: Docker;
  readonly agentId: string;
  readonly limits: Pick<TaskLimitsPort, 'release'>;
  readonly hostPorts: Pick<HostPorts, 'rest'>;
}

/** The containers of one agent on its Docker engine. What is gone already counts as done. */
export class OwnContainers {
  readonly #docker: Docker;
  readonly #agentId: string;
  readonly #limits: Pick<TaskLimitsPort, 'release'>;
  readonly #hostPorts: Pick<HostPorts, 'rest'>;
  readonly #stopTimeout: number;

  /** @param stopTimeout milliseconds between SIGTERM and SIGKILL for those whose task is not known */
  constructor({ docker, agentId, limits, hostPorts }: OwnContainersPorts, stopTimeout: number) {
    this.#docker = docker;
    this.#agentId = agentId;
    this.#limits = limits;
    this.#hostPorts = hostPorts;
    this.#stopTimeout = stopTimeout;
  }

  /** All of them, or those of one task. @throws EngineUnavailable */
  list(taskArn?: string): Promise<Docker.ContainerInfo[]> {
    const wanted = [
      `${labels.agent}=${this.#agentId}`,
      ...(taskArn === undefined ? [] : [`${labels.task}=${taskArn}`]),
    ];
    return engineCall(() => this.#docker.listContainers({ all: true, filters: { label: wanted } }));
  }

  /** Stops and removes containers, also those of other agents. Somebody may still route to their ports: nobody gets them for a while. */
  async end(containers: readonly Docker.ContainerInfo[]): Promise<void> {
    const parents = new Set<string>();
    await Promise.all(
      containers.map(async ({ Id: id, State: state }) => {
        const found = await this.#inspect(id);
        parents.add(found?.HostConfig.CgroupParent ?? '');
        await this.#hostPorts.rest(publishedBy(found));
        if (state === 'running') await this.stop(id);
        await this.remove(id);
      }),
    );
    // The sweep of another agent's groups is its own, and it may be gone.
    for (const parent of parents) await this.#limits.release(parent);
  }

  async stop(id: string): Promise<void> {
    const t = Math.round(this.#stopTimeout / 1000);
    await ignoreAbsent(() => this.#docker.getContainer(id).stop({ t }));
  }

  async #inspect(id: string): Promise<Docker.ContainerInspectInfo | undefined> {
    let found: Docker.ContainerInspectInfo | undefined;
    await ignoreAbsent(async () => {
      found = await this.#docker.getContainer(id).inspect();
    });
    return found;
  }

  async remove(idOrName: string): Promise<void> {
    await ignoreAbsent(() => this.#docker.getContainer(idOrName).remove({ force: true, v: true }));
  }

  async removeVolume(name: string): Promise<void> {
    await ignoreAbsent(() => this.#docker.getVolume(name).remove());
  }
}

/** The ports of the host that a container has, or had while it ran. */
function publishedBy(found: Docker.ContainerInspectInfo | undefined): { protocol: Protocol; port: number }[] {
  const bindings: Record<string, readonly { HostPort?: string }[] | null> = {
    ...(found?.HostConfig.PortBindings as Record<string, readonly { HostPort?: string }[]> | undefined),
    ...found?.NetworkSettings.Ports,
  };
  return Object.entries(bindings).flatMap(([name, places]) => {
    const protocol = name.split('/')[1];
    if (protocol !== 'tcp' && protocol !== 'udp') return [];
    return (places ?? [])
      .map(({ HostPort }) => ({ protocol, port: Number(HostPort) }) as const)
      .filter(({ port }) => port > 0);
  });
}

async function ignoreAbsent(work: () => Promise<unknown>): Promise<void> {
  try {
    await engineCall(work);
  } catch (error) {
    if (!(error instanceof EngineError && (error.status === 404 || error.status === 304))) throw error;
  }
}
