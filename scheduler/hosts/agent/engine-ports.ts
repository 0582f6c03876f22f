import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { Log } from '@slipway/auth/contract';

import type { HostPorts } from './host-ports.ts';
import type { Images } from './images.ts';
import type { PullRights } from './logins.ts';
import type { AgentContainer, AgentTask } from '../wire/index.ts';
import type { TaskIsolation } from './isolation/index.ts';
import type { TaskLimitsPort } from './limits/index.ts';
import type { LogShipping } from './logs/index.ts';
import type { TaskNetworkPort } from './network/index.ts';
import type { AgentReach, AllowedEscapes } from './policy.ts';
import type { TaskReport } from './report.ts';
import type { RouterPort } from './routers/index.ts';
import type { TaskStoragePort } from './storage/index.ts';
import type { SecretValues } from './secret-values.ts';
import type { SavedTask } from './saved-task.ts';

/** How tasks are run on this host. Times in milliseconds. */
export interface EngineOptions {
  readonly clock: Clock;
  /** Cluster as containers' labels show it. */
  readonly cluster: string;
  readonly region: string;
  /** Address that published ports listen on. */
  readonly bindAddress: string;
  /** Between SIGTERM and SIGKILL, for containers that name no stopTimeout. */
  readonly stopTimeout: number;
  /** How long the containers of a stopped task are kept. */
  readonly cleanupAfter: number;
  /** How often everything is looked at without being told to. */
  readonly inspectEvery: number;
  /** How often what tasks write is counted. */
  readonly countStorageEvery: number;
  /** Processes and threads of a task at most, and of a container where tasks are not limited as a whole. */
  readonly taskPidsLimit: number;
  readonly allow: AllowedEscapes;
  readonly reach: AgentReach;
  /** Servers of names for tasks with addresses of their own. */
  readonly dns: () => Promise<readonly string[]>;
  /** Host paths no task gets unless they are allowed by name: the Docker socket, the agent's data. */
  readonly guarded: readonly string[];
}

/** What a task's runner is given by the engine. */
export interface RunnerPorts {
  readonly options: EngineOptions;
  readonly docker: Docker;
  readonly agentId: string;
  readonly images: Images;
  readonly network: Pick<TaskNetworkPort, 'prepare' | 'attach' | 'detach'>;
  readonly limits: TaskLimitsPort;
  readonly storage: Pick<TaskStoragePort, 'reason'>;
  readonly isolation: Pick<TaskIsolation, 'runtimeOf'>;
  readonly hostPorts: Pick<HostPorts, 'take' | 'release'>;
  /** The files of tasks' log routers. */
  readonly routers: Pick<RouterPort, 'prepare' | 'socket'>;
  /** What `/proc` says that a process has mounted. */
  readonly mountsOf: (pid: number) => Promise<string>;
  readonly log: Log;
  /** Brings what containers write to their log groups. */
  readonly logs: Pick<LogShipping, 'check' | 'follow'>;
  /** What a container's image is pulled with. */
  readonly rights: (task: AgentTask, container: AgentContainer) => PullRights;
  /** The values of tasks' secrets. */
  readonly secrets: Pick<SecretValues, 'knows' | 'of' | 'wait'>;
  /** What the task endpoint adds to a container's environment. */
  readonly environment: (
    task: AgentTask,
    container: string,
    credentialsId: string | undefined,
  ) => Readonly<Record<string, string>>;
  readonly save: (saved: SavedTask) => Promise<void>;
  readonly report: (report: TaskReport) => void;
  readonly healthChanged: () => void;
  /** Resolves when the Docker engine answers again. */
  readonly untilEngineAnswers: () => Promise<void>;
}
