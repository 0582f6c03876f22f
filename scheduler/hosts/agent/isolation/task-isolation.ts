import type Docker from 'dockerode';

import type { AgentContainer, AgentTask } from '../../wire/index.ts';
import { engineCall } from '../docker.ts';
import { isInternal, ownContainers } from '../pause.ts';
import { dockerHostConfig } from '../policy.ts';
import { type EngineRuntime, type Isolation, isolationBy } from './runtimes.ts';

/** A task is to be isolated, and is not what this host can isolate; the message says why. */
export class IsolationError extends Error {
  override readonly name = 'IsolationError';
}

/** The part of Docker's `/info` that is used. */
interface EngineInfo {
  readonly Runtimes?: Readonly<Record<string, EngineRuntime>>;
}

/** What runs the containers of Fargate's tasks on this host: a runtime that keeps them from its kernel, where the agent was told one. */
export class TaskIsolation {
  readonly #docker: Pick<Docker, 'info'>;
  readonly #name: string | undefined;
  #found: Isolation | { readonly reason: string } | undefined;

  /** @param name the runtime as it is registered with Docker; undefined where tasks of Fargate run as all others do */
  constructor(docker: Pick<Docker, 'info'>, name: string | undefined) {
    this.#docker = docker;
    this.#name = name;
  }

  /** Asks the engine anew. @returns undefined where nothing is to be isolated @throws EngineUnavailable */
  async look(): Promise<Isolation | { readonly reason: string } | undefined> {
    if (this.#name === undefined) return undefined;
    const { Runtimes = {} } = await engineCall(() => this.#docker.info() as Promise<EngineInfo>);
    this.#found = isolationBy(this.#name, Runtimes);
    return this.#found;
  }

  /**
   * The runtime of a container; undefined for the engine's usual one, which what the agent itself adds to a task has everywhere.
   * @throws IsolationError for what must be isolated and cannot be; EngineUnavailable
   */
  async runtimeOf(task: AgentTask, container: AgentContainer): Promise<string | undefined> {
    if (this.#name === undefined || task.launchType !== 'FARGATE' || isInternal(container)) return undefined;
    const found = this.#found ?? (await this.look());
    if (found === undefined) return undefined;
    if ('reason' in found) throw new IsolationError(`this host isolates tasks of Fargate, and cannot: ${found.reason}`);
    const why = unlike(task, found);
    if (why === undefined) return found.runtime;
    throw new IsolationError(`this host isolates tasks of Fargate by ${found.runtime}, and this one ${why}`);
  }
}

/** What keeps a task from being isolated; placement goes by the same (`scheduler/tasks/isolated.ts`). */
function unlike(task: AgentTask, { several }: Isolation): string | undefined {
  if (!several && ownContainers(task).length > 1) return 'has several containers';
  if (task.pidMode === 'task') return 'has one PID namespace (pidMode task)';
  if (task.ipcMode === 'task') return 'has one IPC namespace (ipcMode task)';
  const controls = ownContainers(task).some(
    ({ dockerConfig: { hostConfig } }) =>
      Object.keys(dockerHostConfig.parse(JSON.parse(hostConfig)).Sysctls ?? {}).length > 0,
  );
  if (controls) return 'sets parameters of the kernel (systemControls)';
  if (task.containers.some(({ firelensConfiguration }) => firelensConfiguration !== undefined))
    return 'has a log router, whose socket the engine could not reach';
  return undefined;
}
