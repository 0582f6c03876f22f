import { readFile } from 'node:fs/promises';

import type Docker from 'dockerode';

import { type Dial, signedDial } from './channel.ts';
import { type EcsSender, ecsClient } from './control-plane-client.ts';
import { openDocker } from './docker.ts';
import { endpointPort } from './endpoint/index.ts';
import { type DialCopy, signedCopyDial } from './exec/index.ts';
import { type Disk, systemDisk } from './files.ts';
import { isPortFree, type Protocol } from './host-ports.ts';
import { KernelStats } from './kernel-stats.ts';
import { TaskLimits, type TaskLimitsPort } from './limits/index.ts';
import {
  engineNetworks,
  hostNameServers,
  machineAddress,
  noNetwork,
  run,
  TaskNetwork,
  type TaskNetworkPort,
} from './network/index.ts';
import type { ResolvedOptions } from './options.ts';
import { HostFiles, type RouterPort } from './routers/index.ts';
import { TaskStorage, type TaskStoragePort } from './storage/index.ts';

/** What an agent reaches outside its own code. */
export interface AgentPorts {
  readonly docker: Docker;
  readonly disk: Disk;
  readonly api: EcsSender;
  /** Opens the connections of the agent protocol. */
  readonly dial: Dial;
  /** Opens those of copies of files. */
  readonly dialCopy: DialCopy;
  /**
   * The host's network for tasks with addresses of their own; `agentId` tells this agent's part of it from others', and of
   * `tunnelSecret` the key of encrypted tunnels is made.
   */
  readonly network: (agentId: string, tunnelSecret: Buffer) => TaskNetworkPort;
  /** Where others reach this machine, as far as it can tell. */
  readonly address: () => Promise<string | undefined>;
  /** What limits tasks as a whole; `agentId` as above. */
  readonly limits: (agentId: string) => TaskLimitsPort;
  /** What holds tasks to their ephemeral storage; `agentId` as above. */
  readonly storage: (agentId: string) => TaskStoragePort;
  /** The files of tasks' log routers; `agentId` as above. */
  readonly routers: (agentId: string) => RouterPort;
  /** What containers use, as far as the machine's kernel tells. */
  readonly stats: Pick<KernelStats, 'of'>;
  /** What `/proc` says that a process of the Docker engine's machine has mounted. */
  readonly mountsOf: (pid: number) => Promise<string>;
  /** Whether nobody on the host listens on a port. */
  readonly isPortFree: (protocol: Protocol, port: number) => Promise<boolean>;
  /** Servers of names that the host asks and that are reached from elsewhere than the host itself. */
  readonly dns: () => Promise<readonly string[]>;
}

/** Makes what an agent works with; what calls the control plane shows `hostSecret` each time. A simulation brings its own. */
export type MakePorts = (options: ResolvedOptions, hostSecret: () => string) => AgentPorts;

/** What an agent has of the machine that it runs on. */
export const machinePorts: MakePorts = (options, hostSecret) => {
  const docker = openDocker(options.docker);
  return {
    docker,
    disk: systemDisk,
    api: ecsClient(options, hostSecret),
    dial: signedDial(options, hostSecret),
    dialCopy: signedCopyDial(options, hostSecret),
    network: (agentId, tunnelSecret) =>
      options.taskNetwork === 'off'
        ? noNetwork(agentId, "the agent's option taskNetwork is off")
        : new TaskNetwork({
            agentId,
            tunnelSecret,
            endpointPort,
            engineNetworks: () => engineNetworks(docker),
            nameServers: hostNameServers,
            log: options.log,
          }),
    address: machineAddress,
    limits: (agentId) => new TaskLimits({ agentId, docker, run, clock: options.clock }),
    storage: (agentId) => new TaskStorage({ agentId, docker, run }),
    routers: (agentId) => new HostFiles({ agentId, docker, run }),
    stats: new KernelStats(),
    mountsOf: (pid) => readFile(`/proc/${pid}/mountinfo`, 'utf8'),
    isPortFree: (protocol, port) => isPortFree(options.bindAddress, protocol, port),
    dns: hostNameServers,
  };
};
