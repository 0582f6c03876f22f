import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  type DesiredStatus,
  type ECSClient,
  paginateListContainerInstances,
  paginateListServices,
  paginateListTasks,
  type Service,
  type Task,
} from '@aws-sdk/client-ecs';

/** What there is in a cluster: every page of a list, and all of it described, in as many calls as that takes. */
interface Contents<T> {
  readonly found: readonly T[];
  /** How many there are beyond those that were to be described. */
  readonly left: number;
}

/** The services of a cluster, those that end too. @param most how many are described; with their tags where these are asked for */
export async function servicesIn(
  client: ECSClient,
  cluster: string,
  { most = Infinity, tags = false }: { readonly most?: number; readonly tags?: boolean } = {},
): Promise<Contents<Service>> {
  const arns: string[] = [];
  for await (const { serviceArns = [] } of paginateListServices({ client }, { cluster, maxResults: 100 }))
    arns.push(...serviceArns);
  return described(arns, most, 10, async (services) => {
    const input = { cluster, services, ...(tags ? { include: ['TAGS' as const] } : {}) };
    return (await client.send(new DescribeServicesCommand(input))).services;
  });
}

/**
 * The tasks of a cluster, or of a service of it, that are wanted; or those `of` other statuses, one after the other. One that goes from one to
 * the next in between is there once.
 */
export async function tasksIn(
  client: ECSClient,
  cluster: string,
  {
    most = Infinity,
    service: serviceName,
    of = ['RUNNING'],
  }: { readonly most?: number; readonly service?: string | undefined; readonly of?: readonly DesiredStatus[] } = {},
): Promise<Contents<Task>> {
  const arns = new Set<string>();
  for (const desiredStatus of of)
    for await (const { taskArns = [] } of paginateListTasks({ client }, { cluster, serviceName, desiredStatus }))
      for (const arn of taskArns) arns.add(arn);
  return described(
    [...arns],
    most,
    100,
    async (tasks) => (await client.send(new DescribeTasksCommand({ cluster, tasks }))).tasks,
  );
}

/** The container instances of a cluster. */
export async function instancesIn(client: ECSClient, cluster: string): Promise<readonly ContainerInstance[]> {
  const arns: string[] = [];
  for await (const { containerInstanceArns = [] } of paginateListContainerInstances({ client }, { cluster }))
    arns.push(...containerInstanceArns);
  return describeInstances(client, cluster, arns);
}

/** These container instances, however many they are. */
export async function describeInstances(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  arns: readonly string[],
): Promise<readonly ContainerInstance[]> {
  const { found } = await described(arns, Infinity, 100, async (containerInstances) => {
    const answer = await client.send(new DescribeContainerInstancesCommand({ cluster, containerInstances }));
    return answer.containerInstances;
  });
  return found;
}

/** @param atOnce how many one call describes */
async function described<T>(
  arns: readonly string[],
  most: number,
  atOnce: number,
  describe: (arns: string[]) => Promise<readonly T[] | undefined>,
): Promise<Contents<T>> {
  const looked = arns.slice(0, most);
  const found: T[] = [];
  for (let from = 0; from < looked.length; from += atOnce)
    found.push(...((await describe(looked.slice(from, from + atOnce))) ?? []));
  return { found, left: arns.length - looked.length };
}
