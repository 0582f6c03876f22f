import type { ContainerDefinition, CreateServiceCommandInput, UpdateServiceCommandInput } from '@aws-sdk/client-ecs';
import { alarmOf } from './alarm-checks.ts';
import type { Registered } from './balancer.ts';
import { Chance } from './chance.ts';
import { Controller } from './controller.ts';
import { containerPort, deployedService, Deployers } from './deployers.ts';
import {
  drawBehaviour,
  drawBounds,
  drawConstraints,
  drawJudgement,
  drawPlacementStrategy,
  drawShift,
  loadBalancer,
} from './drawn.ts';
import { type Behaviour, good } from './images.ts';
import { serviceNames, type UserAction } from './plan.ts';

/** How a call of the API ended, as its caller sees it. */
export type Answer<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** No answer: it may have happened. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Where tasks are to have their addresses. */
type Addresses = Pick<CreateServiceCommandInput, 'networkConfiguration'>;

/** What users reach of the world. */
export interface UserPorts {
  /** One call of the ECS API, at whichever server answers. */
  api<T = unknown>(operation: string, input: object): Promise<Answer<T>>;
  /** Builds and pushes an image, as the registry commits it. @returns its digest */
  push(repository: string, tag: string, behaviour: Behaviour, announced: boolean): Promise<string>;
  /** Images that run end at once from now on, those of this tag: what they need is gone. */
  breakImage(repository: string, tag: string): void;
  note(what: string): void;
  /** Families whose tasks have addresses of their own. */
  readonly addressed: ReadonlySet<string>;
  /** The target group that a service's tasks are to be in, once it is there; undefined: it stands behind no load balancer. */
  targetGroup(service: string): Promise<Registered | undefined>;
  /** Whether any service stands behind a load balancer. */
  readonly balanced: boolean;
  /** Whether deployments may fail by alarms. */
  readonly alarms: boolean;
  /** Whether services have strategies that shift traffic. */
  readonly shifts: boolean;
  /** Whether steps of those are judged. */
  readonly judged: boolean;
  /** Whether somebody else than ECS deploys services. */
  readonly sets: boolean;
  /** Whether zones of services are evened out. */
  readonly zones: boolean;
  /** The capacity provider that some tasks run on, once it is there; undefined: there is none. */
  readonly provider: (() => Promise<string>) | undefined;
  readonly imageHost: string;
  /** Some seconds of theirs. */
  wait(): Promise<void>;
}

/** Repositories that users push to; every one has a good image from the start. */
export const repositories = ['web', 'api', 'job'] as const;

/** The people and programs that use the installation: what each action of a plan means. */
export class Users {
  readonly #ports: UserPorts;
  /** Task ARNs that RunTask returned. */
  readonly ran: string[] = [];
  readonly #controller: Controller;
  readonly #deployers: Deployers;

  constructor(ports: UserPorts) {
    this.#ports = ports;
    this.#controller = new Controller({
      call: (operation, input) => this.#call(operation, input),
      place: async (service, chance, sizes) => {
        const taskDefinition = await this.define(service, chance, chance.pick(repositories), 'prod', sizes);
        const network = await this.#network(service, chance, sizes !== undefined);
        const registered = await this.#ports.targetGroup(service);
        if (taskDefinition === undefined || network === undefined) return undefined;
        return {
          taskDefinition,
          ...network,
          ...(registered === undefined ? {} : { loadBalancers: [loadBalancer(registered, false)] }),
        };
      },
    });
    this.#deployers = new Deployers(ports);
  }

  async act({ kind, seed }: UserAction): Promise<void> {
    const chance = new Chance(seed);
    // Those behind load balancers, where that is what the day is about; few where one deployment is to meet the next.
    const name = chance.pick(this.#ports.shifts ? serviceNames.slice(0, 2) : serviceNames);
    switch (kind) {
      case 'create-service':
        return this.#createService(name, chance);
      case 'update-service':
        return this.#updateService(name, chance);
      case 'scale-service':
        await this.#call('UpdateService', { service: name, desiredCount: chance.whole(0, 6) });
        return undefined;
      case 'delete-service':
        await this.#call('DeleteService', { service: name, force: true });
        return undefined;
      case 'push':
        await this.#ports.push(
          chance.pick(repositories),
          chance.happens(0.8) ? 'prod' : 'next',
          drawBehaviour(chance),
          chance.happens(0.9),
        );
        return undefined;
      case 'run-task':
        return this.#runTask(chance);
      case 'stop-task':
        return this.#stopTask(chance);
      case 'drain':
      case 'activate':
        return this.#changeInstance(kind === 'drain' ? 'DRAINING' : 'ACTIVE', chance);
      case 'attribute':
        return this.#attribute(chance);
      case 'tag':
        return this.#tag(name, chance);
      case 'protect':
        return this.#protect(chance);
      case 'describe':
        await this.#call('DescribeServices', { services: [name] });
        return this.#describeTasks();
      case 'break-image':
        this.#ports.breakImage(chance.pick(repositories), chance.pick(['prod', 'prod', 'next']));
        return undefined;
    }
  }

  async #call<T>(operation: string, input: object): Promise<T | undefined> {
    const answer = await this.#ports.api<T>(operation, input);
    return answer.kind === 'done' ? answer.value : undefined;
  }

  /** Registers a revision. @returns `family:revision`, or undefined */
  async define(
    family: string,
    chance: Chance,
    repository: string,
    tag: string,
    sizes: readonly number[] = [64, 128, 256, 512],
  ): Promise<string | undefined> {
    const container: ContainerDefinition = {
      name: 'app',
      image: `${this.#ports.imageHost}/${repository}:${tag}`,
      essential: true,
      cpu: chance.pick([0, 64, 128, 256]),
      memory: chance.pick(sizes),
      ...(this.#ports.balanced ? { portMappings: [{ containerPort }] } : {}),
      ...(chance.happens(0.5) ? { healthCheck: { command: ['CMD', 'check'], interval: 5, retries: 2 } } : {}),
    };
    const sidecar: ContainerDefinition = {
      name: 'log',
      image: `${this.#ports.imageHost}/web:base`,
      essential: false,
      memory: 32,
      dependsOn: [{ containerName: 'app', condition: container.healthCheck === undefined ? 'START' : 'HEALTHY' }],
    };
    const definition = await this.#call<{ taskDefinition?: { family?: string; revision?: number } }>(
      'RegisterTaskDefinition',
      {
        family,
        containerDefinitions: chance.happens(0.2) ? [container, sidecar] : [container],
        ...(this.#ports.addressed.has(family) ? { networkMode: 'awsvpc' } : {}),
      },
    );
    const { taskDefinition } = definition ?? {};
    return taskDefinition === undefined ? undefined : `${taskDefinition.family}:${taskDefinition.revision}`;
  }

  /** Where tasks of a family are to have their addresses, for those that have any; nothing when nobody says what there is. */
  async #network(family: string, chance: Chance, everywhere = false): Promise<Addresses | undefined> {
    if (!this.#ports.addressed.has(family)) return {};
    const described = await this.#call<{ Subnets?: { SubnetId?: string }[] }>('DescribeSubnets', {});
    const all = (described?.Subnets ?? []).flatMap(({ SubnetId }) => SubnetId ?? []);
    if (all.length === 0) return undefined;
    const some = all.filter(() => chance.happens(0.7));
    const subnets = everywhere || some.length === 0 ? all : some;
    return { networkConfiguration: { awsvpcConfiguration: { subnets } } };
  }

  async #createService(serviceName: string, chance: Chance): Promise<void> {
    if (this.#ports.sets && (await this.#controller.create(serviceName, chance))) return;
    const taskDefinition = await this.define(serviceName, chance, chance.pick(repositories), 'prod');
    if (taskDefinition === undefined) return;
    const daemon = chance.happens(0.1);
    const network = await this.#network(serviceName, chance);
    if (network === undefined) return;
    const registered = await this.#ports.targetGroup(serviceName);
    const shift = this.#ports.shifts && !daemon ? drawShift(chance, this.#ports.judged) : {};
    const byCodeDeploy = this.#ports.shifts && !this.#ports.judged && serviceName === deployedService;
    if (byCodeDeploy && !daemon && registered !== undefined) {
      const made = { serviceName, taskDefinition, ...network, ...drawConstraints(chance, daemon) };
      return this.#deployers.make(
        { ...made, desiredCount: chance.whole(1, 6), deploymentConfiguration: drawBounds(chance, daemon) },
        registered,
      );
    }
    const input: CreateServiceCommandInput = {
      serviceName,
      taskDefinition,
      ...network,
      ...(daemon ? { schedulingStrategy: 'DAEMON' as const } : { desiredCount: chance.whole(1, 6) }),
      deploymentConfiguration: {
        ...drawBounds(chance, daemon),
        ...shift,
        ...(this.#ports.alarms
          ? { alarms: { alarmNames: [alarmOf(serviceName)], enable: true, rollback: chance.happens(0.8) } }
          : {}),
        deploymentCircuitBreaker: chance.pick([
          { enable: true, rollback: true },
          { enable: true, rollback: true },
          { enable: true, rollback: false },
          { enable: true, rollback: true, thresholdConfiguration: { type: 'COUNT', value: chance.whole(1, 5) } },
          { enable: false, rollback: false },
        ] as const),
      },
      ...(chance.happens(0.3) && !daemon
        ? { placementStrategy: drawPlacementStrategy(chance, this.#ports.zones) }
        : {}),
      ...drawConstraints(chance, daemon),
      ...(daemon ? {} : await this.#capacity(chance)),
      // Where it is possible it is what ECS does by itself.
      ...(this.#ports.zones ? {} : { availabilityZoneRebalancing: 'DISABLED' as const }),
      ...(registered === undefined
        ? {}
        : {
            loadBalancers: [loadBalancer(registered, shift.strategy !== undefined)],
            healthCheckGracePeriodSeconds: 15,
          }),
    };
    await this.#call('CreateService', { ...input, ...this.#tags(chance, input, registered !== undefined) });
  }

  /** On days on which zones are evened out, tasks of most services are moved by their strategies as well. */
  #tags(
    chance: Chance,
    { schedulingStrategy, deploymentConfiguration: { maximumPercent = 200 } = {} }: CreateServiceCommandInput,
    isBalanced: boolean,
  ): Pick<CreateServiceCommandInput, 'tags'> {
    const { judged, zones } = this.#ports;
    const follows = chance.happens(0.5) && !judged ? [{ key: 'slipway:follow', value: 'true' }] : [];
    const judge = judged && isBalanced ? [{ key: 'slipway:judge', value: drawJudgement(chance) }] : [];
    const mayMove = zones && schedulingStrategy !== 'DAEMON' && maximumPercent > 100;
    const moves = mayMove && chance.happens(0.7) ? [{ key: 'slipway:rebalance', value: 'true' }] : [];
    const tags = [...follows, ...judge, ...moves];
    return tags.length === 0 ? {} : { tags };
  }

  /** Most are of the group where there is one. */
  async #capacity(chance: Chance): Promise<Pick<CreateServiceCommandInput, 'capacityProviderStrategy'>> {
    const { provider } = this.#ports;
    if (provider === undefined || chance.happens(0.3)) return {};
    return { capacityProviderStrategy: [{ capacityProvider: await provider(), weight: 1 }] };
  }

  async #updateService(service: string, chance: Chance): Promise<void> {
    if (this.#ports.sets && (await this.#controller.act(service, chance))) return;
    const taskDefinition = chance.happens(0.7)
      ? await this.define(service, chance, chance.pick(repositories), chance.pick(['prod', 'next']))
      : undefined;
    const network = chance.happens(0.3) ? ((await this.#network(service, chance)) ?? {}) : {};
    if (this.#ports.shifts && (await this.#deployers.isOurs(service))) {
      if (taskDefinition !== undefined) await this.#deployers.deploy(service, taskDefinition, chance);
      return;
    }
    const input: UpdateServiceCommandInput = {
      service,
      ...network,
      ...(taskDefinition === undefined ? { forceNewDeployment: chance.happens(0.5) } : { taskDefinition }),
      ...(chance.happens(0.3) ? { desiredCount: chance.whole(0, 6) } : {}),
      ...(chance.happens(0.2) ? { deploymentConfiguration: drawBounds(chance, false) } : {}),
    };
    await this.#call('UpdateService', input);
  }

  async #runTask(chance: Chance): Promise<void> {
    const taskDefinition = await this.define('once', chance, 'job', 'once');
    if (taskDefinition === undefined) return;
    const network = await this.#network('once', chance);
    if (network === undefined) return;
    const token = `token-${chance.whole(0, 1_000_000)}`;
    const input = {
      taskDefinition,
      count: chance.whole(1, 10),
      clientToken: token,
      ...network,
      ...(await this.#capacity(chance)),
    };
    // A client that gets no answer asks again with its token, and must not get more tasks for it.
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = await this.#ports.api<{ tasks?: { taskArn?: string }[] }>('RunTask', input);
      if (answer.kind === 'unknown') continue;
      if (answer.kind === 'done') this.ran.push(...(answer.value.tasks ?? []).flatMap(({ taskArn }) => taskArn ?? []));
      return;
    }
  }

  async #stopTask(chance: Chance): Promise<void> {
    const listed = await this.#call<{ taskArns?: string[] }>('ListTasks', {});
    const arns = listed?.taskArns ?? [];
    if (arns.length > 0) await this.#call('StopTask', { task: chance.pick(arns), reason: 'a user said so' });
  }

  async #instances(): Promise<string[]> {
    const listed = await this.#call<{ containerInstanceArns?: string[] }>('ListContainerInstances', {});
    return listed?.containerInstanceArns ?? [];
  }

  async #changeInstance(status: 'ACTIVE' | 'DRAINING', chance: Chance): Promise<void> {
    if (this.#ports.provider !== undefined && status === 'DRAINING' && chance.happens(0.5))
      return this.#terminate(chance);
    const arns = await this.#instances();
    if (arns.length === 0) return;
    await this.#call('UpdateContainerInstancesState', { containerInstances: [chance.pick(arns)], status });
  }

  /** A machine of the group, in whose place another is made. */
  async #terminate(chance: Chance): Promise<void> {
    const described = await this.#call<{ AutoScalingInstances?: { InstanceId: string }[] }>(
      'DescribeAutoScalingInstances',
      {},
    );
    const machines = described?.AutoScalingInstances ?? [];
    if (machines.length === 0) return;
    await this.#call('TerminateInstanceInAutoScalingGroup', {
      InstanceId: chance.pick(machines).InstanceId,
      ShouldDecrementDesiredCapacity: false,
    });
  }

  async #attribute(chance: Chance): Promise<void> {
    const arns = await this.#instances();
    if (arns.length === 0) return;
    const targetId = chance.pick(arns);
    if (chance.happens(0.2)) await this.#call('DeleteAttributes', { attributes: [{ name: 'tier', targetId }] });
    else
      await this.#call('PutAttributes', { attributes: [{ name: 'tier', value: chance.pick(['a', 'b']), targetId }] });
  }

  async #tag(service: string, chance: Chance): Promise<void> {
    const described = await this.#call<{ services?: { serviceArn?: string }[] }>('DescribeServices', {
      services: [service],
    });
    const resourceArn = described?.services?.[0]?.serviceArn;
    if (resourceArn === undefined) return;
    await this.#call('TagResource', { resourceArn, tags: [{ key: 'team', value: `team-${chance.whole(1, 9)}` }] });
    await this.#call('ListTagsForResource', { resourceArn });
  }

  async #describeTasks(): Promise<void> {
    const listed = await this.#call<{ taskArns?: string[] }>('ListTasks', {});
    const tasks = (listed?.taskArns ?? []).slice(0, 100);
    if (tasks.length > 0) await this.#call('DescribeTasks', { tasks });
  }

  async #protect(chance: Chance): Promise<void> {
    const listed = await this.#call<{ taskArns?: string[] }>('ListTasks', { serviceName: chance.pick(serviceNames) });
    const arns = listed?.taskArns ?? [];
    if (arns.length === 0) return;
    await this.#call('UpdateTaskProtection', {
      tasks: [chance.pick(arns)],
      protectionEnabled: chance.happens(0.7),
      expiresInMinutes: chance.whole(1, 5),
    });
  }

  /** What an operator does when everything is repaired: every service gets an image that runs and bounds that leave a step. */
  async repair(
    chance: Chance,
    services: readonly { readonly name: string; readonly daemon: boolean; readonly external: boolean }[],
  ): Promise<void> {
    for (const repository of repositories) await this.#ports.push(repository, 'prod', good, true);
    for (const arn of await this.#instances())
      await this.#call('UpdateContainerInstancesState', { containerInstances: [arn], status: 'ACTIVE' });
    for (const { name, daemon, external } of services) {
      if (external) {
        await this.#controller.repair(name, chance);
        continue;
      }
      const [repository, tag] = chance.happens(0.4) ? ['web', 'base'] : [chance.pick(repositories), 'prod'];
      // Small enough for all to have room, whatever stands on the hosts.
      const taskDefinition = await this.define(name, chance, repository, tag, [32, 64]);
      const network = (await this.#network(name, chance, true)) ?? {};
      if (this.#ports.shifts && (await this.#deployers.isOurs(name))) {
        const deploymentConfiguration = { maximumPercent: 200, minimumHealthyPercent: 0 };
        const update = {
          service: name,
          desiredCount: chance.whole(1, 3),
          deploymentConfiguration,
          placementConstraints: [],
        };
        await this.#call('UpdateService', update);
        await this.#deployers.insist(name, taskDefinition ?? '', chance);
        continue;
      }
      await this.#call('UpdateService', {
        service: name,
        taskDefinition,
        ...(daemon ? {} : { desiredCount: chance.whole(1, 3) }),
        deploymentConfiguration: { maximumPercent: daemon ? 100 : 200, minimumHealthyPercent: 0 },
        placementConstraints: [],
        ...network,
      });
    }
    // What follows a tag must come to it by itself, whether or not anybody hears of the push.
    for (const repository of repositories) await this.#ports.push(repository, 'prod', good, chance.happens(0.5));
  }
}
