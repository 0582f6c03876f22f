import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import { defaultReconcilerOptions, type ReconcilerOptions } from '../deployments/index.ts';
import { FollowedAlarms } from '../signals/alarms/store/index.ts';
import type { RandomBytes, ServiceEventRecord } from '../state/index.ts';
import { clusterKeys, clusterPartition, ec2InstanceId } from '../state/index.ts';
import type { TaskPlacer } from '../tasks/index.ts';
import type { ClusterView, ClusterViews } from '../views/index.ts';

import { takeCare } from './caretaker.ts';
import { ClusterWatcher } from './clusters.ts';
import { Definitions } from './definitions.ts';
import { explainService, type ServiceExplanation } from './explain.ts';
import { type ImageInUse, imagesInUse } from './images-in-use.ts';
import type { ImageResolver, OwnHost } from './images.ts';
import { checkDeregisterLostAfter } from './lost-hosts.ts';
import type { Companion } from './leader.ts';
import { ClusterMember, type MemberPorts } from './member.ts';
import { type ControlMeter, noMeter } from './meter.ts';
import { defaultRetention, type Retention } from './sweep.ts';
import { addressOf } from './target-place.ts';
import { placeWaiting } from './waiting-tasks.ts';

export interface ControlPlaneOptions {
  readonly records: RecordStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** The region in every ARN. */
  readonly region: string;
  /** Accounts whose clusters are watched from the start; others are noticed within ten seconds. */
  readonly accounts: readonly string[];
  /** Looks up tags in this installation's registry. */
  readonly images: ImageResolver;
  /** Whether a host in an image reference (`127.0.0.1:7500`) is this installation. */
  readonly ownHost: OwnHost;
  /** This process's views of clusters, over the same records; whoever else in it looks at a cluster holds the same one. */
  readonly views: ClusterViews;
  /** When tasks count as healthy and events are repeated. */
  readonly reconciler?: Partial<ReconcilerOptions>;
  /**
   * Milliseconds after which tasks on a host whose agent is disconnected are replaced elsewhere. Until then they count as
   * they were: a partition is not a failure. When the host comes back, surplus tasks are ended. Default 5 minutes.
   */
  readonly replaceLostAfter?: number;
  /**
   * The same for a task that its host has never said anything of: nothing is known to run that waiting could save. Agents that only
   * lost their server are back before that. Default 5,000.
   */
  readonly replaceUnseenAfter?: number;
  /**
   * Milliseconds after which a host whose agent stays away leaves the cluster by itself, at least `replaceLostAfter`; one that comes back
   * after that joins as a new container instance. Default: never; its tasks are replaced, and it stays until somebody deregisters it.
   */
  readonly deregisterLostAfter?: number;
  readonly retention?: Partial<Retention>;
  /** Default: nothing is counted. */
  readonly meter?: ControlMeter;
  /** What goes on beside the leader of each cluster. Default: nothing. */
  readonly beside?: readonly Companion[];
  /** Milliseconds of silence after which another server may take over a cluster. Default 5,000. */
  readonly leaseTtl?: number;
}

/** A cluster as this process knows it at this moment. */
export interface WatchedCluster {
  readonly view: ClusterView;
  /** Epoch of the lease, while this process leads the cluster. */
  readonly epoch: number | undefined;
  /** Services that this process, as the leader, has yet to look at. */
  readonly servicesWaiting: number;
  /** Tasks of RunTask and StartTask that wait for their turn to be placed. */
  readonly placementsWaiting: number;
}

/** The scheduler's brain on one server: follows every cluster, places tasks, and leads the clusters whose lease it gets. */
export interface ControlPlane {
  /** Resolves when the clusters of the given accounts are known. */
  start(): Promise<void>;
  /** Gives up all leaderships and stops. Running containers are not touched. */
  stop(): Promise<void>;
  /** Places tasks for RunTask and StartTask. */
  readonly placer: TaskPlacer;
  /** The view of one cluster as it is now, with everything committed before the call; undefined when there is no such cluster. */
  view(account: string, cluster: string): Promise<ClusterView | undefined>;
  /** Every cluster that is followed, as it is known now: for numbers, which nobody should wait for. */
  clusters(): readonly WatchedCluster[];
  /** Why a service is as it is; undefined when there is no such service. */
  explain(account: string, cluster: string, service: string): Promise<ServiceExplanation | undefined>;
  /** Images of the account's repositories that tasks run or a rollback may need. */
  imagesInUse(account: string): Promise<readonly ImageInUse[]>;
  /** The availability zones that hosts of an account are in, as far as this server has heard. */
  zones(account: string): ReadonlySet<string>;
  /**
   * The host that EC2 and ELB would know by an id, as far as this server has heard.
   * @returns where others reach it, undefined when it has not said so; and whether it takes tasks
   */
  host(
    account: string,
    ec2Id: string,
  ): { readonly address: string | undefined; readonly zone: string; readonly running: boolean } | undefined;
  /** Calls back when tasks of services changed in any cluster of the account, or a cluster came. @returns ends that */
  watchTasks(account: string, changed: () => void): () => void;
  /** Epoch of the lease, when this server leads the cluster. */
  leads(account: string, cluster: string): number | undefined;
}

/** Makes the control plane; nothing runs before `start`. */
export const createControlPlane = (options: ControlPlaneOptions): ControlPlane => new Plane(options);

class Plane implements ControlPlane {
  readonly placer: TaskPlacer;
  readonly #options: ControlPlaneOptions;
  readonly #ports: MemberPorts;
  readonly #reconciler: ReconcilerOptions;
  readonly #alarms: FollowedAlarms;
  readonly #members = new Map<string, ClusterMember>();
  readonly #watchers = new Set<{ readonly account: string; readonly changed: () => void }>();
  readonly #stop = new AbortController();
  #watching: Promise<unknown> = Promise.resolve();

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#alarms = new FollowedAlarms(options);
    this.#reconciler = { ...defaultReconcilerOptions, ...options.reconciler };
    this.#ports = {
      ...options,
      definitions: new Definitions(options.records),
      options: this.#reconciler,
      replaceLostAfter: options.replaceLostAfter ?? 5 * 60_000,
      replaceUnseenAfter: options.replaceUnseenAfter ?? 5_000,
      deregisterLostAfter: options.deregisterLostAfter,
      retention: { ...defaultRetention, ...options.retention },
      leaseTtl: options.leaseTtl ?? 5_000,
      alarms: this.#alarms,
      meter: options.meter ?? noMeter,
      beside: [placeWaiting(options), ...(options.beside ?? [])],
    };
    checkDeregisterLostAfter(options.deregisterLostAfter, this.#ports.replaceLostAfter);
    this.placer = {
      place: async (cluster, drafts, demand) => {
        const member = this.#member(cluster.account, cluster.name);
        await member.ready;
        return member.placer.place(drafts, demand);
      },
    };
  }

  async start(): Promise<void> {
    const { records, clock, log, accounts } = this.#options;
    const watcher = new ClusterWatcher(records, clock, log, (account, name, exists) => {
      if (exists) this.#member(account, name);
      else {
        void this.#leave(account, name).catch((err: unknown) =>
          log.error({ account, cluster: name, err }, 'what led a deleted cluster did not end well'),
        );
      }
    });
    const { signal } = this.#stop;
    this.#watching = Promise.all([watcher.run(accounts, signal), takeCare(this.#options, signal)]);
    await watcher.ready;
    await Promise.all([...this.#members.values()].map((member) => member.ready));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await Promise.all([...this.#members.values()].map((member) => member.close()));
    this.#members.clear();
    await this.#alarms.close();
  }

  async view(account: string, cluster: string): Promise<ClusterView | undefined> {
    const member = this.#members.get(`${account}/${cluster}`);
    if (member === undefined) return undefined;
    await member.ready;
    await member.feed.catchUp();
    return member.view;
  }

  clusters(): readonly WatchedCluster[] {
    return [...this.#members.values()].map(({ view, leader, placer }) => ({
      view,
      epoch: leader.epoch,
      servicesWaiting: leader.waiting,
      placementsWaiting: placer.waiting,
    }));
  }

  async explain(account: string, cluster: string, service: string): Promise<ServiceExplanation | undefined> {
    const view = await this.view(account, cluster);
    const found = view?.services.get(service)?.value;
    if (view === undefined || found === undefined) return undefined;
    const page = await this.#options.records.list<ServiceEventRecord>(clusterPartition(account, cluster), {
      prefix: clusterKeys.serviceEvents(service),
      limit: 10,
    });
    const events = page.records.map(({ value }) => value);
    return explainService(found, view.tasksOfService(service), events, this.#options.clock.now(), this.#reconciler);
  }

  async imagesInUse(account: string): Promise<readonly ImageInUse[]> {
    const members = [...this.#members.values()].filter(({ view }) => view.account === account);
    for (const member of members) {
      await member.ready;
      await member.feed.catchUp();
    }
    return imagesInUse(
      members.map(({ view }) => view),
      this.#ports,
    );
  }

  zones(account: string): ReadonlySet<string> {
    const views = [...this.#members.values()].map(({ view }) => view).filter((view) => view.account === account);
    return new Set(views.flatMap(({ census }) => [...census.zones.present]));
  }

  host(account: string, ec2Id: string): ReturnType<ControlPlane['host']> {
    for (const { view } of this.#members.values()) {
      if (view.account !== account) continue;
      for (const { value: host } of view.instances.values()) {
        if (ec2InstanceId(host.id) !== ec2Id || host.status === 'INACTIVE') continue;
        const attribute = (name: string): string | undefined => host.attributes.find((one) => one.name === name)?.value;
        return {
          address: addressOf(host),
          zone: attribute('ecs.availability-zone') ?? `${this.#options.region}a`,
          running: host.agentConnected,
        };
      }
    }
    return undefined;
  }

  watchTasks(account: string, changed: () => void): () => void {
    const watcher = { account, changed };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  leads(account: string, cluster: string): number | undefined {
    return this.#members.get(`${account}/${cluster}`)?.leader.epoch;
  }

  #member(account: string, name: string): ClusterMember {
    const key = `${account}/${name}`;
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const member = new ClusterMember(this.#ports, account, name);
    this.#members.set(key, member);
    const tell = (): void => {
      for (const watcher of this.#watchers) if (watcher.account === account) watcher.changed();
    };
    member.view.listen({ serviceChanged: tell, capacityChanged: () => undefined });
    member.ready
      .then(tell)
      .catch((err: unknown) => this.#options.log.warn({ account, cluster: name, err }, 'cannot read the cluster'));
    return member;
  }

  async #leave(account: string, name: string): Promise<void> {
    const key = `${account}/${name}`;
    const member = this.#members.get(key);
    if (member === undefined) return;
    this.#members.delete(key);
    await member.close();
  }
}
