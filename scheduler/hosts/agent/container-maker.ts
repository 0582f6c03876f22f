import { settleLogOptions } from '../../reach/index.ts';
import type { AgentContainer, AgentTask } from '../wire/index.ts';
import { containerName, createOptions, dynamicPorts } from './create-options.ts';
import { engineCall, EngineError } from './docker.ts';
import type { RunnerPorts } from './engine-ports.ts';
import { inTime } from './engine-time.ts';
import type { HeldFileSystems } from './held-file-systems.ts';
import type { TaskGroup } from './limits/index.ts';
import { holderName, isInternal } from './pause.ts';
import { portsOf } from './port-ranges.ts';
import { type Routing, routingOf } from './routers/index.ts';
import type { SavedTask } from './saved-task.ts';
import { ensureVolume } from './volumes.ts';

/** Makes the containers of one task, with what they need of this host: volumes, ports, groups, the files of a log router. */
export class ContainerMaker {
  readonly #ports: RunnerPorts;
  readonly #group: TaskGroup;
  readonly #fileSystems: HeldFileSystems;

  constructor(ports: RunnerPorts, group: TaskGroup, fileSystems: HeldFileSystems) {
    this.#ports = ports;
    this.#group = group;
    this.#fileSystems = fileSystems;
  }

  /**
   * Makes one, unless it is made already.
   * @param saved the task, with the image of the container
   * @throws EngineError, EngineUnavailable, EngineTimeout, VolumeError, FileSystemError, RouterError, LimitsError, IsolationError, LogSetupRefused
   */
  async make(saved: SavedTask, container: AgentContainer): Promise<void> {
    const { docker, options, agentId } = this.#ports;
    const { task } = saved;
    await this.#ports.logs.check(task);
    const image = saved.images[container.name]?.reference ?? container.image;
    const rights = { docker, agentId, cluster: options.cluster, allow: options.allow };
    const share = container.name === holderName ? await this.#fileSystems.prepare(task, image) : undefined;
    for (const { sourceVolume } of container.mountPoints) await ensureVolume(task, sourceVolume, rights);
    const secrets = this.#ports.secrets.of(task.arn, container.name);
    const routing = await this.#routing(task, container);
    const request = createOptions(task, container, {
      agentId,
      installation: saved.installation,
      cluster: options.cluster,
      region: options.region,
      bindAddress: options.bindAddress,
      environment: isInternal(container)
        ? {}
        : {
            ...routing.environment,
            ...secrets.environment,
            ...this.#ports.environment(task, container.name, saved.credentialsId),
          },
      dns: isInternal(container) ? await options.dns() : [],
      hostPorts: await this.#hostPorts(task, container),
      parent: await this.#group.parent(),
      storage: (await this.#ports.storage.reason()) === undefined ? task.ephemeralStorage : undefined,
      runtime: await this.#ports.isolation.runtimeOf(task, container),
      pidsLimit: options.taskPidsLimit,
      mounts: routing.mounts,
      image,
      share,
    });
    const log = request.HostConfig?.LogConfig;
    if (routing.log !== undefined) {
      request.HostConfig = { ...request.HostConfig, LogConfig: routing.log };
    } else if (log) {
      const { reach } = options;
      const Config = await settleLogOptions(log.Type, { ...log.Config, ...secrets.logOptions }, reach);
      request.HostConfig = { ...request.HostConfig, LogConfig: { ...log, Config } };
    }
    try {
      const asked = engineCall(() => docker.createContainer(request));
      await inTime('created', options.clock, asked);
    } catch (error) {
      // The name is taken: an earlier attempt whose answer was lost. The next look finds the container.
      if (!(error instanceof EngineError && error.status === 409)) throw error;
    }
  }

  #routing(task: AgentTask, container: AgentContainer): Promise<Routing> {
    const { docker, options, routers, secrets } = this.#ports;
    return routingOf(task, container, {
      routers,
      cluster: options.cluster,
      secretsOf: (name) => secrets.of(task.arn, name),
      addressOf: async ({ name }) => {
        const found = await engineCall(() => docker.getContainer(containerName(task, name)).inspect());
        return found.NetworkSettings.Networks['bridge']?.IPAddress || '';
      },
    });
  }

  async #hostPorts(task: AgentTask, container: AgentContainer): Promise<Map<number, number>> {
    const given = new Map<number, number>();
    for (const [index, mapping] of dynamicPorts(task, container)) {
      const ports = portsOf(mapping);
      if (ports === undefined) continue;
      const use = `${container.name}/${index}`;
      given.set(index, await this.#ports.hostPorts.take(task.arn, use, ports.protocol, ports.count));
    }
    return given;
  }

  /** Gives back the ports of a task that is over; others get them after a while. */
  async letPortsRest(task: AgentTask): Promise<void> {
    if (!task.containers.some((container) => dynamicPorts(task, container).length > 0)) return;
    // What cannot be written down now, the next run of the agent finds.
    await this.#ports.hostPorts
      .release(task.arn)
      .catch((err: unknown) => this.#ports.log.warn({ task: task.arn, err }, 'could not note ports that rest'));
  }
}
