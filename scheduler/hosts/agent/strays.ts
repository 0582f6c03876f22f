import type Docker from 'dockerode';

import type { Log } from '@slipway/auth/contract';

import { engineCall, labels } from './docker.ts';

export interface StraysPorts {
  readonly docker: Docker;
  readonly agentId: string;
  /** Name or ARN. */
  readonly cluster: string;
  readonly log: Log;
}

/**
 * Containers on this engine that another agent made for the same installation and cluster: left behind when its data folder was
 * lost, or of an agent that lives. Which of them may go, only the control plane can say.
 */
export class Strays {
  readonly #ports: StraysPorts;
  #byTask: ReadonlyMap<string, readonly Docker.ContainerInfo[]> = new Map();

  constructor(ports: StraysPorts) {
    this.#ports = ports;
  }

  /** ARNs of their tasks. */
  get tasks(): Iterable<string> {
    return this.#byTask.keys();
  }

  /** Looks for those of an installation; an engine that does not answer leaves what was found before. */
  async find(installation: string): Promise<void> {
    const { agentId, docker, cluster, log } = this.#ports;
    const label = `${labels.installation}=${installation}`;
    let found: Docker.ContainerInfo[];
    try {
      found = await engineCall(() => docker.listContainers({ all: true, filters: { label: [label] } }));
    } catch (err) {
      log.warn({ err }, 'could not look for containers of other agents');
      return;
    }
    const others = found.filter(
      ({ Labels }) => Labels[labels.agent] !== agentId && nameOf(Labels[labels.cluster] ?? '') === nameOf(cluster),
    );
    const byTask = Map.groupBy(others, ({ Labels }) => Labels[labels.task] ?? '');
    const tasks = [...byTask.keys()].filter((arn) => !this.#byTask.has(arn));
    if (tasks.length > 0) {
      log.warn(
        { tasks },
        'this Docker engine has containers that another agent made for tasks of this cluster; if its data folder was lost, they go as soon as the control plane wants them no more',
      );
    }
    this.#byTask = byTask;
  }

  /** Those of a task that the control plane confirmed is not to run; they are to be ended. */
  take(taskArn: string): readonly Docker.ContainerInfo[] {
    const containers = this.#byTask.get(taskArn) ?? [];
    const agent = containers[0]?.Labels[labels.agent];
    if (agent !== undefined) {
      const said = { task: taskArn, agent };
      this.#ports.log.warn(said, 'ending what another agent left on this Docker engine when its data was lost');
    }
    return containers;
  }
}

/** Clusters by name or ARN, as agents were told of them. */
const nameOf = (nameOrArn: string): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
