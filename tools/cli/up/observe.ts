import { DescribeRepositoriesCommand, type ECRClient } from '@aws-sdk/client-ecr';
import {
  CreateClusterCommand,
  DescribeClustersCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  paginateListServices,
  type Service,
} from '@aws-sdk/client-ecs';
import { CliError } from '../errors.ts';
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
  const arns: string[] = [];
  for await (const { serviceArns = [] } of paginateListServices({ client }, { cluster, maxResults: 100 }))
    arns.push(...serviceArns);
  const found: Service[] = [];
  for (let from = 0; from < arns.length; from += 10) {
    const services = arns.slice(from, from + 10);
    found.push(
      ...((await client.send(new DescribeServicesCommand({ cluster, services, include: ['TAGS'] }))).services ?? []),
    );
  }
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
  return { services, repositories: await repositoriesOf(ecr), logGroup: await hasLogGroup(app.name) };
}

async function repositoriesOf(client: ECRClient): Promise<Set<string>> {
  const found = new Set<string>();
  let nextToken: string | undefined;
  do {
    const page = await client.send(new DescribeRepositoriesCommand({ maxResults: 1000, nextToken }));
    for (const { repositoryName } of page.repositories ?? [])
      if (repositoryName !== undefined) found.add(repositoryName);
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  return found;
}

async function hasLogGroup(name: string): Promise<boolean> {
  const { logGroups = [] } = await callJson<{ logGroups?: readonly { logGroupName: string }[] }>(
    'logs',
    'DescribeLogGroups',
    { logGroupNamePrefix: name },
  );
  return logGroups.some(({ logGroupName }) => logGroupName === name);
}
