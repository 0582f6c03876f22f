import type { Chance } from './chance.ts';
import type { GroupChecks } from './group-checks.ts';
import type { Invariant } from './invariants.ts';
import type { Mirror } from './mirror.ts';
import { type SimulatedMachines, startsWithin } from './machines.ts';
import type { Answer } from './users.ts';

/** The capacity provider that users name, its group and the template of its machines. */
export const groupProvider = 'fleet';

/** Milliseconds for which a task may wait beside what the provider takes: looks, leases, a machine that is just being ended, the agent's start. */
const slack = 90_000;
/** Seconds that hooks give whoever is to answer: longer than clocks are off. */
const hookTimeout = 900;

/** Milliseconds in which a group without load comes down to its minimum: its warmup, a minute of calm, drains. */
const calmWithin = 900_000;

export interface GroupDaysPorts {
  readonly api: <T>(operation: string, input: object) => Promise<Answer<T>>;
  /** Some seconds of the operator's. */
  readonly wait: () => Promise<void>;
  readonly chance: Chance;
  /** Decides of warm pools alone, so that days are as they were without. */
  readonly warm: Chance;
  /** Whether nothing goes wrong any more. */
  readonly isKind: () => boolean;
  readonly mirror: Mirror;
  readonly checks: GroupChecks;
  readonly machines: SimulatedMachines;
  readonly imageHost: string;
  /** Plays until there is no reason any more why not, and says so when there still is one. */
  readonly becomes: (invariant: Invariant, within: number, why: () => string | undefined) => Promise<boolean>;
  /** Has somebody do something meanwhile. */
  readonly meanwhile: (work: () => Promise<void>) => void;
}

/** An Auto Scaling group with managed scaling that an operator makes at the beginning of a day, and what is asked of it at the end. */
export class GroupDays {
  readonly #ports: GroupDaysPorts;
  readonly #made = Promise.withResolvers<string>();
  readonly #max: number;
  /** Whether its machines are replaced: what comes in the place of the last of them has a warmup of its own. */
  #refreshes = false;

  constructor(ports: GroupDaysPorts) {
    this.#ports = ports;
    this.#max = ports.chance.whole(2, 5);
  }

  /** The capacity provider's name, once it is there. */
  get provider(): Promise<string> {
    return this.#made.promise;
  }

  async make(): Promise<void> {
    const { chance } = this.#ports;
    const isProtected = chance.happens(0.3);
    const hooks = this.#hooks();
    await this.#insist('CreateLaunchTemplate', {
      LaunchTemplateName: groupProvider,
      LaunchTemplateData: {
        ImageId: 'ami-1',
        InstanceType: 'm5.large',
        IamInstanceProfile: { Name: 'node' },
        UserData: Buffer.from('#!/bin/sh\necho ECS_CLUSTER=default >> /etc/ecs/ecs.config\n').toString('base64'),
      },
    });
    await this.#insist('CreateAutoScalingGroup', {
      AutoScalingGroupName: groupProvider,
      MinSize: chance.pick([0, 0, 1, 2]),
      MaxSize: this.#max,
      AvailabilityZones: ['zone-1', 'zone-2'],
      LaunchTemplate: { LaunchTemplateName: groupProvider },
      NewInstancesProtectedFromScaleIn: isProtected,
      LifecycleHookSpecificationList: hooks,
    });
    await this.#warm();
    await this.#insist('CreateCapacityProvider', {
      name: groupProvider,
      autoScalingGroupProvider: {
        autoScalingGroupArn: groupProvider,
        managedScaling: {
          status: 'ENABLED',
          targetCapacity: chance.pick([100, 100, 60]),
          instanceWarmupPeriod: chance.pick([0, 60, 300]),
        },
        managedTerminationProtection: isProtected ? 'ENABLED' : 'DISABLED',
      },
    });
    await this.#insist('PutClusterCapacityProviders', {
      cluster: 'default',
      capacityProviders: [groupProvider],
      defaultCapacityProviderStrategy: [],
    });
    this.#made.resolve(groupProvider);
    if (hooks.length > 0) this.#ports.meanwhile(() => this.#attend());
    this.#refreshes = this.#ports.warm.happens(0.3);
    if (this.#refreshes) this.#ports.meanwhile(() => this.#refresh());
  }

  /** On some days machines are replaced, and somebody thinks better of it. */
  async #refresh(): Promise<void> {
    const { api, wait, warm } = this.#ports;
    for (let i = warm.whole(5, 40); i > 0; i--) await wait();
    const of = { AutoScalingGroupName: groupProvider };
    const MinHealthyPercentage = warm.pick([0, 50, 90, 100]);
    await this.#insist('StartInstanceRefresh', { ...of, Preferences: { MinHealthyPercentage } });
    if (!warm.happens(0.3)) return;
    for (let i = warm.whole(1, 30); i > 0; i--) await wait();
    await api('CancelInstanceRefresh', of);
  }

  /** On some days machines are prepared before they are wanted. */
  async #warm(): Promise<void> {
    const { warm } = this.#ports;
    if (!warm.happens(0.4)) return;
    const prepared = warm.pick([-1, 1, 2, 3]);
    await this.#insist('PutWarmPool', {
      AutoScalingGroupName: groupProvider,
      MinSize: warm.pick([0, 0, 1, 2]),
      MaxGroupPreparedCapacity: prepared,
      PoolState: warm.pick(['Stopped', 'Stopped', 'Running']),
      InstanceReusePolicy: { ReuseOnScaleIn: warm.happens(0.5) },
    });
  }

  /** On some days somebody is asked before machines come or go. */
  #hooks(): { readonly LifecycleHookName: string; readonly LifecycleTransition: string }[] {
    const { chance } = this.#ports;
    return ['LAUNCHING', 'TERMINATING'].flatMap((transition) =>
      chance.happens(0.4)
        ? [
            {
              LifecycleHookName: transition.toLowerCase(),
              LifecycleTransition: `autoscaling:EC2_INSTANCE_${transition}`,
              HeartbeatTimeout: hookTimeout,
              DefaultResult: chance.pick(['CONTINUE', 'ABANDON']),
            },
          ]
        : [],
    );
  }

  /** Answers for machines that wait: late, wrongly or not at all on bad days. */
  async #attend(): Promise<never> {
    const { api, wait, chance, isKind } = this.#ports;
    for (;;) {
      const found = await api<{ AutoScalingInstances?: { InstanceId: string; LifecycleState: string }[] }>(
        'DescribeAutoScalingInstances',
        {},
      );
      for (const { InstanceId, LifecycleState } of found.kind === 'done'
        ? (found.value.AutoScalingInstances ?? [])
        : []) {
        if (!LifecycleState.endsWith(':Wait')) continue;
        const hook = {
          AutoScalingGroupName: groupProvider,
          LifecycleHookName: LifecycleState.includes('Pending') ? 'launching' : 'terminating',
          InstanceId,
        };
        const does = isKind() ? 'CONTINUE' : chance.pick(['CONTINUE', 'CONTINUE', 'ABANDON', 'heartbeat', 'nothing']);
        if (does === 'heartbeat') await api('RecordLifecycleActionHeartbeat', hook);
        else if (does !== 'nothing') await api('CompleteLifecycleAction', { ...hook, LifecycleActionResult: does });
      }
      await wait();
      await wait();
    }
  }

  /** Nothing goes wrong any more, and services are small: tasks that come now have hosts soon, and without any the hosts go. */
  async prove(): Promise<void> {
    const { checks, machines, mirror, becomes, meanwhile } = this.#ports;
    const taken = new Set(mirror.tasks.keys());
    let asked = false;
    const load = async (): Promise<void> => {
      await this.#insist('RegisterTaskDefinition', {
        family: 'burst',
        containerDefinitions: [{ name: 'app', image: `${this.#ports.imageHost}/job:once`, memory: 700 }],
      });
      await this.#insist('RunTask', {
        taskDefinition: 'burst',
        count: this.#max,
        clientToken: 'burst',
        capacityProviderStrategy: [{ capacityProvider: await this.provider, weight: 1 }],
      });
      asked = true;
    };
    const placed = (): string | undefined => {
      const own = [...mirror.tasks.values()].filter(({ id, group }) => !taken.has(id) && group === 'family:burst');
      const waits = own.find(({ waits: still }) => still !== undefined);
      if (!asked) return 'nobody takes the tasks';
      return waits === undefined ? undefined : `task ${waits.id} waits: ${waits.waits?.why ?? ''}`;
    };
    meanwhile(load);
    if (!(await becomes('group-grows', startsWithin + slack, placed))) return;
    meanwhile(() => this.#empty());
    const within = this.#refreshes ? 2 * calmWithin : calmWithin;
    await becomes('group-shrinks', within, () => checks.tooMany(machines.ids));
  }

  /** Every service goes, and every task of none. */
  async #empty(): Promise<void> {
    const { mirror } = this.#ports;
    for (const { name, status } of mirror.services.values())
      if (status === 'ACTIVE') await this.#insist('DeleteService', { service: name, force: true });
    for (const { id, service, desiredStatus } of mirror.tasks.values())
      if (service === undefined && desiredStatus === 'RUNNING') await this.#insist('StopTask', { task: id });
  }

  async #insist(operation: string, input: object): Promise<void> {
    for (;;) {
      const answer = await this.#ports.api(operation, input);
      if (answer.kind === 'done') return;
      // What was made without an answer is there.
      const said = answer.kind === 'refused' ? `${answer.code} ${answer.message}` : '';
      if (/already ?exists|InstanceRefreshInProgress|ServiceNotFound|ServiceNotActive|not found/i.test(said)) return;
      await this.#ports.wait();
    }
  }
}
