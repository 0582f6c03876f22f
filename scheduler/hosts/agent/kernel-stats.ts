import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { type Hierarchy, readHierarchy } from './limits/index.ts';
import type { Stats } from './sampler.ts';

/** A container that runs, as it is counted. */
export interface Counted {
  readonly id: string;
  readonly pid: number;
  /** As Docker has it: whose network it is in. */
  readonly networkMode: string;
  /** As Docker has it; empty where nobody says. */
  readonly runtime: string;
  /** Whether only its network counts: it holds that of others, and does nothing. */
  readonly internal: boolean;
}

/** Runtimes whose containers are processes in control groups of their own, and nothing between. */
const plain: ReadonlySet<string> = new Set(['', 'runc', 'io.containerd.runc.v2']);

/** The folders in which the kernel counts what a container uses. */
interface Folders {
  readonly cpu: string;
  readonly memory: string;
  readonly disks: string;
}

/**
 * What containers use, read where the engine reads it: asking the engine costs both of them a connection and a document for each container,
 * every few seconds. It tells of nothing that it does not know to be the container's own: then the engine is asked.
 */
export class KernelStats {
  readonly #proc: string;
  readonly #hierarchy: () => Promise<Hierarchy>;
  #known: Promise<Hierarchy> | undefined;

  constructor(proc = '/proc', hierarchy: () => Promise<Hierarchy> = () => readHierarchy()) {
    this.#proc = proc;
    this.#hierarchy = hierarchy;
  }

  /** Undefined where it cannot be told: another machine's engine, a sandbox, a container that has ended. Never throws. */
  async of(container: Counted): Promise<Stats | undefined> {
    if (!plain.has(container.runtime)) return undefined;
    // Files of the kernel wait for no disk: read at once they cost a tenth of what they cost in turns. Others have theirs in between.
    await setImmediate();
    try {
      this.#known ??= this.#hierarchy();
      return this.#read(container, await this.#known);
    } catch {
      return undefined;
    }
  }

  #read(container: Counted, hierarchy: Hierarchy): Stats | undefined {
    const { id, pid, internal, networkMode } = container;
    const folders = this.#foldersOf(id, pid, hierarchy);
    if (folders === undefined) return undefined;
    const isOwn = internal || !/^(?:host$|none$|container:)/.test(networkMode);
    const found = isOwn ? interfacesIn(this.#text(join(this.#proc, String(pid), 'net/dev'))) : {};
    // As the engine has it: of what has no interface there is nothing to tell, not that it was used by nobody.
    const networks = Object.keys(found).length === 0 ? {} : { networks: found };
    if (internal) return networks;
    const used = hierarchy.controllers.has('memory') ? this.#first(folders) : this.#second(folders.memory);
    return { ...used, ...networks };
  }

  /** Where a process is counted; undefined unless that is the control group of the container. */
  #foldersOf(id: string, pid: number, { controllers, unified = '' }: Hierarchy): Folders | undefined {
    const groups = this.#text(join(this.#proc, String(pid), 'cgroup'))
      .split('\n')
      .map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? []);
    const folder = (controller: string): string | undefined => {
      const root = controllers.get(controller);
      const own = groups.find(([, names = '']) =>
        root === undefined ? names === '' : names.split(',').includes(controller),
      );
      const path = own?.[2];
      // As the engine names it with either driver. A process number may be somebody else's by now.
      if (path === undefined || ![id, `docker-${id}.scope`].includes(basename(path))) return undefined;
      return join(root ?? unified, path);
    };
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
    const [cpu, memory, disks] = [folder('cpuacct'), folder('memory'), folder('blkio')];
    return cpu === undefined || memory === undefined || disks === undefined ? undefined : { cpu, memory, disks };
  }

  #first({ cpu, memory, disks }: Folders): Stats {
    const bytes = this.#text(join(disks, 'blkio.throttle.io_service_bytes_recursive'), '');
    const usage = Number(this.#text(join(cpu, 'cpuacct.usage')));
    return statsOf(usage, {
      usage: Number(this.#text(join(memory, 'memory.usage_in_bytes'))),
      stats: numbersIn(this.#text(join(memory, 'memory.stat'))),
      disks: Array.from(bytes.matchAll(/^\d+:\d+ (\w+) (\d+)$/gm), ([, op = '', value]) => ({
        op,
        value: Number(value),
      })),
    });
  }

  #second(folder: string): Stats {
    const { usage_usec: usage = 0 } = numbersIn(this.#text(join(folder, 'cpu.stat')));
    const disks = this.#text(join(folder, 'io.stat'), '');
    return statsOf(usage * 1_000, {
      usage: Number(this.#text(join(folder, 'memory.current'))),
      stats: numbersIn(this.#text(join(folder, 'memory.stat'))),
      disks: Array.from(disks.matchAll(/ ([rw])bytes=(\d+)/g), ([, side, value]) => ({
        op: side === 'r' ? 'read' : 'write',
        value: Number(value),
      })),
    });
  }

  /** @param otherwise for a file that a kernel need not have */
  #text(path: string, otherwise?: string): string {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (otherwise === undefined) throw error;
      return otherwise;
    }
  }
}

function statsOf(
  nanoseconds: number,
  { usage, stats, disks }: { usage: number; stats: Record<string, number>; disks: { op: string; value: number }[] },
): Stats {
  return {
    cpu_stats: { cpu_usage: { total_usage: nanoseconds } },
    memory_stats: { usage, stats },
    blkio_stats: { io_service_bytes_recursive: disks },
  };
}

/** Lines of a name and a number. */
const numbersIn = (text: string): Record<string, number> =>
  Object.fromEntries(Array.from(text.matchAll(/^(\w+) (\d+)$/gm), ([, name = '', value]) => [name, Number(value)]));

/**
 * What interfaces have taken and sent (proc(5), /proc/net/dev), by the names that the engine and this agent give them: what goes over
 * others that a container has made, a bridge or a tunnel, goes over these too.
 */
function interfacesIn(text: string): Record<string, { rx_bytes: number; tx_bytes: number }> {
  const lines = text.split('\n').flatMap((line) => {
    const [name, counters] = line.split(/:(.*)/);
    if (name === undefined || counters === undefined || !/^eth\d+$/.test(name.trim())) return [];
    const numbers = counters.trim().split(/\s+/).map(Number);
    return [[name.trim(), { rx_bytes: numbers[0] ?? 0, tx_bytes: numbers[8] ?? 0 }] as const];
  });
  return Object.fromEntries(lines);
}
