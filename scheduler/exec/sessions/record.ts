import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import type { Call, Log, Principal } from '@slipway/auth/contract';

import { type ClusterRef, type EcsPorts, findCluster } from '../../cluster/index.ts';
import type { TaskLogs } from '../../signals/logs/index.ts';
import { arns, type ExecSessionRecord } from '../../state/index.ts';
import { containersOf, findDefinition, findTasks, parseDefinition, taskBody } from '../../tasks/index.ts';

import { joinCommand } from '../protocol/index.ts';
import { LogRecorder, type LogRecorderPorts, type Recorder } from './recorder.ts';

export interface RecordPorts extends EcsPorts {
  readonly log: Log;
  readonly taskLogs: Pick<TaskLogs, 'open' | 'ship'>;
  /** Whom the role of a task is. @throws AwsError when ECS tasks may not assume it */
  readonly taskRole: (roleArn: string, taskArn: string) => Promise<Principal>;
}

/** Where a session is logged, and whether there is no session without that. */
interface Place {
  readonly group: string;
  readonly must: boolean;
}

/**
 * Where the output of a session is kept, as its cluster's `executeCommandConfiguration` says: a stream of the session's name, written with
 * the rights of the task's role (ECS Exec, "Logging"). With OVERRIDE there is no session that is not logged; without it, a role that may
 * not write leaves the session without a log, as on AWS.
 * @returns undefined where it is kept nowhere
 * @throws Error with what the user is shown
 */
export async function recordSession(
  ports: RecordPorts,
  ref: ClusterRef,
  session: ExecSessionRecord,
  call: Call,
): Promise<Recorder | undefined> {
  const cluster = await findCluster(ports, ref);
  const { logging = 'DEFAULT', logConfiguration } = cluster?.configuration?.executeCommandConfiguration ?? {};
  if (logging === 'NONE') return undefined;
  const task = (await findTasks(ports, ref, [session.taskId])).get(session.taskId);
  const home = { account: ref.account, region: ports.region };
  const definition = task && (await findDefinition(ports, ref.account, parseDefinition(task.taskDefinition, home)));
  const body = definition && taskBody(task, definition);
  const container = body && containersOf(body).find(({ name }) => name === session.containerName);
  const overridden = logConfiguration?.cloudWatchLogGroupName;
  const place: Place | undefined =
    overridden === undefined ? ofContainer(container) : { group: overridden, must: true };
  if (place === undefined) return undefined;
  try {
    const role = body?.taskRoleArn;
    if (role === undefined || role === '') throw new Error('the task has no role that could write it');
    const taskArn = arns.task(ports.region, ref.account, ref.cluster, session.taskId);
    const principal = await ports.taskRole(role, taskArn);
    const writer = { principal, call: { ...call, account: ref.account, principal } };
    const to = { group: place.group, stream: session.id, createGroup: false };
    await ports.taskLogs.open(writer, to);
    const { clock, taskLogs } = ports;
    const first = `${session.principal.arn} in ${session.containerName} of ${taskArn}: ${joinCommand(session.command)}`;
    const ship: LogRecorderPorts['ship'] = (shipment) => taskLogs.ship(writer, to, shipment);
    const recorder = await LogRecorder.begin({ clock, ship }, first);
    recorder.failure.then(
      (reason) => ports.log.warn({ session: session.id, reason }, 'a session cannot be logged any more'),
      () => undefined,
    );
    return recorder;
  } catch (error) {
    const why = `The session cannot be logged into ${place.group}: ${(error as Error).message}`;
    if (place.must) throw new Error(why, { cause: error });
    ports.log.warn({ session: session.id, task: session.taskId, err: error }, 'a session is not logged');
    return undefined;
  }
}

/** The group that the container's log driver awslogs writes to. */
function ofContainer(container: ContainerDefinition | undefined): Place | undefined {
  const { logDriver, options } = container?.logConfiguration ?? {};
  const group = options?.['awslogs-group'];
  if (logDriver !== 'awslogs' || group === undefined || options?.['awslogs-endpoint'] !== undefined) return undefined;
  return { group, must: false };
}
