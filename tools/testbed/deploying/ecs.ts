import {
  CreateServiceCommand,
  type DeploymentConfiguration,
  DescribeServiceDeploymentsCommand,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  StopServiceDeploymentCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { shiftedBalancer } from '../balanced-service.ts';
import { type DeployingPlace, eventually, type Way } from './place.ts';
import { type Deploying, settled } from './service.ts';

const noBake = { bakeTimeInMinutes: 0 } as const;

/** How ECS's own deployments go to their end, and where they stand still to be called back. */
interface Manner {
  readonly ends: DeploymentConfiguration;
  readonly halted: DeploymentConfiguration;
  /** What the new revision has there, in percent of production traffic. */
  readonly share: number;
}
const manners = {
  BLUE_GREEN: {
    ends: { strategy: 'BLUE_GREEN', ...noBake },
    halted: { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 60 },
    share: 100,
  },
  LINEAR: {
    ends: { strategy: 'LINEAR', ...noBake, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 0 } },
    halted: { strategy: 'LINEAR', ...noBake, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 60 } },
    share: 50,
  },
  CANARY: {
    ends: { strategy: 'CANARY', ...noBake, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 0 } },
    halted: { strategy: 'CANARY', ...noBake, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 60 } },
    share: 10,
  },
} as const satisfies Record<string, Manner>;
export type Shifted = keyof typeof manners;

/** A service whose deployments are ECS's own: those that shift traffic, and rolling ones. */
abstract class ByEcs implements Deploying {
  readonly name: string;
  readonly way: Way;
  protected readonly place: DeployingPlace;
  constructor(name: string, place: DeployingPlace, way: Way) {
    this.name = name;
    this.place = place;
    this.way = way;
  }

  abstract forward(): Promise<() => Promise<void>>;
  abstract back(): Promise<void>;

  async begin(change: Omit<UpdateServiceCommand['input'], 'service'>): Promise<string> {
    const { ecs } = this.place;
    await ecs.send(new UpdateServiceCommand({ service: this.name, ...change }));
    const status = ['PENDING', 'IN_PROGRESS'] as const;
    const { serviceDeployments } = await ecs.send(
      new ListServiceDeploymentsCommand({ service: this.name, status: [...status] }),
    );
    const arn = serviceDeployments?.[0]?.serviceDeploymentArn;
    if (arn === undefined) throw new Error(`no deployment of ${this.name} began`);
    return arn;
  }

  async see(arn: string): Promise<ServiceDeployment> {
    const asked = new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arn] });
    return (await this.place.ecs.send(asked)).serviceDeployments?.[0] ?? {};
  }

  /** Waits until a deployment is over. @throws Error when it ends in another way */
  async ended(arn: string, wanted: ServiceDeployment['status']): Promise<void> {
    const { status, statusReason } = await eventually(`the deployment of ${this.name} to be ${wanted}`, async () => {
      const seen = await this.see(arn);
      return seen.finishedAt !== undefined && seen;
    });
    if (status !== wanted) throw new Error(`the deployment of ${this.name} is ${status}: ${statusReason}`);
    await settled(this.place.ecs, this.name);
  }

  async rollBack(serviceDeploymentArn: string): Promise<void> {
    await this.place.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn, stopType: 'ROLLBACK' }));
    await this.ended(serviceDeploymentArn, 'ROLLBACK_SUCCESSFUL');
  }
}

class Shifting extends ByEcs {
  readonly #manner: Manner;
  constructor(name: string, place: DeployingPlace, way: Way, manner: Manner) {
    super(name, place, way);
    this.#manner = manner;
  }

  async forward(): Promise<() => Promise<void>> {
    const arn = await this.begin({ forceNewDeployment: true, deploymentConfiguration: this.#manner.ends });
    return () => this.ended(arn, 'SUCCESSFUL');
  }

  async back(): Promise<void> {
    const { halted, share } = this.#manner;
    const arn = await this.begin({ forceNewDeployment: true, deploymentConfiguration: halted });
    await eventually(`${this.name} to have shifted ${share} %`, async () => {
      const { status, statusReason, targetServiceRevision } = await this.see(arn);
      if (status !== 'PENDING' && status !== 'IN_PROGRESS')
        throw new Error(`${this.name} is ${status}: ${statusReason}`);
      return targetServiceRevision?.requestedProductionTrafficWeight === share;
    });
    await this.rollBack(arn);
  }
}

class Rolling extends ByEcs {
  async forward(): Promise<() => Promise<void>> {
    const arn = await this.begin({ taskDefinition: this.name, forceNewDeployment: true });
    return () => this.ended(arn, 'SUCCESSFUL');
  }

  /** A revision that never answers is called back: it would never get to its end. */
  async back(): Promise<void> {
    const deaf = await this.place.revision(`${this.name}-deaf`, ['node', '-e', 'setInterval(() => undefined, 1000)']);
    const arn = await this.begin({ taskDefinition: deaf });
    await eventually(`a task of ${this.name} that answers nothing`, async () => {
      const { targetServiceRevision } = await this.see(arn);
      return (targetServiceRevision?.runningTaskCount ?? 0) > 0;
    });
    await this.rollBack(arn);
  }
}

/** Makes a service of two tasks, unless it is said how many. */
async function makeService(place: DeployingPlace, name: string, more: object): Promise<void> {
  await place.revision(name);
  await place.ecs.send(
    new CreateServiceCommand({
      serviceName: name,
      taskDefinition: name,
      desiredCount: 2,
      placementStrategy: [{ type: 'spread', field: 'instanceId' }],
      ...more,
    }),
  );
  await settled(place.ecs, name);
}

export async function deployShifting(place: DeployingPlace, strategy: Shifted): Promise<Deploying> {
  const name = strategy.toLowerCase().replace('_', '-');
  const way = await place.way(name);
  const { blue, green, from } = way;
  await makeService(place, name, {
    // One task is enough where shares of traffic are what counts: each costs a machine some of its time.
    desiredCount: strategy === 'BLUE_GREEN' ? 2 : 1,
    deploymentConfiguration: manners[strategy].ends,
    loadBalancers: [shiftedBalancer(blue, { green, rule: from }, 'target')],
  });
  return new Shifting(name, place, way, manners[strategy]);
}

export async function deployRolling(place: DeployingPlace): Promise<Deploying> {
  const way = await place.way('rolling');
  await makeService(place, 'rolling', {
    loadBalancers: [{ targetGroupArn: way.blue, containerName: 'target', containerPort: 8080 }],
  });
  return new Rolling('rolling', place, way);
}
