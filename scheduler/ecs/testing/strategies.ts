import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  type DeploymentConfiguration,
  type LoadBalancer,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';

import { clusterKeys, clusterPartition, type ServiceRecord } from '../../state/index.ts';
import { account, openApi, region, type TestApi } from './open-api.ts';

export const elb = (resource: string): string => `arn:aws:elasticloadbalancing:${region}:${account}:${resource}`;
export const group = (name: string): string => elb(`targetgroup/${name}/0123456789abcdef`);
export const rule = (name: string): string => elb(`listener-rule/app/web/0123456789abcdef/0123456789abcdef/${name}`);
export const role = `arn:aws:iam::${account}:role/shifts`;
export const task = (name: string): string => `arn:aws:ecs:${region}:${account}:task-definition/${name}`;

type Advanced = NonNullable<LoadBalancer['advancedConfiguration']>;

/** A service's load balancer whose deployments shift traffic. */
export const balancer = (advanced: Advanced = {}, more: LoadBalancer = {}): LoadBalancer => ({
  targetGroupArn: group('blue'),
  containerName: 'main',
  containerPort: 80,
  advancedConfiguration: {
    alternateTargetGroupArn: group('green'),
    productionListenerRule: rule('main'),
    roleArn: role,
    ...advanced,
  },
  ...more,
});
export const plain = (name = 'blue'): LoadBalancer => ({
  targetGroupArn: group(name),
  containerName: 'main',
  containerPort: 80,
});
export const blueGreen: DeploymentConfiguration = { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 };

/** The API of ECS with target groups and rules of several load balancers, and services for deployments by a strategy. */
export class StrategyApi implements AsyncDisposable {
  readonly api: TestApi;
  #services = 0;

  private constructor(api: TestApi) {
    this.api = api;
  }

  static async open(): Promise<StrategyApi> {
    const api = await openApi();
    await api.define({
      family: 'web',
      containerDefinitions: [
        { name: 'main', image: 'busybox', memory: 64, portMappings: [{ containerPort: 80 }, { containerPort: 81 }] },
      ],
    });
    await api.define({ family: 'smoke' });
    const one = { image: 'busybox', memory: 64 };
    await api.define({
      family: 'pair',
      containerDefinitions: [
        { name: 'a', ...one },
        { name: 'b', ...one },
      ],
    });
    for (const name of ['blue', 'green', 'third'])
      api.groups.set(group(name), { targetType: 'instance', usedBy: 'web' });
    api.groups.set(group('far'), { targetType: 'instance', usedBy: 'other' });
    const balancer = { name: 'web', type: 'application' } as const;
    const pair = [group('blue'), group('green')];
    api.rules.set(rule('main'), { kind: 'rule', balancer, groups: pair });
    api.rules.set(rule('test'), { kind: 'rule', balancer, groups: pair.toReversed() });
    api.rules.set(rule('half'), { kind: 'rule', balancer, groups: [group('blue')] });
    api.rules.set(rule('fixed'), { kind: 'rule', balancer, groups: [] });
    api.groups.set(group('spare'), { targetType: 'instance', usedBy: undefined });
    api.rules.set(rule('wide'), { kind: 'rule', balancer, groups: [...pair, group('third')] });
    api.rules.set(rule('elsewhere'), { kind: 'rule', balancer: { ...balancer, name: 'other' }, groups: pair });
    api.rules.set(elb('listener/app/web/1/2'), { kind: 'listener', balancer, groups: pair });
    const net = { name: 'web', type: 'network' } as const;
    api.rules.set(elb('listener/net/web/1/2'), { kind: 'listener', balancer: net, groups: pair });
    api.rules.set(elb('listener-rule/net/web/1/2/3'), { kind: 'rule', balancer: net, groups: pair });
    return new StrategyApi(api);
  }

  async create(
    deploymentConfiguration: DeploymentConfiguration,
    more: Partial<CreateServiceCommandInput> = {},
  ): Promise<Service> {
    const serviceName = `web-${++this.#services}`;
    const input = { serviceName, taskDefinition: 'web', desiredCount: 0, deploymentConfiguration, ...more };
    return (await this.api.ecs.send(new CreateServiceCommand(input))).service ?? {};
  }

  async update(service: string | undefined, input: object): Promise<Service> {
    return (await this.api.ecs.send(new UpdateServiceCommand({ service, ...input }))).service ?? {};
  }

  /** The service's record. */
  async recordOf(name = ''): Promise<ServiceRecord> {
    const stored = await this.api.ports.records.get<ServiceRecord>(
      clusterPartition(account, 'default'),
      clusterKeys.service(name),
    );
    if (stored === undefined) throw new Error(`there is no service ${name}`);
    return stored.value;
  }

  /** Says that the newest deployment of a service is done. There is no instance: nothing ends but what the tests end. */
  async finish(name: string | undefined): Promise<void> {
    const service = await this.recordOf(name);
    const deployments = service.deployments.map((one) =>
      one.status === 'PRIMARY' ? { ...one, rolloutState: 'COMPLETED', completedAt: Date.now() } : one,
    );
    const key = clusterKeys.service(service.name);
    await this.api.ports.records.commit(clusterPartition(account, 'default'), {
      put: [{ key, value: JSON.parse(JSON.stringify({ ...service, deployments })) }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
  }
}
