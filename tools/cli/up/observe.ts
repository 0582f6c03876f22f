import type { ECRClient } from '@aws-sdk/client-ecr';
import {
  CreateClusterCommand,
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  type Service,
} from '@aws-sdk/client-ecs';
import { servicesIn } from '../contents.ts';
import { CliError } from '../errors.ts';
import { repositoriesOf } from '../images.ts';
import { callJson } from '../json-api.ts';
import { balancerNow } from './balancers.ts';
import type { App } from './model.ts';
import { type Now, ownerOf, type ServiceNow } from './plan.ts';
import { stateTag } from './registration.ts';

/**
 * The services of a cluster with their tags.
 * @param ending also those on their way out
 * @throws CliError when there is no such cluster
 */
export async function servicesOf(client: ECSClient, cluster: string, ending = false): Promise<readonly Service[]> {
  await checkCluster(client, cluster);
  const { found } = await servicesIn(client, cluster, { tags: true });
  return found.filter(({ status }) => status === 'ACTIVE' || (ending && status === 'DRAINING'));
}

/** The cluster `default` is made where it is not there, as aws ecs run-task expects it to be. */
async function checkCluster(client: ECSClient, cluster: string): Promise<void> {
  const { clusters = [] } = await client.send(new DescribeClustersCommand({ clusters: [cluster] }));
  if (clusters.some(({ status }) => status === 'ACTIVE')) return;
  if (cluster !== 'default')
    throw new CliError(`there is no cluster ${cluster}: aws ecs create-cluster --cluster-name ${cluster} makes it`);
  await client.send(new CreateClusterCommand({}));
}

/** How everything stands that the file is about. */
export async function observe(ecs: ECSClient, ecr: ECRClient, cluster: string, app: App): Promise<Now> {
  const services = new Map<string, ServiceNow>();
  for (const service of await servicesOf(ecs, cluster)) {
    const { serviceName = '', taskDefinition } = service;
    if (ownerOf(service) !== app.name || !app.services.some(({ name }) => name === serviceName)) {
      services.set(serviceName, { service });
      continue;
    }
    const answer = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition, include: ['TAGS'] }));
    const state = answer.tags?.find(({ key }) => key === stateTag)?.value;
    const balancer = await balancerNow(cluster, serviceName);
    services.set(serviceName, {
      service,
      ...(answer.taskDefinition === undefined ? {} : { taskDefinition: answer.taskDefinition }),
      ...(state === undefined ? {} : { state }),
      ...(balancer === undefined ? {} : { balancer }),
    });
  }
  const repositories = new Set((await repositoriesOf(ecr)).map(({ repositoryName = '' }) => repositoryName));
  return { services, repositories, logGroup: await hasLogGroup(app.name) };
}

async function hasLogGroup(name: string): Promise<boolean> {
  const { logGroups = [] } = await callJson<{ logGroups?: readonly { logGroupName: string }[] }>(
    'logs',
    'DescribeLogGroups',
    { logGroupNamePrefix: name },
  );
  return logGroups.some(({ logGroupName }) => logGroupName === name);
}
