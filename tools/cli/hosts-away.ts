import { type ContainerInstance, type ECSClient, paginateListClusters } from '@aws-sdk/client-ecs';
import { describeInstances, instancesIn } from './contents.ts';

/** Of these container instances, the sentences of those about which there is something to say: away or lost, taken back, with containers that nobody knew. */
export async function hostsAway(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  instances: readonly string[],
): Promise<string[]> {
  return away(await describeInstances(client, cluster, instances));
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
    for (const cluster of clusterArns) all.push(...(await instancesIn(client, cluster)));
  return all;
}
