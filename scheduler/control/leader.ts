import type { Clock } from '@slipway/storage/clock';
import { type HeldLease, lead, type Leases } from '@slipway/storage/leases';
import { type RecordStore, StaleEpoch } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import type { Decision, ReconcilerOptions } from '../deployments/index.ts';
import type { FollowedAlarms } from '../signals/alarms/store/index.ts';
import { clusterPartition, leaderLease, type RandomBytes, type ServiceRecord } from '../state/index.ts';
import type { ClusterFeed, ClusterView } from '../views/index.ts';

import { Agenda } from './agenda.ts';
import { commitParts } from './commit.ts';
import type { Definitions } from './definitions.ts';
import type { ImageResolver, OwnHost } from './images.ts';
import type { Lane } from './lane.ts';
import { deregisterLost } from './lost-hosts.ts';
import type { ControlMeter } from './meter.ts';
import { mayFailByAlarms } from './planner.ts';
import { type Prepared, ServicePass, type ServicePart } from './service-pass.ts';
import { type Retention, sweep } from './sweep.ts';

/** Services in one commit. */
const batchSize = 50;

/** Milliseconds between looks at every service and at what is over, changed or not. */
const levelInterval = 30_000;

/** Milliseconds between looks at client tokens, which are kept for a day. */
const tokenInterval = 3_600_000;

/** Milliseconds to wait before leading is tried again after the store failed. */
const retryAfter = 500;

export interface LeaderPorts {
  readonly records: RecordStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly region: string;
  readonly view: ClusterView;
  readonly feed: ClusterFeed;
  readonly lane: Lane;
  readonly definitions: Definitions;
  readonly images: ImageResolver;
  readonly ownHost: OwnHost;
  readonly options: ReconcilerOptions;
  /** Milliseconds after which tasks on a disconnected host are replaced. */
  readonly replaceLostAfter: number;
  /** The same for tasks that their host has never said anything of. */
  readonly replaceUnseenAfter: number;
  /** Milliseconds after which a host that stays away leaves the cluster; undefined: only when somebody says so. */
  readonly deregisterLostAfter: number | undefined;
  readonly retention: Retention;
  readonly leaseTtl: number;
  /** What deployments may fail by. */
  readonly alarms: Pick<FollowedAlarms, 'follow' | 'listen'>;
  readonly meter: ControlMeter;
  readonly beside: readonly Companion[];
}

/** A cluster as its leader has it. */
export interface Led {
  readonly view: ClusterView;
  readonly feed: ClusterFeed;
  /** The fence of every commit. */
  readonly held: HeldLease;
}

/** Something that goes on beside a cluster's leader, as long as this server leads it: until the signal aborts. */
export type Companion = (led: Led, over: AbortSignal) => Promise<void>;

/**
 * The leader's loop for one cluster: takes the lease, looks at every service once, and then at those that something
 * happened to or that asked to be woken. Acts only while it holds the lease; every commit carries the lease's epoch.
 */
export class ClusterLeader {
  readonly #ports: LeaderPorts;
  readonly #agenda: Agenda;
  /** Services that a change of the instances concerns: daemons, and those that found no room. */
  readonly #waiting = new Set<string>();
  /** Services with a deployment that an alarm may fail. */
  readonly #alarmed = new Set<string>();
  /** Services that something happened to since what is over was looked for. */
  #stirred = new Set<string>();
  /** When client tokens are looked at next, on the monotonic clock. */
  #tokensDue = 0;
  #leading: HeldLease | undefined;

  constructor(ports: LeaderPorts) {
    this.#ports = ports;
    this.#agenda = new Agenda(ports.clock);
  }

  /** The epoch while this server leads the cluster. */
  get epoch(): number | undefined {
    return this.#leading?.epoch;
  }

  /** Services that something happened to and that the leader has yet to look at; 0 on a server that does not lead. */
  get waiting(): number {
    return this.#leading === undefined ? 0 : this.#agenda.size;
  }

  /** Competes for the lease and leads, again and again, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { leases, clock, log, view, leaseTtl } = this.#ports;
    await lead(
      leases,
      {
        partition: clusterPartition(view.account, view.name),
        name: leaderLease,
        ttl: leaseTtl,
        clock,
        signal,
        interrupted: (err) => log.warn({ cluster: view.name, err }, 'cannot lead the cluster now; trying again'),
        retryAfter,
      },
      async (held, over) => {
        this.#leading = held;
        log.info({ cluster: view.name, account: view.account, epoch: held.epoch }, 'leads the cluster');
        try {
          await this.#lead(held, over);
        } finally {
          this.#leading = undefined;
          log.info({ cluster: view.name, account: view.account, epoch: held.epoch }, 'no longer leads the cluster');
        }
      },
    );
  }

  async #lead(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { view, feed, clock } = this.#ports;
    const unlisten = view.listen({
      serviceChanged: (name) => {
        this.#stirred.add(name);
        this.#touch(name);
      },
      capacityChanged: () => this.#touchWaiting(),
    });
    const unwatch = this.#ports.alarms.listen(view.account, () => {
      for (const name of this.#alarmed) this.#agenda.touch(name);
    });
    const beside = new AbortController();
    let companions: readonly Promise<void>[] = [];
    try {
      await feed.catchUp();
      const led = { view, feed, held };
      companions = this.#ports.beside.map((one) => this.#accompany(one, led, beside, signal));
      const ledSince = clock.monotonic();
      const pass = new ServicePass(this.#ports, ledSince);
      let level = clock.monotonic();
      this.#agenda.clear();
      this.#waiting.clear();
      this.#alarmed.clear();
      this.#stirred = new Set(view.services.keys());
      this.#tokensDue = level;
      while (!signal.aborted) {
        if (clock.monotonic() >= level) {
          level = clock.monotonic() + levelInterval;
          for (const name of view.services.keys()) this.#touch(name);
          await this.#sweep(held, ledSince, signal);
        }
        const names = this.#agenda.take(batchSize);
        if (names.length === 0) await this.#agenda.wait(level - clock.monotonic(), signal);
        else await this.#reconcile(pass, names, held, signal);
      }
    } finally {
      unlisten();
      unwatch();
      beside.abort();
      await Promise.all(companions);
    }
  }

  /** Never rejects: the leader goes on without what goes on beside it. */
  async #accompany(companion: Companion, led: Led, beside: AbortController, signal: AbortSignal): Promise<void> {
    const end = (): void => beside.abort(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    try {
      await companion(led, beside.signal);
    } catch (err) {
      this.#ports.log.error(
        { cluster: led.view.name, err },
        'what goes on beside the leader of the cluster has failed',
      );
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  #touch(name: string): void {
    const { view, alarms } = this.#ports;
    const service = view.services.get(name)?.value;
    if (service !== undefined && waitsForRoom(service)) this.#waiting.add(name);
    else this.#waiting.delete(name);
    if (service !== undefined && mayFailByAlarms(service)) {
      this.#alarmed.add(name);
      alarms.follow(view.account);
    } else this.#alarmed.delete(name);
    this.#agenda.touch(name);
  }

  #touchWaiting(): void {
    for (const name of this.#waiting) this.#agenda.touch(name);
  }

  async #reconcile(pass: ServicePass, names: readonly string[], held: HeldLease, signal: AbortSignal): Promise<void> {
    const { lane, clock, meter } = this.#ports;
    const prepared = await pass.prepare(names);
    if (signal.aborted) return;
    await lane.run(async () => {
      const began = clock.monotonic();
      try {
        await this.#planAndCommit(pass, prepared, held, signal);
      } finally {
        meter.passed(clock.monotonic() - began);
      }
    });
    // Whoever else has something to do in this process does it now: renewals of leases, agents' messages, requests.
    await clock.sleep(0, signal).catch(() => {});
  }

  async #planAndCommit(
    pass: ServicePass,
    services: readonly Prepared[],
    held: HeldLease,
    signal: AbortSignal,
  ): Promise<void> {
    const { records, view, feed, clock, log } = this.#ports;
    if (signal.aborted) return;
    const { looked, left } = pass.plan(services);
    for (const name of left) this.#agenda.touch(name);
    for (const { name, looks, wakeAt } of looked) {
      this.#agenda.rest(name, looks);
      if (wakeAt !== undefined) this.#agenda.wake(name, wakeAt);
    }
    const parts = looked.flatMap(({ part }) => part ?? []);
    if (parts.length === 0) return;
    try {
      const { committed, refused } = await commitParts(records, view, parts, clock.now(), held);
      for (const part of committed) this.#tell(part);
      if (refused.length === 0) return;
      await feed.catchUp();
      for (const { service } of refused) this.#agenda.touch(service);
    } catch (error) {
      for (const { service } of parts) this.#agenda.touch(service);
      if (error instanceof StaleEpoch) throw error;
      log.warn({ cluster: view.name, err: error }, 'cannot commit decisions; reading the cluster anew');
      await clock.sleep(retryAfter, signal).catch(() => {});
      await feed.read();
    }
  }

  async #sweep(held: HeldLease, ledSince: number, signal: AbortSignal): Promise<void> {
    const { records, view, clock, log, retention, lane, deregisterLostAfter } = this.#ports;
    if (signal.aborted) return;
    const tokens = clock.monotonic() >= this.#tokensDue;
    if (tokens) this.#tokensDue = clock.monotonic() + tokenInterval;
    const services = this.#stirred;
    this.#stirred = new Set();
    await lane.run(async () => {
      const now = clock.now();
      const gone = await deregisterLost(records, view, clock, { ledSince, deregisterLostAfter }, held);
      if (gone.length > 0)
        log.warn(
          { cluster: view.name, instances: gone },
          'deregistered container instances that were away for too long',
        );
      const orphans = await sweep(records, view, now, retention, held, { services, tokens });
      if (orphans.length > 0) log.warn({ cluster: view.name, tasks: orphans }, 'ended tasks whose instance is gone');
    });
  }

  #tell({ service, decisions }: ServicePart): void {
    const { log, view, meter } = this.#ports;
    for (const { what, ...fields } of decisions) {
      meter.decided(what);
      log[grave.has(what) ? 'warn' : 'info']({ cluster: view.name, service, ...fields }, what);
    }
  }
}

/** Whether instances that come, change or get room may change what is decided about the service. */
const waitsForRoom = ({ schedulingStrategy, deployments }: ServiceRecord): boolean =>
  schedulingStrategy === 'DAEMON' || deployments.some((one) => one.unplaceable !== undefined);

const grave: ReadonlySet<Decision['what']> = new Set([
  'failure',
  'deployment-failed',
  'rollback',
  'rollback-impossible',
  'unplaceable',
  'deadlock',
]);
