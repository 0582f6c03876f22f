import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { AwsError, type Call, type Principal } from '@slipway/auth/contract';
import { LRUCache } from 'lru-cache';

import type { ContainerStream } from '../../signals/logs/index.ts';
import { clusterKeys, clusterPartition, type TaskRecord } from '../../state/index.ts';
import { containersOf, taskBody } from '../../tasks/index.ts';
import type { ClusterView } from '../../views/index.ts';

import type { InstanceRef } from './connections.ts';
import type { AgentControlOptions } from './options.ts';
import { type PayloadSource, Unrenderable } from './payloads.ts';
import { idIn } from './stops.ts';

/** Where the output of one container goes. */
export interface ContainerLogs extends Omit<ContainerStream, 'stream'> {
  /** Undefined while it is not known: without a prefix it is the id that Docker gives the container. */
  readonly stream: string | undefined;
  /** Whether the container must not start while its logs have nowhere to go. */
  readonly blocking: boolean;
}

/** Where the output of a task's containers goes, and whose rights write it. */
export interface TaskLogStreams {
  readonly launchType: TaskRecord['launchType'];
  /** By name; those that log elsewhere are not there. */
  readonly containers: ReadonlyMap<string, ContainerLogs>;
  /** The execution role's; for tasks without one that of the container instance, as on EC2. */
  readonly principal: Principal;
}

/** Tasks of one host that are remembered. */
const remembered = 2_000;

/** What an agent may write of the tasks that were placed on its instance: the records decide, never what it says. */
export class LogStreams {
  readonly #options: AgentControlOptions;
  readonly #ref: InstanceRef;
  readonly #view: ClusterView;
  readonly #payloads: PayloadSource;
  readonly #call: Call;
  readonly #known = new LRUCache<string, TaskLogStreams>({ max: remembered });

  constructor(options: AgentControlOptions, ref: InstanceRef, view: ClusterView, payloads: PayloadSource, call: Call) {
    this.#options = options;
    this.#ref = ref;
    this.#view = view;
    this.#payloads = payloads;
    this.#call = call;
  }

  /** @throws AwsError for a task that is not this instance's, or whose role cannot be had: nothing of it will ever be taken */
  async of(taskArn: string): Promise<TaskLogStreams> {
    const known = this.#known.get(taskArn);
    if (known !== undefined) return known;
    const task = await this.#task(taskArn);
    const found = await this.#find(task);
    if ([...found.containers.values()].every(({ stream }) => stream !== undefined)) this.#known.set(taskArn, found);
    return found;
  }

  async #task(taskArn: string): Promise<TaskRecord> {
    const { records } = this.#options;
    const { account, cluster, id: instance } = this.#ref;
    const id = idIn(this.#options, this.#ref, taskArn);
    const seen = id === undefined ? undefined : this.#view.tasks.get(id)?.value;
    const task =
      seen?.instanceId === instance || id === undefined
        ? seen
        : (await records.get<TaskRecord>(clusterPartition(account, cluster), clusterKeys.task(id)))?.value;
    if (task?.instanceId === instance) return task;
    throw new AwsError('AccessDeniedException', `The task ${taskArn} is not on this container instance.`);
  }

  async #find(task: TaskRecord): Promise<TaskLogStreams> {
    try {
      const definition = await this.#payloads.definition(task.taskDefinition, this.#ref.account);
      const body = taskBody(task, definition);
      const containers = new Map(containersOf(body).flatMap((container) => logsOf(task, container)));
      const role = containers.size === 0 ? undefined : body.executionRoleArn;
      return {
        launchType: task.launchType,
        containers,
        principal: role ? await this.#payloads.principal(task, role) : this.#call.principal,
      };
    } catch (error) {
      if (error instanceof Unrenderable)
        throw new AwsError('InvalidParameterException', error.message, { cause: error });
      throw error;
    }
  }
}

/** Docker's id of a container. Its host says it, and must not choose the stream of another container by it. */
const dockerId = /^[0-9a-f]{64}$/;

/** ECS's options of awslogs; a definition that names an endpoint has Docker's own driver send there. */
function logsOf(
  task: TaskRecord,
  { name = '', logConfiguration: log }: ContainerDefinition,
): [name: string, logs: ContainerLogs][] {
  const options = log?.options ?? {};
  const group = options['awslogs-group'];
  if (log?.logDriver !== 'awslogs' || options['awslogs-endpoint'] !== undefined || group === undefined) return [];
  const prefix = options['awslogs-stream-prefix'];
  const id = task.containers.find((container) => container.name === name)?.runtimeId;
  const ofContainer = id !== undefined && dockerId.test(id) ? id : undefined;
  const stream = prefix === undefined ? ofContainer : `${prefix}/${name}/${task.id}`;
  const createGroup = options['awslogs-create-group'] === 'true';
  return [[name, { group, stream, createGroup, blocking: options['mode'] !== 'non-blocking' }]];
}
