import type { NetworkState } from '../../wire/index.ts';
import { type Attachment, prefixOf } from './attachment.ts';

/** What an agent needs of its host's network to run tasks with addresses of their own; the simulation plays it. */
export interface TaskNetworkPort {
  /** Why this host cannot; undefined when it can. Asked again now and then. */
  reason(): Promise<string | undefined>;
  /** Begins the names of the tasks' links on this host. */
  readonly linkPrefix: string;
  /** The IPv4 address at which other hosts reach this one; undefined when it has none. */
  address(): Promise<string | undefined>;
  /** This host's end of encrypted tunnels, for the others; undefined where it has none. */
  tunnel(): Promise<string | undefined>;
  /** Whether that end is still as {@link tunnel} said it; else it is to be said anew. */
  readonly isTold: boolean;
  apply(state: NetworkState): Promise<void>;
  /** Begins what {@link attach} needs of this host before there is a process; any number of times, and never fails. */
  prepare(attachment: Attachment): void;
  attach(attachment: Attachment, pid: number): Promise<void>;
  detach(id: string): Promise<void>;
  adopt(attachment: Attachment): void;
  sweep(): Promise<number>;
  close(): Promise<void>;
}

/** The network of a host that gives tasks none of their own. */
export function noNetwork(agentId: string, reason: string): TaskNetworkPort {
  const refuse = (): Promise<never> => Promise.reject(new Error(reason));
  return {
    linkPrefix: prefixOf(agentId),
    reason: async () => reason,
    address: async () => undefined,
    tunnel: async () => undefined,
    isTold: true,
    apply: async () => undefined,
    prepare: () => undefined,
    attach: refuse,
    detach: async () => undefined,
    adopt: () => undefined,
    sweep: async () => 0,
    close: async () => undefined,
  };
}
