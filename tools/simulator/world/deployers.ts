import type { CreateServiceCommandInput } from '@aws-sdk/client-ecs';
import { alarmOf } from './alarm-checks.ts';
import type { Registered } from './balancer.ts';
import type { Chance } from './chance.ts';
import { receiverUrl } from './receiver.ts';
import { account } from './server.ts';

/** Where containers answer requests. */
export const containerPort = 80;

/** What the team reaches of the world. */
export interface DeployerPorts {
  api<T = unknown>(
    operation: string,
    input: object,
  ): Promise<
    | { readonly kind: 'done'; readonly value: T }
    | { readonly kind: 'refused'; readonly code: string; readonly message: string }
    | { readonly kind: 'unknown' }
  >;
  note(what: string): void;
  /** Whether deployments may be stopped by alarms. */
  readonly alarms: boolean;
  /** Some seconds of theirs. */
  wait(): Promise<void>;
}

/** The service that CodeDeploy deploys where services shift traffic. */
export const deployedService = 'beta';

/** The team whose service CodeDeploy deploys: with own deployment groups, AppSpecs, hooks, and people who stop what they began. */
export class Deployers {
  readonly #ports: DeployerPorts;
  /** Where its service is registered. */
  #registered: Registered | undefined;

  constructor(ports: DeployerPorts) {
    this.#ports = ports;
  }

  /** Whether a service that is there is CodeDeploy's. */
  async isOurs(service: string): Promise<boolean> {
    const described = await this.#call<{ services?: { deploymentController?: { type?: string } }[] }>(
      'DescribeServices',
      { services: [service] },
    );
    return described?.services?.[0]?.deploymentController?.type === 'CODE_DEPLOY';
  }

  /** Makes a service with its application and its group; what is there already is not made again. */
  async make(input: CreateServiceCommandInput, registered: Registered): Promise<void> {
    this.#registered = registered;
    await this.#call('CreateService', {
      ...input,
      deploymentController: { type: 'CODE_DEPLOY' },
      loadBalancers: [{ targetGroupArn: registered.group, containerName: 'app', containerPort }],
      healthCheckGracePeriodSeconds: 15,
    });
    await this.#group(input.serviceName ?? '', registered);
  }

  async #group(serviceName: string, { group, alternate, listener }: Registered): Promise<void> {
    await this.#call('CreateApplication', { applicationName: serviceName, computePlatform: 'ECS' });
    for (const [type, share] of [
      ['TimeBasedCanary', { timeBasedCanary: { canaryPercentage: 10, canaryInterval: 1 } }],
      ['TimeBasedLinear', { timeBasedLinear: { linearPercentage: 50, linearInterval: 1 } }],
    ] as const)
      await this.#call('CreateDeploymentConfig', {
        deploymentConfigName: type,
        computePlatform: 'ECS',
        trafficRoutingConfig: { type, ...share },
      });
    const nameOf = (arn: string): string => arn.split('/').at(-2) ?? '';
    await this.#call('CreateDeploymentGroup', {
      ...named(serviceName),
      serviceRoleArn: `arn:aws:iam::${account}:role/codedeploy`,
      deploymentStyle: { deploymentType: 'BLUE_GREEN', deploymentOption: 'WITH_TRAFFIC_CONTROL' },
      ecsServices: [{ clusterName: 'default', serviceName }],
      loadBalancerInfo: {
        targetGroupPairInfoList: [
          {
            targetGroups: [{ name: nameOf(group) }, { name: nameOf(alternate) }],
            prodTrafficRoute: { listenerArns: [listener] },
          },
        ],
      },
      blueGreenDeploymentConfiguration: {
        terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 1 },
        deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT' },
      },
      ...(this.#ports.alarms
        ? { alarmConfiguration: { enabled: true, alarms: [{ name: alarmOf(serviceName) }] } }
        : {}),
    });
  }

  /** Deploys a revision, or stops, or hurries, what is under way. */
  async deploy(service: string, taskDefinition: string, chance: Chance): Promise<void> {
    if (chance.happens(0.3)) await this.#meddle(service, chance);
    const hooks = chance.pick([[], [], [{ AfterInstall: receiverUrl }], [{ BeforeAllowTraffic: 'PAUSE' }]]);
    await this.#call('CreateDeployment', {
      ...named(service),
      deploymentConfigName: chance.pick(['CodeDeployDefault.ECSAllAtOnce', 'TimeBasedCanary', 'TimeBasedLinear']),
      autoRollbackConfiguration: chance.pick([
        { enabled: false },
        { enabled: true, events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'] },
      ]),
      ...revisionOf(taskDefinition, hooks),
    });
  }

  /** What an operator does when everything is repaired: the revision is deployed, whatever has to end first. */
  async insist(service: string, taskDefinition: string, chance: Chance): Promise<void> {
    let isMade = false;
    // What is gone back to and never is healthy has its verdict after ten minutes.
    for (let attempt = 0; attempt < 300; attempt++) {
      const answer = await this.#ports.api('CreateDeployment', {
        ...named(service),
        ...revisionOf(taskDefinition, []),
        deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
        overrideAlarmConfiguration: { enabled: false },
      });
      if (answer.kind === 'done') return;
      if (answer.kind === 'refused' && answer.code !== 'DeploymentLimitExceededException') {
        this.#ports.note(`cannot deploy ${service}: ${answer.message}`);
        // Its team may not have come to make its group, or never have heard that it had not, or the store may have lost it.
        if (isMade || this.#registered === undefined) return;
        isMade = true;
        await this.#group(service, this.#registered);
        continue;
      }
      await this.#meddle(service, chance);
      await this.#ports.wait();
    }
  }

  async #meddle(service: string, chance: Chance): Promise<void> {
    const listed = await this.#call<{ deployments?: string[] }>('ListDeployments', {
      ...named(service),
      includeOnlyStatuses: ['Created', 'Queued', 'InProgress', 'Ready'],
    });
    for (const deploymentId of listed?.deployments ?? []) {
      await this.#call('GetDeployment', { deploymentId });
      await this.#call('ContinueDeployment', { deploymentId, deploymentWaitType: 'TERMINATION_WAIT' });
      await this.#call('StopDeployment', { deploymentId, autoRollbackEnabled: chance.happens(0.5) });
    }
  }

  async #call<T>(operation: string, input: object): Promise<T | undefined> {
    const answer = await this.#ports.api<T>(operation, input);
    return answer.kind === 'done' ? answer.value : undefined;
  }
}

const named = (service: string) => ({ applicationName: service, deploymentGroupName: service });

const revisionOf = (TaskDefinition: string, Hooks: readonly object[]) => ({
  revision: {
    revisionType: 'AppSpecContent',
    appSpecContent: {
      content: JSON.stringify({
        version: 0.0,
        Resources: [
          {
            TargetService: {
              Type: 'AWS::ECS::Service',
              Properties: {
                TaskDefinition,
                LoadBalancerInfo: { ContainerName: 'app', ContainerPort: containerPort },
              },
            },
          },
        ],
        Hooks,
      }),
    },
  },
});
