import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  type CreateServiceCommandOutput,
  DescribeServicesCommand,
  type Service,
} from '@aws-sdk/client-ecs';

import type { TestApi } from './open-api.ts';

/** Creates the service `web` without a task, changed as given. */
export const createService = (
  { ecs }: TestApi,
  input: Partial<CreateServiceCommandInput>,
): Promise<CreateServiceCommandOutput> =>
  ecs.send(new CreateServiceCommand({ serviceName: 'web', desiredCount: 0, ...input }));

/** A service that is there, with its tags. */
export async function describeService({ ecs }: TestApi, cluster: string, service = 'web'): Promise<Service> {
  const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service], include: ['TAGS'] }));
  if (services?.[0] === undefined) throw new Error(`service ${service} is missing`);
  return services[0];
}
