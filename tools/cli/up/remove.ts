import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteServiceCommand,
  DeregisterTaskDefinitionCommand,
  DescribeServicesCommand,
  type ECSClient,
  paginateListTaskDefinitions,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { CliError } from '../errors.ts';
import { removeBalancer } from './balancers.ts';
import { removeRole } from './secrets.ts';

/** How long the tasks of a service that goes are waited for, and the pause between looks, in milliseconds. */
const patience = 180_000;
const pause = 500;

/** Ends a service that `slipway up` has made, with its load balancer, its revisions and its role. */
export async function removeService(ecs: ECSClient, cluster: string, service: string): Promise<void> {
  await ecs.send(new UpdateServiceCommand({ cluster, service, desiredCount: 0 }));
  await ecs.send(new DeleteServiceCommand({ cluster, service, force: true }));
  for (let waited = 0; ; waited += pause) {
    const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
    const [found] = services ?? [];
    if (found === undefined || found.status === 'INACTIVE') break;
    if (waited >= patience)
      throw new CliError(
        `${found.runningCount ?? 0} tasks of ${service} have not ended within ${patience / 1000} s: slipway ps ${cluster}/${service} shows them; run this again once they have`,
      );
    await sleep(pause);
  }
  await removeBalancer(cluster, service);
  for await (const { taskDefinitionArns = [] } of paginateListTaskDefinitions(
    { client: ecs },
    { familyPrefix: service, status: 'ACTIVE' },
  ))
    for (const taskDefinition of taskDefinitionArns)
      // A prefix is that of other families, too.
      if (taskDefinition.split('/').at(-1)?.split(':')[0] === service)
        await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition }));
  await removeRole(service);
}
