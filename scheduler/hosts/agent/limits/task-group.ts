import type Docker from 'dockerode';

import type { AgentTask } from '../../wire/index.ts';
import { ownContainers } from '../pause.ts';
import { groupOf, limitsOf } from './limits.ts';
import { LimitsError, type TaskLimitsPort } from './port.ts';

type Inspected = Pick<Docker.ContainerInspectInfo, 'State' | 'HostConfig'>;

const isLimited = (info: Inspected | undefined): boolean => (info?.HostConfig.CgroupParent ?? '') !== '';

/** The control group of one task, as its runner asks for it. */
export class TaskGroup {
  readonly #limits: TaskLimitsPort;
  readonly #task: AgentTask;
  readonly #pids: number;
  /** Processes of the task that the kernel had ended for want of memory at the last look; undefined before the first. */
  #kills: number | undefined;
  /** When containers ended for want of the task's memory, in Docker's words. */
  readonly #ranOut = new Map<string, string>();

  /** @param pids processes and threads of the task at most */
  constructor(limits: TaskLimitsPort, task: AgentTask, pids: number) {
    this.#limits = limits;
    this.#task = task;
    this.#pids = pids;
  }

  /** What its containers are made in; undefined where each of them is to be limited on its own. @throws LimitsError */
  async parent(): Promise<string | undefined> {
    const why = await this.#limits.reason();
    if (why === undefined) return this.#limits.parentOf(groupOf(this.#task.arn));
    // The sizes of a single container are those of its task; Fargate has no others.
    if (this.#task.launchType !== 'FARGATE' || ownContainers(this.#task).length === 1) return undefined;
    throw new LimitsError(`this host cannot hold the containers of a task to its size together: ${why}`);
  }

  /** Has the group ready for a container that is about to start, if it is made in it. @throws LimitsError */
  async hold(info: Inspected | undefined): Promise<void> {
    if (!isLimited(info)) return;
    // An earlier run of the agent found that this host can.
    const why = await this.#limits.reason();
    if (why !== undefined) throw new LimitsError(`the task's control group cannot be made any more: ${why}`);
    await this.#limits.hold(groupOf(this.#task.arn), limitsOf(this.#task, this.#pids));
  }

  /**
   * An engine with other control groups than this agent's would run the container without limits, and nobody would know.
   * @throws LimitsError
   */
  async check(info: Inspected): Promise<void> {
    const { Running: runs, Pid: pid } = info.State;
    if (!isLimited(info) || !runs || (await this.#limits.holds(groupOf(this.#task.arn), pid))) return;
    throw new LimitsError('the Docker engine put the container outside of the control group of its task');
  }

  /**
   * Whether it was the memory of its task that a container ran out of. Engines on control groups of version 2 may look at the
   * container's own limit alone: the task's group counts what the kernel ended in it.
   * @param before how the container was at the last look
   */
  async ranOut(name: string, info: Inspected, before: Inspected | undefined): Promise<boolean> {
    const { State: state } = info;
    if (!isLimited(info)) return false;
    if (this.#ranOut.get(name) === state.FinishedAt) return true;
    const known = this.#kills;
    const ended = state.Status === 'exited' && before?.State.Running === true;
    if (known !== undefined && !ended) return false;
    if ((await this.#limits.reason()) !== undefined) return false;
    this.#kills = await this.#limits.kills(groupOf(this.#task.arn));
    if (known === undefined || !ended || state.ExitCode !== 137 || this.#kills <= known) return false;
    this.#ranOut.set(name, state.FinishedAt);
    return true;
  }
}
