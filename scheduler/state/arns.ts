import { arnOf } from '@slipway/auth/kit';

const ecsArn = (region: string, account: string, resource: string): string =>
  arnOf({ service: 'ecs', region, account, resource });

/** ECS ARNs in the long format, as `amazon-ecs-agent`, the SDKs and Terraform expect them. */
export const arns = {
  cluster: (region: string, account: string, cluster: string): string => ecsArn(region, account, `cluster/${cluster}`),
  service: (region: string, account: string, cluster: string, service: string): string =>
    ecsArn(region, account, `service/${cluster}/${service}`),
  task: (region: string, account: string, cluster: string, id: string): string =>
    ecsArn(region, account, `task/${cluster}/${id}`),
  containerInstance: (region: string, account: string, cluster: string, id: string): string =>
    ecsArn(region, account, `container-instance/${cluster}/${id}`),
  attachment: (region: string, account: string, id: string): string => ecsArn(region, account, `attachment/${id}`),
  capacityProvider: (region: string, account: string, name: string): string =>
    ecsArn(region, account, `capacity-provider/${name}`),
  taskDefinition: (region: string, account: string, family: string, revision: number): string =>
    ecsArn(region, account, `task-definition/${family}:${revision}`),
  /** Every revision of a family, as policies name what is registered or not yet found. */
  taskDefinitions: (region: string, account: string, family: string): string =>
    ecsArn(region, account, `task-definition/${family}:*`),
  /** `id` is `ecs-svc/<number>`. */
  taskSet: (region: string, account: string, cluster: string, service: string, id: string): string =>
    ecsArn(region, account, `task-set/${cluster}/${service}/${id}`),
  serviceDeployment: (region: string, account: string, cluster: string, service: string, id: string): string =>
    ecsArn(region, account, `service-deployment/${cluster}/${service}/${id}`),
  /** `number` is that of the deployment: `ecs-svc/<number>`. Terraform finds a service's deployment by it. */
  serviceRevision: (region: string, account: string, cluster: string, service: string, number: string): string =>
    ecsArn(region, account, `service-revision/${cluster}/${service}/${number}`),
} as const;
