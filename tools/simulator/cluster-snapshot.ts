/** The state of a real cluster, read through the ECS API like any other client: what simulation and `explain` start from. */
import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListServicesCommand,
  ListTasksCommand,
  ListContainerInstancesCommand,
  type Resource,
  type Service,
  type Task,
  type TaskDefinition,
} from '@aws-sdk/client-ecs';
import type {
  ConstraintSpec,
  InstanceSpec,
  PlacedTask,
  PlacementRequest,
  PlacementSnapshot,
  StrategySpec,
  TaskShape,
} from '@slipway/scheduler/placement';
import { bodyOf, reservationOf } from '@slipway/scheduler/tasks';

export interface ClusterSnapshot {
  readonly cluster: string;
  readonly placement: PlacementSnapshot;
  /** How a task would be placed again; undefined for tasks that do not move (daemons). */
  readonly requestOf: (task: PlacedTask) => PlacementRequest | undefined;
}

/** Reads instances, tasks, services and the task definitions they use. Needs only List* and Describe* permissions. */
export async function readCluster(client: ECSClient, cluster: string): Promise<ClusterSnapshot> {
  const instances = await readInstances(client, cluster);
  const tasks = await readTasks(client, cluster);
  const services = await readServices(client, cluster);
  const definitions = new Map<string, TaskDefinition>();
  for (const { taskDefinitionArn } of tasks) {
    if (taskDefinitionArn === undefined || definitions.has(taskDefinitionArn)) continue;
    definitions.set(taskDefinitionArn, await readDefinition(client, taskDefinitionArn));
  }
  const requests = new Map<string, PlacementRequest | undefined>();
  const placed: (PlacedTask & { readonly retired: boolean })[] = [];
  for (const task of tasks) {
    const definition = definitions.get(task.taskDefinitionArn ?? '');
    if (task.containerInstanceArn === undefined || definition === undefined) continue;
    const service = services.get((task.group ?? '').replace(/^service:/, ''));
    const key = `${task.group} ${task.taskDefinitionArn}`;
    if (!requests.has(key)) requests.set(key, requestFor(task.group ?? '', definition, service));
    placed.push({
      id: lastPart(task.taskArn ?? ''),
      instanceId: lastPart(task.containerInstanceArn),
      group: task.group ?? '',
      shape: requests.get(key)?.shape ?? shapeOf(definition),
      retired: task.desiredStatus === 'STOPPED',
    });
  }
  const byShape = new Map(
    [...requests.values()].flatMap((request) => (request === undefined ? [] : [[request.shape, request]])),
  );
  return {
    cluster,
    placement: { version: '', instances, tasks: placed },
    requestOf: ({ shape }) => byShape.get(shape),
  };
}

/** The request for a task of a definition, as part of a service when there is one. */
export function requestFor(
  group: string,
  definition: TaskDefinition,
  service: Service | undefined,
): PlacementRequest | undefined {
  if (service?.schedulingStrategy === 'DAEMON') return undefined;
  const constraints = [...(definition.placementConstraints ?? []), ...(service?.placementConstraints ?? [])];
  return {
    group,
    shape: shapeOf(definition),
    constraints: constraints.map(({ type, expression }): ConstraintSpec =>
      type === 'memberOf' ? { type, expression: expression ?? '' } : ({ type, expression } as ConstraintSpec),
    ),
    strategies: (service?.placementStrategy ?? []).map(
      ({ type, field }) => ({ type, field: type === 'binpack' ? field?.toLowerCase() : field }) as StrategySpec,
    ),
    kind: service === undefined ? 'standalone' : 'service',
  };
}

export async function readDefinition(client: ECSClient, taskDefinition: string): Promise<TaskDefinition> {
  const { taskDefinition: definition } = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  return definition!;
}

export async function readService(client: ECSClient, cluster: string, service: string): Promise<Service | undefined> {
  const answer = await client.send(new DescribeServicesCommand({ cluster, services: [service] }));
  return answer.services?.find(({ status }) => status !== 'INACTIVE');
}

/** What a task of the definition reserves, and what it requires. */
export function shapeOf(definition: TaskDefinition): TaskShape {
  const reservation = reservationOf(bodyOf({ definition } as Parameters<typeof bodyOf>[0]));
  return { ...reservation, requires: (definition.requiresAttributes ?? []).flatMap(({ name }) => name ?? []) };
}

async function readInstances(client: ECSClient, cluster: string): Promise<readonly InstanceSpec[]> {
  return (await describeInstances(client, cluster)).map(instanceOf);
}

/** The container instances of a cluster. */
export async function describeInstances(client: ECSClient, cluster: string): Promise<readonly ContainerInstance[]> {
  const arns = await all(async (nextToken) => {
    const page = await client.send(new ListContainerInstancesCommand({ cluster, ...nextToken }));
    return { items: page.containerInstanceArns ?? [], next: page.nextToken };
  });
  const instances: ContainerInstance[] = [];
  for (const containerInstances of chunks(arns)) {
    const answer = await client.send(new DescribeContainerInstancesCommand({ cluster, containerInstances }));
    instances.push(...(answer.containerInstances ?? []));
  }
  return instances;
}

/** The tasks of a cluster that are not STOPPED. */
export async function readTasks(client: ECSClient, cluster: string): Promise<readonly Task[]> {
  const arns: string[] = [];
  for (const desiredStatus of ['RUNNING', 'STOPPED'] as const) {
    arns.push(
      ...(await all(async (nextToken) => {
        const page = await client.send(new ListTasksCommand({ cluster, desiredStatus, ...nextToken }));
        return { items: page.taskArns ?? [], next: page.nextToken };
      })),
    );
  }
  const tasks: Task[] = [];
  for (const part of chunks(arns)) {
    const answer = await client.send(new DescribeTasksCommand({ cluster, tasks: part }));
    tasks.push(...(answer.tasks ?? []).filter(({ lastStatus }) => lastStatus !== 'STOPPED'));
  }
  return tasks;
}

/** The services of a cluster by name, with their tags. */
export async function readServices(client: ECSClient, cluster: string): Promise<ReadonlyMap<string, Service>> {
  const arns = await all(async (nextToken) => {
    const page = await client.send(new ListServicesCommand({ cluster, ...nextToken }));
    return { items: page.serviceArns ?? [], next: page.nextToken };
  });
  const services = new Map<string, Service>();
  for (const part of chunks(arns, 10)) {
    const answer = await client.send(new DescribeServicesCommand({ cluster, services: part, include: ['TAGS'] }));
    for (const service of answer.services ?? []) services.set(service.serviceName ?? '', service);
  }
  return services;
}

/** A container instance as placement sees it. */
export function instanceOf(instance: ContainerInstance): InstanceSpec {
  const amount = (name: string): number => resource(instance, name)?.integerValue ?? 0;
  const ports = (name: string): readonly number[] => (resource(instance, name)?.stringSetValue ?? []).map(Number);
  const agentConnected = instance.agentConnected === true;
  return {
    id: lastPart(instance.containerInstanceArn ?? ''),
    cpu: amount('CPU'),
    memory: amount('MEMORY'),
    gpus: resource(instance, 'GPU')?.stringSetValue?.length ?? 0,
    attributes: new Map((instance.attributes ?? []).map(({ name, value }) => [name ?? '', value ?? ''])),
    reservedTcpPorts: ports('PORTS'),
    reservedUdpPorts: ports('PORTS_UDP'),
    placeable: instance.status === 'ACTIVE' && agentConnected,
    agentConnected,
    ...(instance.ec2InstanceId === undefined ? {} : { ec2InstanceId: instance.ec2InstanceId }),
    ...(instance.registeredAt === undefined ? {} : { registeredAt: instance.registeredAt.getTime() }),
    ...(instance.versionInfo?.agentVersion === undefined ? {} : { agentVersion: instance.versionInfo.agentVersion }),
  };
}

function resource(instance: ContainerInstance, name: string): Resource | undefined {
  return instance.registeredResources?.find((candidate) => candidate.name === name);
}

export const lastPart = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** Every page of a list. */
async function all<T>(
  page: (token: {
    readonly nextToken?: string;
  }) => Promise<{ readonly items: readonly T[]; readonly next: string | undefined }>,
): Promise<readonly T[]> {
  const items: T[] = [];
  for (let token: { nextToken?: string } = {}; ;) {
    const { items: more, next } = await page(token);
    items.push(...more);
    if (next === undefined) return items;
    token = { nextToken: next };
  }
}

/** Describe* operations take up to 100 names, DescribeServices 10. */
function* chunks<T>(items: readonly T[], size = 100): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
