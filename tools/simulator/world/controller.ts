import type { CreateServiceCommandInput, CreateTaskSetCommandInput, TaskSet } from '@aws-sdk/client-ecs';
import type { Chance } from './chance.ts';

/** What a controller of task sets reaches of the world. */
export interface ControllerPorts {
  /** One call of the ECS API; undefined when it was refused, or nobody answered. */
  call<T = unknown>(operation: string, input: object): Promise<T | undefined>;
  /** What a set of a service is to run, and where; of these sizes in MiB, everywhere, or drawn. */
  place(
    service: string,
    chance: Chance,
    sizes?: readonly number[],
  ): Promise<Pick<CreateTaskSetCommandInput, 'taskDefinition' | 'networkConfiguration' | 'loadBalancers'> | undefined>;
}

/** Sets that it keeps: one fewer than a service may have, so that a repair finds room. */
const mostSets = 4;

/** Somebody else than ECS who deploys services, as carelessly as anybody. */
export class Controller {
  readonly #ports: ControllerPorts;

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
  }

  /** @returns whether the service was one for a controller */
  async create(serviceName: string, chance: Chance): Promise<boolean> {
    if (chance.happens(0.25)) return false;
    const input: CreateServiceCommandInput = {
      serviceName,
      deploymentController: { type: 'EXTERNAL' },
      desiredCount: chance.whole(1, 6),
      deploymentConfiguration: chance.pick([
        { minimumHealthyPercent: 100, maximumPercent: 200 },
        { minimumHealthyPercent: 50, maximumPercent: 200 },
        { minimumHealthyPercent: 50, maximumPercent: 150 },
        { minimumHealthyPercent: 0, maximumPercent: 100 },
      ]),
      ...(chance.happens(0.3)
        ? { placementStrategy: [{ type: 'spread' as const, field: 'attribute:ecs.availability-zone' }] }
        : {}),
    };
    await this.#ports.call('CreateService', input);
    await this.#add(serviceName, chance, chance.pick([50, 100]));
    return true;
  }

  /** Does one thing with the service's sets. @returns false when it has none, nor may have */
  async act(service: string, chance: Chance): Promise<boolean> {
    const sets = await this.#sets(service);
    if (sets === undefined) return false;
    const { id } = sets.length === 0 ? {} : chance.pick(sets);
    const value = chance.pick([0, 10, 25, 50, 75, 100]);
    const named = { cluster: 'default', service, taskSet: id };
    const drawn = chance.number();
    if (id === undefined || (drawn < 0.35 && sets.length < mostSets)) await this.#add(service, chance, value);
    else if (drawn < 0.65) await this.#ports.call('UpdateTaskSet', { ...named, scale: { unit: 'PERCENT', value } });
    else if (drawn < 0.85) await this.#ports.call('DeleteTaskSet', { ...named, force: chance.happens(0.7) });
    else await this.#ports.call('UpdateServicePrimaryTaskSet', { cluster: 'default', service, primaryTaskSet: id });
    return true;
  }

  /** All sets end, and one comes that has room and runs. */
  async repair(service: string, chance: Chance): Promise<void> {
    await this.#ports.call('UpdateService', {
      service,
      desiredCount: chance.whole(1, 3),
      deploymentConfiguration: { minimumHealthyPercent: 0, maximumPercent: 200 },
      placementConstraints: [],
    });
    for (const { id } of (await this.#sets(service)) ?? [])
      await this.#ports.call('DeleteTaskSet', { cluster: 'default', service, taskSet: id, force: true });
    await this.#add(service, chance, 100, [32, 64]);
  }

  async #sets(service: string): Promise<TaskSet[] | undefined> {
    const input = { cluster: 'default', service };
    const described = await this.#ports.call<{ taskSets?: TaskSet[] }>('DescribeTaskSets', input);
    return described?.taskSets;
  }

  async #add(service: string, chance: Chance, value: number, sizes?: readonly number[]): Promise<void> {
    const place = await this.#ports.place(service, chance, sizes);
    if (place === undefined) return;
    const clientToken = `set-${chance.whole(0, 1_000_000)}`;
    const scale = { unit: 'PERCENT' as const, value };
    const input: CreateTaskSetCommandInput = { cluster: 'default', service, scale, clientToken, ...place };
    // A controller that gets no answer asks again with its token, and must not get a second set for it.
    if ((await this.#ports.call('CreateTaskSet', input)) === undefined) await this.#ports.call('CreateTaskSet', input);
  }
}
