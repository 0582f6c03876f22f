import { createHash } from 'node:crypto';
import type { TaskNetworkPort } from '@slipway/scheduler/hosts/agent';
import type { Chance } from './chance.ts';
import type { Process } from './machine.ts';

type Attachment = Parameters<TaskNetworkPort['attach']>[0];
type NetworkState = Parameters<TaskNetworkPort['apply']>[0];

/** A link of a task on a host. */
interface Link {
  readonly prefix: string;
  readonly address: string;
  /** The process whose network it is in: it goes with that. */
  readonly pid: number;
}

/** What happens to a link, for those who check the world. */
export interface LinkPorts {
  readonly chance: Chance;
  /** Whether a process runs on the host. */
  readonly runs: (pid: number) => boolean;
  /** Told of every link that is made. */
  readonly made: (id: string, address: string) => void;
}

/** The network of a host's tasks as far as the agent changes it: links by interface. They outlive the agent, not the machine. */
export class SimulatedTaskNetwork {
  readonly links = new Map<string, Link>();
  /** The network as the host enforces it; undefined until its agent was told. */
  enforced: NetworkState | undefined;
  readonly #ports: LinkPorts;

  constructor(ports: LinkPorts) {
    this.#ports = ports;
  }

  /** A process has ended, and its network with it. */
  ended(pid: number): void {
    for (const [id, link] of this.links) if (link.pid === pid) this.links.delete(id);
  }

  /** The network as one run of the agent changes it. */
  of(process: Process, agentId: string, address: string): TaskNetworkPort {
    const { chance, runs, made } = this.#ports;
    const prefix = `ecs${createHash('sha256').update(agentId).digest('hex').slice(0, 4)}`;
    const known = Promise.withResolvers<void>();
    const attached = new Set<string>();
    const change = <T>(work: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        process.after(chance.between(1, 30), () => {
          try {
            resolve(work());
          } catch (error) {
            reject(error as Error);
          }
        });
      });
    return {
      linkPrefix: prefix,
      tunnel: async () => undefined,
      isTold: true,
      reason: () => Promise.resolve(undefined),
      address: () => Promise.resolve(address),
      apply: (state) =>
        change(() => {
          this.enforced = state;
          known.resolve();
        }),
      prepare: () => undefined,
      attach: async (attachment: Attachment, pid: number) => {
        await known.promise;
        attached.add(attachment.id);
        await change(() => {
          if (!runs(pid)) throw new Error(`nsenter: cannot open /proc/${pid}/ns/net: No such file or directory`);
          this.links.set(attachment.id, { prefix, address: attachment.address, pid });
          made(attachment.id, attachment.address);
        });
      },
      detach: (id) =>
        change(() => {
          attached.delete(id);
          this.links.delete(id);
        }),
      adopt: ({ id }) => void attached.add(id),
      sweep: () =>
        change(() => {
          const stray = [...this.links].filter(([id, link]) => link.prefix === prefix && !attached.has(id));
          for (const [id] of stray) this.links.delete(id);
          return stray.length;
        }),
      close: () => Promise.resolve(),
    };
  }
}
