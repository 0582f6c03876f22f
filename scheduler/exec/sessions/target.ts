import { AwsError } from '@slipway/auth/contract';

import { type ClusterRef, type EcsPorts, findInstance, invalidParameter } from '../../cluster/index.ts';
import type { TaskRecord } from '../../state/index.ts';
import { managedAgent } from '../../tasks/index.ts';

/** A container that commands can be run in now. */
export interface ExecPlace {
  /** Docker's id of it. */
  readonly runtimeId: string;
  /** The host of its task. */
  readonly instanceId: string;
}

/** The agent is away, or none that can do it: AWS's code for a container whose SSM agent is not connected. */
const notConnected = (why: string): AwsError =>
  new AwsError('TargetNotConnectedException', `The execute command failed: ${why}`);

/**
 * Where a container of a task is, for what ECS Exec does in it.
 * @throws InvalidParameterException where the task has no such container, was started without ECS Exec, or does not run;
 *   TargetNotConnectedException while its host is away
 */
export async function execTarget(
  ports: EcsPorts,
  ref: ClusterRef,
  task: TaskRecord,
  containerName: string,
): Promise<ExecPlace> {
  const container = task.containers.find((each) => each.name === containerName);
  if (container === undefined)
    throw invalidParameter(`The container '${containerName.slice(0, 255)}' is not one of the task's.`);
  const { runtimeId } = container;
  const { instanceId } = task;
  const instance = instanceId === undefined ? undefined : await findInstance(ports, ref, instanceId);
  const agent = managedAgent(task, container, instance);
  if (agent?.lastStatus === 'STOPPED' && agent.reason !== undefined) throw notConnected(agent.reason);
  if (agent?.lastStatus !== 'RUNNING' || runtimeId === undefined || instanceId === undefined)
    throw invalidParameter(
      "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.",
    );
  if (instance?.agentConnected !== true)
    throw notConnected('the agent of the host of the task is not connected. Try again when it is back.');
  return { runtimeId, instanceId };
}
