import { AwsError, ecs, inGroups, pages, unlessRefused } from './aws.ts';
import { type Hour, readHour } from './metrics-data.ts';
import type { ServiceDeployment, ServiceRow, Task, TaskDefinition } from './types.ts';

/** Deployments that are remembered, newest first, with the task definitions of their revisions by the revisions' ARNs. */
export interface History {
  readonly deployments: readonly ServiceDeployment[];
  readonly definitionOf: ReadonlyMap<string, string>;
}

export interface ServiceData extends History {
  readonly service: ServiceRow;
  readonly running: readonly Task[];
  readonly stopped: readonly Task[];
  readonly definition: TaskDefinition | undefined;
}

/** Tasks of a kind that a page shows. */
export const mostTasks = 200;
/** Deployments of a service that its page shows. */
const mostDeployments = 10;

/** What a service's page shows; parts that are refused are left empty, the service itself is not. @throws AwsError */
export async function readService(cluster: string, name: string, signal: AbortSignal): Promise<ServiceData> {
  const { services = [] } = await ecs('DescribeServices', { cluster, services: [name], include: ['TAGS'] }, { signal });
  const [service] = services;
  if (service === undefined)
    throw new AwsError(
      'DescribeServices',
      'ServiceNotFoundException',
      `There is no service ${name} in the cluster ${cluster}.`,
      '',
    );
  const [running, stopped, definition, history] = await Promise.all([
    unlessRefused(tasksOf(cluster, name, 'RUNNING', signal), []),
    unlessRefused(tasksOf(cluster, name, 'STOPPED', signal), []),
    unlessRefused(definitionOf(service.taskDefinition, signal), undefined),
    unlessRefused(deploymentsOf(cluster, name, signal), { deployments: [], definitionOf: new Map<string, string>() }),
  ]);
  return { service, running, stopped, definition, ...history };
}

async function tasksOf(
  cluster: string,
  serviceName: string,
  desiredStatus: 'RUNNING' | 'STOPPED',
  signal: AbortSignal,
): Promise<readonly Task[]> {
  const arns = await pages(
    (nextToken) => ecs('ListTasks', { cluster, serviceName, desiredStatus, maxResults: 100, nextToken }, { signal }),
    (page) => page.taskArns,
    mostTasks,
  );
  const tasks = await inGroups(
    arns.slice(0, mostTasks),
    100,
    async (group) => (await ecs('DescribeTasks', { cluster, tasks: group }, { signal })).tasks ?? [],
  );
  const time = (task: Task): number => task.stoppedAt ?? task.createdAt ?? 0;
  return tasks.toSorted((a, b) => time(b) - time(a));
}

async function definitionOf(
  taskDefinition: string | undefined,
  signal: AbortSignal,
): Promise<TaskDefinition | undefined> {
  return taskDefinition === undefined
    ? undefined
    : (await ecs('DescribeTaskDefinition', { taskDefinition }, { signal })).taskDefinition;
}

/** The newest deployments of a service. @throws AwsError */
export async function deploymentsOf(
  cluster: string,
  service: string,
  signal: AbortSignal,
  maxResults = mostDeployments,
): Promise<History> {
  const { serviceDeployments = [] } = await ecs('ListServiceDeployments', { cluster, service, maxResults }, { signal });
  const serviceDeploymentArns = serviceDeployments.flatMap(({ serviceDeploymentArn }) => serviceDeploymentArn ?? []);
  if (serviceDeploymentArns.length === 0) return { deployments: [], definitionOf: new Map() };
  const { serviceDeployments: deployments = [] } = await ecs(
    'DescribeServiceDeployments',
    { serviceDeploymentArns },
    { signal },
  );
  deployments.sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0));
  const revisions = [
    ...new Set(
      deployments.flatMap(({ targetServiceRevision, sourceServiceRevisions = [] }) =>
        [targetServiceRevision, ...sourceServiceRevisions].flatMap((one) => one?.arn ?? []),
      ),
    ),
  ];
  const known = await inGroups(
    revisions,
    20,
    async (serviceRevisionArns) =>
      (await ecs('DescribeServiceRevisions', { serviceRevisionArns }, { signal })).serviceRevisions ?? [],
  );
  return {
    deployments,
    definitionOf: new Map(known.map((one) => [one.serviceRevisionArn ?? '', one.taskDefinition ?? ''])),
  };
}

/** CPU and memory of the last hour, in percent of what tasks reserve. */
export type Usage = Hour<'cpu' | 'memory'>;

/** @throws AwsError */
export const readUsage = (cluster: string, service: string, signal: AbortSignal): Promise<Usage> =>
  readHour(
    'AWS/ECS',
    [
      { Name: 'ClusterName', Value: cluster },
      { Name: 'ServiceName', Value: service },
    ],
    { cpu: ['CPUUtilization', 'Average'], memory: ['MemoryUtilization', 'Average'] },
    signal,
  );
