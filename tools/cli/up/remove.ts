import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteServiceCommand,
  DeregisterTaskDefinitionCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  paginateListClusters,
  paginateListTaskDefinitions,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { CliError } from '../errors.ts';
import { removeBalancer } from './balancers.ts';
import { projectTag } from './registration.ts';
import { removeRole } from './secrets.ts';

/** How long the tasks of a service that goes are waited for, and the pause between looks, in milliseconds. */
const patience = 180_000;
const pause = 500;

/**
 * Ends a service that `slipway up` has made, with its load balancer and its role, and its revisions unless a service of its name in
 * another cluster has these, too. One that is on its way out already is waited for.
 * @param project whose revisions go: others may have registered some of the same family
 */
export async function removeService(ecs: ECSClient, cluster: string, service: string, project: string): Promise<void> {
  const unlessEnding = (error: unknown): void => {
    if ((error as Error).name !== 'ServiceNotActiveException') throw error;
  };
  await ecs.send(new UpdateServiceCommand({ cluster, service, desiredCount: 0 })).catch(unlessEnding);
  await ecs.send(new DeleteServiceCommand({ cluster, service, force: true })).catch(unlessEnding);
  for (let waited = 0; ; waited += pause) {
    const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
    const [found] = services ?? [];
    if (found === undefined || found.status === 'INACTIVE') break;
    if (waited >= patience)
      throw new CliError(
        `${found.runningCount ?? 0} tasks of ${service} have not ended within ${patience / 1000} s: slipway ps ${cluster}/${service} shows them; run this again, it waits for them`,
      );
    await sleep(pause);
  }
  await removeBalancer(cluster, service);
  await removeRole(cluster, service);
  if (await isElsewhere(ecs, cluster, service)) return;
  for (const taskDefinition of await revisionsOf(ecs, service, project))
    await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition }));
}

/** Whether another cluster has a service of the name; so it is said where the caller may not see. */
export async function isElsewhere(ecs: ECSClient, cluster: string, service: string): Promise<boolean> {
  const own = cluster.split('/').at(-1);
  try {
    for await (const { clusterArns = [] } of paginateListClusters({ client: ecs }, {}))
      for (const other of clusterArns) {
        if (other.split('/').at(-1) === own) continue;
        const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster: other, services: [service] }));
        if (services.some(({ status }) => status !== 'INACTIVE')) return true;
      }
  } catch (error) {
    if (!(error as Error).name.startsWith('AccessDenied')) throw error;
    return true;
  }
  return false;
}

/** The revisions of a family that have the tag of the project. */
export async function revisionsOf(ecs: ECSClient, family: string, project: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { taskDefinitionArns = [] } of paginateListTaskDefinitions(
    { client: ecs },
    { familyPrefix: family, status: 'ACTIVE' },
  ))
    for (const taskDefinition of taskDefinitionArns) {
      // A prefix is that of other families, too.
      if (taskDefinition.split('/').at(-1)?.split(':')[0] !== family) continue;
      const { tags = [] } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition, include: ['TAGS'] }));
      if (tags.some(({ key, value }) => key === projectTag && value === project)) found.push(taskDefinition);
    }
  return found;
}
