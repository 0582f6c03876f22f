/** ECS ARNs in the long format, as `amazon-ecs-agent`, the SDKs and Terraform expect them. */
export const arns = {
  cluster: (region: string, account: string, cluster: string): string =>
    `arn:aws:ecs:${region}:${account}:cluster/${cluster}`,
  service: (region: string, account: string, cluster: string, service: string): string =>
    `arn:aws:ecs:${region}:${account}:service/${cluster}/${service}`,
  task: (region: string, account: string, cluster: string, id: string): string =>
    `arn:aws:ecs:${region}:${account}:task/${cluster}/${id}`,
  containerInstance: (region: string, account: string, cluster: string, id: string): string =>
    `arn:aws:ecs:${region}:${account}:container-instance/${cluster}/${id}`,
  taskDefinition: (region: string, account: string, family: string, revision: number): string =>
    `arn:aws:ecs:${region}:${account}:task-definition/${family}:${revision}`,
  serviceDeployment: (region: string, account: string, cluster: string, service: string, id: string): string =>
    `arn:aws:ecs:${region}:${account}:service-deployment/${cluster}/${service}/${id}`,
  /** `number` is that of the deployment: `ecs-svc/<number>`. Terraform finds a service's deployment by it. */
  serviceRevision: (region: string, account: string, cluster: string, service: string, number: string): string =>
    `arn:aws:ecs:${region}:${account}:service-revision/${cluster}/${service}/${number}`,
} as const;
