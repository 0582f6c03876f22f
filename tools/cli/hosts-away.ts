import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  type ECSClient,
  paginateListClusters,
  paginateListContainerInstances,
} from '@aws-sdk/client-ecs';

/** Instances that one call describes. */
const atOnce = 100;

/** Of these container instances, the sentences of those about which there is something to say: away or lost, taken back, with containers that nobody knew. */
export async function hostsAway(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  instances: readonly string[],
): Promise<string[]> {
  return away(await describe(client, cluster, instances));
}

async function describe(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  instances: readonly string[],
): Promise<ContainerInstance[]> {
  const found: ContainerInstance[] = [];
  for (let from = 0; from < instances.length; from += atOnce) {
    const containerInstances = instances.slice(from, from + atOnce);
    const answer = await client.send(new DescribeContainerInstancesCommand({ cluster, containerInstances }));
    found.push(...(answer.containerInstances ?? []));
  }
  return found;
}

/** The same of instances as ECS describes them. */
export const away = (instances: readonly ContainerInstance[]): string[] =>
  instances.flatMap(({ containerInstanceArn, statusReason }) =>
    statusReason === undefined ? [] : [`host ${containerInstanceArn?.split('/').at(-1) ?? ''}: ${statusReason}`],
  );

/** The container instances of every cluster. */
export async function everyInstance(client: ECSClient): Promise<ContainerInstance[]> {
  const all: ContainerInstance[] = [];
  for await (const { clusterArns = [] } of paginateListClusters({ client }, {}))
    for (const cluster of clusterArns)
      for await (const { containerInstanceArns = [] } of paginateListContainerInstances({ client }, { cluster }))
        all.push(...(await describe(client, cluster, containerInstanceArns)));
  return all;
}
