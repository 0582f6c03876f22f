import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';

import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import { engineCall, EngineUnavailable } from '../docker.ts';
import { GroupFiles } from './group-files.ts';
import { readHierarchy } from './hierarchy.ts';
import { groupNames, type Limits } from './limits.ts';
import { OtherAgents } from './other-agents.ts';
import type { TaskLimitsPort } from './port.ts';
import { makeSlice, removeSlice, type Run, slicePath } from './slices.ts';

export interface TaskLimitsOptions {
  readonly agentId: string;
  readonly docker: Docker;
  readonly run: Run;
  readonly clock: Pick<Clock, 'now'>;
}

/** The part of Docker's `/info` that is used. */
interface EngineInfo {
  readonly CgroupDriver?: string;
  /** Absent from engines that know version 1 only. */
  readonly CgroupVersion?: string;
}

/** What has been found out about the host. */
interface Found {
  readonly files: GroupFiles;
  readonly systemd: boolean;
}

/** Begins the names of all control groups that agents make. */
const top = 'slipway';

/**
 * A control group for each task, above those of its containers: what they may take together. Groups are found where the kernel
 * shows them, so that nothing has to be remembered; one without processes goes with the next sweep.
 */
export class TaskLimits implements TaskLimitsPort {
  readonly #options: TaskLimitsOptions;
  readonly #agent: string;
  #found: Found | undefined;
  readonly #others: OtherAgents;

  constructor(options: TaskLimitsOptions) {
    this.#options = options;
    this.#others = new OtherAgents(options.clock);
    this.#agent = createHash('sha256').update(options.agentId).digest('hex').slice(0, 12);
  }

  async reason(): Promise<string | undefined> {
    if (this.#found !== undefined) return undefined;
    const { docker } = this.#options;
    const { socketPath } = docker.modem as { socketPath?: unknown };
    if (process.platform !== 'linux' || socketPath === undefined) {
      return 'tasks are limited as a whole on Linux only, by an agent beside its Docker engine';
    }
    if (process.geteuid?.() !== 0) return 'the agent does not run as root';
    try {
      return await this.#find();
    } catch (error) {
      if (error instanceof EngineUnavailable) throw error;
      return (error as Error).message;
    }
  }

  parentOf(group: string): string {
    return this.#found?.systemd === true ? this.#slice(group) : this.#folder(group);
  }

  async hold(group: string, limits: Limits): Promise<void> {
    const { files, systemd } = this.#known();
    if (systemd) await makeSlice(this.#options.run, this.#slice(group), limits);
    else await files.make(this.#folder(group), limits);
  }

  async holds(group: string, pid: number): Promise<boolean> {
    return this.#known().files.holds(this.#pathOf(group), pid);
  }

  async kills(group: string): Promise<number> {
    return this.#known().files.kills(this.#pathOf(group));
  }

  async sweep(kept: Pick<ReadonlySet<string>, 'has'>): Promise<number> {
    if (this.#found === undefined) return 0;
    const { files, systemd } = this.#found;
    let count = 0;
    const above = systemd ? slicePath(`${top}-${this.#agent}.slice`) : `/${top}/${this.#agent}`;
    for (const name of await files.below(above)) {
      const group = systemd ? name.slice(`${top}-${this.#agent}-`.length, -'.slice'.length) : name;
      if (!groupNames.test(group) || kept.has(group)) continue;
      if (await this.#remove(this.parentOf(group))) count += 1;
    }
    if (!systemd) await this.#others.sweep(files, `/${top}`, this.#agent);
    return count;
  }

  async release(parent: string): Promise<void> {
    if (this.#found !== undefined && ownParents.test(parent)) await this.#remove(parent);
  }

  async close(): Promise<void> {
    await this.sweep(new Set());
    if (this.#found?.systemd === false) await this.#found.files.remove(`/${top}/${this.#agent}`);
  }

  async #find(): Promise<string | undefined> {
    const { docker, run } = this.#options;
    const info = await engineCall(() => docker.info() as Promise<EngineInfo>);
    const driver = info.CgroupDriver;
    if (driver !== 'cgroupfs' && driver !== 'systemd') {
      return `the Docker engine's control group driver is ${driver ?? 'not told'}; it must be cgroupfs or systemd`;
    }
    const files = new GroupFiles(await readHierarchy(), info.CgroupVersion === '2' ? 2 : 1);
    const missing = await files.missing();
    if (missing !== undefined) return missing;
    const systemd = driver === 'systemd';
    if (systemd) {
      await access('/run/systemd/system');
      await run('systemctl', ['--version']);
    } else {
      // What makes one group makes the others: also on a kernel that shows its groups to be read only.
      await files.make(`/${top}/${this.#agent}`, { shares: 1_024, swap: true, pids: maxPids });
    }
    this.#found = { files, systemd };
    return undefined;
  }

  #known(): Found {
    if (this.#found === undefined)
      throw new Error('limits are asked for before it is known whether this host has them');
    return this.#found;
  }

  #folder(group: string): string {
    return `/${top}/${this.#agent}/${group}`;
  }

  #slice(group: string): string {
    return `${top}-${this.#agent}-${group}.slice`;
  }

  #pathOf(group: string): string {
    return this.#known().systemd ? slicePath(this.#slice(group)) : this.#folder(group);
  }

  async #remove(parent: string): Promise<boolean> {
    const { files, systemd } = this.#known();
    if (!systemd) return files.remove(parent);
    if ((await files.below(slicePath(parent))).size > 0) return false;
    await removeSlice(this.#options.run, parent);
    return true;
  }
}

/** The kernel's own limit of processes on machines of 64 bits. */
const maxPids = 4_194_304;

const ownParents = /^(?:\/slipway\/[0-9a-f]{12}\/[0-9a-f]{32}|slipway-[0-9a-f]{12}-[0-9a-f]{32}\.slice)$/;
