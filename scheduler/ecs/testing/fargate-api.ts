import {
  type CapacityProviderStrategyItem,
  CreateClusterCommand,
  type CreateServiceCommandInput,
  DescribeTasksCommand,
  ListTasksCommand,
  type Task,
} from '@aws-sdk/client-ecs';

import { openApi, type TestApi } from './open-api.ts';

const capable = {
  'slipway.capability.fargate': '',
  'slipway.capability.task-network': '',
  'ecs.capability.task-eni': '',
};

/** A host that takes tasks of Fargate. */
export const fargateHost = {
  cpu: 16_384,
  memory: 65_536,
  attributes: { ...capable, 'ecs.capability.task-cpu-mem-limit': '' },
};

/** An API with clusters that have both capacity providers and a host each, and the task definition `small`. */
export async function openFargateApi(clusters: readonly string[]): Promise<{
  readonly api: TestApi;
  readonly network: NonNullable<CreateServiceCommandInput['networkConfiguration']>;
}> {
  const api = await openApi();
  for (const clusterName of clusters) {
    await api.ecs.send(new CreateClusterCommand({ clusterName, capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }));
    await api.addInstance({ cluster: clusterName, ...fargateHost });
  }
  await api.define({ family: 'small', networkMode: 'awsvpc', cpu: '256', memory: '512' });
  return { api, network: { awsvpcConfiguration: { subnets: await api.subnets() } } };
}

/** A strategy over both, and how it reads back. */
export const mixed: CapacityProviderStrategyItem[] = [
  { capacityProvider: 'FARGATE', base: 1, weight: 1 },
  { capacityProvider: 'FARGATE_SPOT', weight: 3 },
];
export const mixedReadBack = [
  { capacityProvider: 'FARGATE', base: 1, weight: 1 },
  { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 3 },
];

/** How many tasks are on which provider. */
export const tally = (tasks: readonly Task[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { capacityProviderName = 'none' } of tasks)
    counts[capacityProviderName] = (counts[capacityProviderName] ?? 0) + 1;
  return counts;
};

export async function tasksOf({ ecs }: TestApi, cluster: string, serviceName: string): Promise<Task[]> {
  const { taskArns } = await ecs.send(new ListTasksCommand({ cluster, serviceName }));
  if (taskArns === undefined || taskArns.length === 0) return [];
  return (await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns }))).tasks ?? [];
}
