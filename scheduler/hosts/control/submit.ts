import type {
  ContainerStateChange,
  NetworkBinding as WireBinding,
  SubmitContainerStateChangeCommandInput,
  SubmitTaskStateChangeCommandInput,
} from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';
import { type RecordStore, transact } from '@slipway/storage/records';

import { invalidParameter, parseCluster, parseMember } from '../../cluster/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  type NetworkBinding,
  type TaskRecord,
  toJson,
} from '../../state/index.ts';

import type { AgentControlOptions } from './options.ts';
import { requireOwner } from './owner.ts';
import {
  applyOneContainer,
  applyTaskChange,
  type ContainerChange,
  type TaskChange,
  withIsolation,
} from './transitions.ts';

/**
 * SubmitTaskStateChange: only for a task that is placed on an instance the caller registered. Repeated and late reports
 * are acknowledged and change nothing.
 * @throws InvalidParameterException (the agent does not try again), AccessDeniedException
 */
export async function submitTaskStateChange(
  options: AgentControlOptions,
  input: SubmitTaskStateChangeCommandInput,
  call: Call,
): Promise<{ acknowledgment: string }> {
  const { status } = input;
  if (status !== 'PENDING' && status !== 'RUNNING' && status !== 'STOPPED') {
    throw invalidParameter(`status must be PENDING, RUNNING or STOPPED, not '${status ?? ''}'.`);
  }
  const change: TaskChange = {
    status,
    containers: (input.containers ?? []).map(containerChange),
    ...(input.reason === undefined ? {} : { reason: input.reason }),
    ...(input.pullStartedAt === undefined ? {} : { pullStartedAt: input.pullStartedAt.getTime() }),
    ...(input.pullStoppedAt === undefined ? {} : { pullStoppedAt: input.pullStoppedAt.getTime() }),
    ...(input.executionStoppedAt === undefined ? {} : { executionStoppedAt: input.executionStoppedAt.getTime() }),
  };
  await changeTask(options, input, call, status === 'STOPPED', (task) =>
    applyTaskChange(task, change, options.clock.now()),
  );
  return { acknowledgment: 'ACCEPT' };
}

/** SubmitContainerStateChange: the same rules, for one container. */
export async function submitContainerStateChange(
  options: AgentControlOptions,
  input: SubmitContainerStateChangeCommandInput,
  call: Call,
): Promise<{ acknowledgment: string }> {
  const change = containerChange(input);
  await changeTask(options, input, call, false, (task) => applyOneContainer(task, change));
  return { acknowledgment: 'ACCEPT' };
}

/** Commits what `change` makes of a task; nothing when it returns undefined. For reports that need no caller check. */
export async function transformTask(
  records: RecordStore,
  cluster: { readonly account: string; readonly cluster: string },
  taskId: string,
  change: (task: TaskRecord) => TaskRecord | undefined,
): Promise<void> {
  await transact(records, clusterPartition(cluster.account, cluster.cluster), async (tx) => {
    const task = await tx.get<TaskRecord>(clusterKeys.task(taskId));
    const changed = task === undefined ? undefined : change(task);
    if (changed !== undefined) tx.put(clusterKeys.task(taskId), toJson(changed));
  });
}

/** @param ended whether the agent says that all of the task is over */
async function changeTask(
  options: AgentControlOptions,
  input: { readonly cluster?: string | undefined; readonly task?: string | undefined },
  call: Call,
  ended: boolean,
  change: (task: TaskRecord) => TaskRecord | undefined,
): Promise<void> {
  const home = { account: call.account, region: options.region };
  const cluster = parseCluster(input.cluster, home);
  if (input.task === undefined) throw invalidParameter('task is required.');
  const id = parseMember('task', input.task, cluster, home);
  const left = await transact(options.records, clusterPartition(call.account, cluster), async (tx) => {
    const task = await tx.get<TaskRecord>(clusterKeys.task(id));
    // Its version need not stay: who registered an instance never changes, and a secret that was said stays.
    const instance =
      task?.instanceId === undefined
        ? undefined
        : (await tx.peek<InstanceRecord>(clusterKeys.instance(task.instanceId)))?.value;
    if (task === undefined || instance === undefined) return { task: undefined };
    requireOwner(instance, call);
    // What a host says that was taken out of the cluster counts no more: its tasks are over, for that reason and no other.
    if (instance.status === 'INACTIVE') return { task };
    const changed = change(task);
    if (changed !== undefined) tx.put(clusterKeys.task(id), toJson(withIsolation(task, changed, instance)));
    return undefined;
  });
  if (left === undefined) return;
  // But that it has ended them only its agent knows, and nobody else may have their addresses before.
  const { attachment, instanceId } = left.task ?? {};
  if (ended && attachment !== undefined && instanceId !== undefined)
    await options.networks.release({ account: call.account, cluster, id: instanceId }, attachment.networkInterface);
  throw invalidParameter(`The task ${id} is not on any container instance.`);
}

function containerChange(container: ContainerStateChange & SubmitContainerStateChangeCommandInput): ContainerChange {
  const { status } = container;
  if (status !== 'PENDING' && status !== 'RUNNING' && status !== 'STOPPED') {
    throw invalidParameter(
      `The status of container ${container.containerName ?? ''} must be PENDING, RUNNING or STOPPED.`,
    );
  }
  return {
    name: container.containerName ?? '',
    status,
    ...(container.imageDigest === undefined ? {} : { imageDigest: container.imageDigest }),
    ...(container.runtimeId === undefined ? {} : { runtimeId: container.runtimeId }),
    ...(container.exitCode === undefined ? {} : { exitCode: container.exitCode }),
    ...(container.reason === undefined ? {} : { reason: container.reason }),
    ...(container.networkBindings === undefined
      ? {}
      : { networkBindings: container.networkBindings.flatMap(networkBinding) }),
  };
}

function networkBinding(binding: WireBinding): NetworkBinding[] {
  const { containerPort, hostPort, containerPortRange, hostPortRange } = binding;
  const at = { bindIP: binding.bindIP ?? '0.0.0.0', protocol: binding.protocol === 'udp' ? 'udp' : 'tcp' } as const;
  if (containerPort !== undefined && hostPort !== undefined) return [{ ...at, containerPort, hostPort }];
  return isRange(containerPortRange) && isRange(hostPortRange) ? [{ ...at, containerPortRange, hostPortRange }] : [];
}

const isRange = (text: string | undefined): text is string => /^\d{1,5}-\d{1,5}$/.test(text ?? '');
