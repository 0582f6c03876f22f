import {
  type ContainerInstance,
  DescribeContainerInstancesCommand,
  type ECSClient,
  paginateListClusters,
  paginateListContainerInstances,
} from '@aws-sdk/client-ecs';

/** Instances that one call describes. */
const atOnce = 100;

/** Of these container instances, the sentences of those whose host takes no tasks now: which, since when, and what to do. */
export async function hostsAway(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  instances: readonly string[],
): Promise<string[]> {
  const found: ContainerInstance[] = [];
  for (let from = 0; from < instances.length; from += atOnce) {
    const containerInstances = instances.slice(from, from + atOnce);
    const answer = await client.send(new DescribeContainerInstancesCommand({ cluster, containerInstances }));
    found.push(...(answer.containerInstances ?? []));
  }
  return found.flatMap(({ agentConnected, containerInstanceArn, statusReason }) =>
    agentConnected === true || statusReason === undefined
      ? []
      : [`host ${containerInstanceArn?.split('/').at(-1) ?? ''}: ${statusReason}`],
  );
}

/** The same of every cluster. */
export async function allHostsAway(client: ECSClient): Promise<string[]> {
  const away: string[] = [];
  for await (const { clusterArns = [] } of paginateListClusters({ client }, {}))
    for (const cluster of clusterArns)
      for await (const { containerInstanceArns = [] } of paginateListContainerInstances({ client }, { cluster }))
        away.push(...(await hostsAway(client, cluster, containerInstanceArns)));
  return away;
}
