import {
  CreateApplicationCommand,
  CreateDeploymentCommand,
  CreateDeploymentGroupCommand,
  type DeploymentInfo,
  GetDeploymentCommand,
  GetDeploymentTargetCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-codedeploy';
import {
  CreateServiceCommand,
  CreateTaskSetCommand,
  DeleteTaskSetCommand,
  UpdateServicePrimaryTaskSetCommand,
} from '@aws-sdk/client-ecs';
import { type DeployingPlace, eventually, type Way } from './place.ts';
import { type Deploying, describeService, settled } from './service.ts';

const role = 'arn:aws:iam::000000000000:role/codedeploy';
const named = { applicationName: 'shop', deploymentGroupName: 'shop' } as const;

/** A service that CodeDeploy deploys. */
class ByCodeDeploy implements Deploying {
  readonly name = 'code-deploy';
  readonly way: Way;
  readonly #place: DeployingPlace;
  constructor(place: DeployingPlace, way: Way) {
    this.#place = place;
    this.way = way;
  }

  async forward(): Promise<() => Promise<void>> {
    const id = await this.#begin('CodeDeployDefault.ECSAllAtOnce');
    return async () => {
      await this.#ended(id, 'Succeeded');
      await settled(this.#place.ecs, this.name);
    };
  }

  async back(): Promise<void> {
    const id = await this.#begin('CodeDeployDefault.ECSCanary10Percent15Minutes');
    const target = { deploymentId: id, targetId: `default:${this.name}` };
    await eventually(`${this.name} to have shifted a tenth`, async () => {
      const { deploymentTarget } = await this.#place.codeDeploy.send(new GetDeploymentTargetCommand(target));
      const sets = deploymentTarget?.ecsTarget?.taskSetsInfo ?? [];
      return sets.some(({ taskSetLabel, trafficWeight }) => taskSetLabel === 'Green' && trafficWeight === 10);
    });
    await this.#place.codeDeploy.send(new StopDeploymentCommand({ deploymentId: id, autoRollbackEnabled: true }));
    await this.#ended(id, 'Stopped');
    const rollback = await eventually(`${this.name} to go back`, async () => {
      return (await this.#look(id)).rollbackInfo?.rollbackDeploymentId;
    });
    await this.#ended(rollback, 'Succeeded');
    await settled(this.#place.ecs, this.name);
  }

  async #begin(deploymentConfigName: string): Promise<string> {
    const Properties = {
      TaskDefinition: this.name,
      LoadBalancerInfo: { ContainerName: 'target', ContainerPort: 8080 },
    };
    const content = JSON.stringify({
      version: 0,
      Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties } }],
    });
    const asked = {
      ...named,
      deploymentConfigName,
      revision: { revisionType: 'AppSpecContent' as const, appSpecContent: { content } },
    };
    return (await this.#place.codeDeploy.send(new CreateDeploymentCommand(asked))).deploymentId ?? '';
  }

  async #look(deploymentId: string): Promise<DeploymentInfo> {
    return (await this.#place.codeDeploy.send(new GetDeploymentCommand({ deploymentId }))).deploymentInfo ?? {};
  }

  async #ended(id: string, wanted: DeploymentInfo['status']): Promise<void> {
    const { status, errorInformation } = await eventually(`${id} to be ${wanted}`, async () => {
      const seen = await this.#look(id);
      return ['Succeeded', 'Failed', 'Stopped'].includes(seen.status ?? '') && seen;
    });
    if (status !== wanted) throw new Error(`${id} of ${this.name} is ${status}: ${errorInformation?.message}`);
  }
}

/** Makes a service and the application and group by which CodeDeploy deploys it. */
export async function deployByCodeDeploy(place: DeployingPlace): Promise<Deploying> {
  const name = 'code-deploy';
  const way = await place.way(name, { own: true });
  const Principal = { Service: 'codedeploy.amazonaws.com' };
  const trust = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }] };
  const { stage } = place;
  await stage.aws(
    ['iam', 'create-role', '--role-name', 'codedeploy'],
    ['--assume-role-policy-document', JSON.stringify(trust)],
  );
  const policy = 'arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS';
  await stage.aws('iam', 'attach-role-policy', '--role-name', 'codedeploy', '--policy-arn', policy);
  await place.revision(name);
  await place.ecs.send(
    new CreateServiceCommand({
      serviceName: name,
      taskDefinition: name,
      desiredCount: 1,
      deploymentController: { type: 'CODE_DEPLOY' },
      loadBalancers: [{ targetGroupArn: way.blue, containerName: 'target', containerPort: 8080 }],
    }),
  );
  await settled(place.ecs, name);
  const { applicationName } = named;
  await place.codeDeploy.send(new CreateApplicationCommand({ applicationName, computePlatform: 'ECS' }));
  await place.codeDeploy.send(
    new CreateDeploymentGroupCommand({
      ...named,
      serviceRoleArn: role,
      deploymentStyle: { deploymentType: 'BLUE_GREEN', deploymentOption: 'WITH_TRAFFIC_CONTROL' },
      ecsServices: [{ clusterName: 'default', serviceName: name }],
      loadBalancerInfo: {
        targetGroupPairInfoList: [
          {
            targetGroups: [{ name: `${name}-blue` }, { name: `${name}-green` }],
            prodTrafficRoute: { listenerArns: [way.from] },
          },
        ],
      },
      blueGreenDeploymentConfiguration: {
        terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 0 },
        deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT', waitTimeInMinutes: 0 },
      },
    }),
  );
  return new ByCodeDeploy(place, way);
}

/** A service whose controller is the test: task sets, and weights between them. */
class ByTaskSets implements Deploying {
  readonly name = 'external';
  readonly way: Way;
  readonly #place: DeployingPlace;
  /** The group of the primary task set, and the other one. */
  #groups: readonly [string, string];
  #primary = '';
  constructor(place: DeployingPlace, way: Way) {
    this.#place = place;
    this.way = way;
    this.#groups = [way.blue, way.green];
  }

  async first(): Promise<void> {
    // Both groups have the rule from the start: a task set of a group that nothing forwards to is refused.
    await this.#weigh([this.way.blue, 100], [this.way.green, 0]);
    this.#primary = await this.#add(this.#groups[0]);
    await this.#steady(this.#primary);
    await this.#makePrimary(this.#primary);
  }

  async forward(): Promise<() => Promise<void>> {
    const [old, next] = this.#groups;
    const made = await this.#add(next);
    return async () => {
      await this.#steady(made);
      await this.#weigh([old, 50], [next, 50]);
      await this.#weigh([old, 0], [next, 100]);
      await this.#makePrimary(made);
      await this.#delete(this.#primary);
      this.#primary = made;
      this.#groups = [next, old];
    };
  }

  async back(): Promise<void> {
    const [old, next] = this.#groups;
    const made = await this.#add(next);
    await this.#steady(made);
    await this.#weigh([old, 50], [next, 50]);
    await this.#weigh([old, 100], [next, 0]);
    await this.#delete(made);
  }

  async #add(targetGroupArn: string): Promise<string> {
    const { taskSet } = await this.#place.ecs.send(
      new CreateTaskSetCommand({
        cluster: 'default',
        service: this.name,
        taskDefinition: this.name,
        scale: { unit: 'PERCENT', value: 100 },
        loadBalancers: [{ targetGroupArn, containerName: 'target', containerPort: 8080 }],
      }),
    );
    return taskSet?.id ?? '';
  }

  /** Waits until a set is whole: all of its tasks are there, and get requests. */
  async #steady(id: string): Promise<void> {
    await eventually(`the task set ${id} to be steady`, async () => {
      const { taskSets = [] } = await describeService(this.#place.ecs, this.name);
      return taskSets.some((set) => set.id === id && set.stabilityStatus === 'STEADY_STATE');
    });
  }

  /** What may be said again when no answer came. */
  async #weigh(...weights: readonly (readonly [string, number])[]): Promise<void> {
    const TargetGroups = weights.map(([TargetGroupArn, Weight]) => ({ TargetGroupArn, Weight }));
    const Actions = [{ Type: 'forward', ForwardConfig: { TargetGroups } }];
    await eventually('the weights', () => this.#place.elb('ModifyRule', { RuleArn: this.way.from, Actions }));
  }

  async #makePrimary(primaryTaskSet: string): Promise<void> {
    const asked = { cluster: 'default', service: this.name, primaryTaskSet };
    await eventually('the primary task set', () => this.#place.ecs.send(new UpdateServicePrimaryTaskSetCommand(asked)));
  }

  async #delete(taskSet: string): Promise<void> {
    const asked = { cluster: 'default', service: this.name, taskSet, force: true };
    await eventually(`the task set ${taskSet} to be gone`, async () => {
      const { taskSets = [] } = await describeService(this.#place.ecs, this.name);
      const set = taskSets.find(({ id }) => id === taskSet);
      if (set !== undefined && set.status !== 'DRAINING') await this.#place.ecs.send(new DeleteTaskSetCommand(asked));
      return set === undefined;
    });
  }
}

export async function deployByTaskSets(place: DeployingPlace): Promise<Deploying> {
  const way = await place.way('external');
  await place.revision('external');
  await place.ecs.send(
    new CreateServiceCommand({ serviceName: 'external', desiredCount: 2, deploymentController: { type: 'EXTERNAL' } }),
  );
  const service = new ByTaskSets(place, way);
  await service.first();
  return service;
}
