import { DescribeTasksCommand, type ECSClient, ListTasksCommand, type Task } from '@aws-sdk/client-ecs';
import { activeService, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';

/** A container of a task that runs. */
export interface ExecTarget {
  readonly cluster: string;
  /** The task's id. */
  readonly task: string;
  readonly container: string;
}

/**
 * The container that a command is for: of a task by its id or ARN, or of the newest task of a service that was started with ECS Exec.
 * @throws CliError that says what to do where there is none, or several containers and none is named
 */
export async function findTarget(client: ECSClient, name: string, container?: string): Promise<ExecTarget> {
  const arn = /^arn:[^:]+:ecs:[^:]*:[^:]*:(?:task|service)\/([^/]+\/[^/]+)$/.exec(name);
  const { cluster, service: last } = parseService(arn?.[1] ?? name);
  const task = /^[0-9a-f]{32}$/.test(last)
    ? await taskById(client, cluster, last)
    : await taskOfService(client, cluster, last);
  const names = (task.containers ?? []).map((one) => one.name ?? '');
  const chosen = container ?? (names.length === 1 ? names[0] : undefined);
  if (chosen === undefined || !names.includes(chosen))
    throw new CliError(
      `${container === undefined ? 'say which container' : `there is no container ${container}`}: --container ${names.join(' or ')}`,
      2,
    );
  return { cluster, task: task.taskArn?.split('/').at(-1) ?? '', container: chosen };
}

async function taskById(client: ECSClient, cluster: string, id: string): Promise<Task> {
  const { tasks } = await client.send(new DescribeTasksCommand({ cluster, tasks: [id] }));
  const task = tasks?.[0];
  if (task === undefined) throw new CliError(`there is no task ${id} in the cluster ${cluster}`);
  if (task.lastStatus !== 'RUNNING') throw new CliError(`the task ${id} is ${task.lastStatus}, not RUNNING`);
  if (task.enableExecuteCommand !== true)
    throw new CliError(`the task ${id} was started without ECS Exec: run one with --enable-execute-command`);
  return task;
}

async function taskOfService(client: ECSClient, cluster: string, serviceName: string): Promise<Task> {
  await activeService(client, cluster, serviceName);
  const { taskArns = [] } = await client.send(new ListTasksCommand({ cluster, serviceName, desiredStatus: 'RUNNING' }));
  const { tasks = [] } =
    taskArns.length === 0 ? {} : await client.send(new DescribeTasksCommand({ cluster, tasks: taskArns }));
  const running = tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING');
  if (running.length === 0) throw new CliError(`no task of the service ${cluster}/${serviceName} runs`);
  const [task] = running
    .filter(({ enableExecuteCommand }) => enableExecuteCommand === true)
    .toSorted((one, other) => (other.startedAt?.getTime() ?? 0) - (one.startedAt?.getTime() ?? 0));
  if (task === undefined)
    throw new CliError(
      `the tasks of ${cluster}/${serviceName} were started without ECS Exec: aws ecs update-service --cluster ${cluster} --service ${serviceName} --enable-execute-command --force-new-deployment replaces them by ones with it`,
    );
  return task;
}
