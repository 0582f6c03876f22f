import type { Clock } from '@slipway/storage/clock';
import { type HeldLease, lead, type Leases } from '@slipway/storage/leases';
import { type RecordStore, StaleEpoch } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import type { Decision, ReconcilerOptions } from '../deployments/index.ts';
import { clusterPartition, leaderLease, type RandomBytes } from '../state/index.ts';

import { commitParts } from './commit.ts';
import type { Definitions } from './definitions.ts';
import type { ClusterFeed } from './feed.ts';
import type { ImageResolver, OwnHost } from './images.ts';
import type { Lane } from './lane.ts';
import type { ControlMeter } from './meter.ts';
import { ServicePass, type ServicePart } from './service-pass.ts';
import { type Retention, sweep } from './sweep.ts';
import type { ClusterView } from './view.ts';

/** Services in one commit. */
const batchSize = 50;

/** Milliseconds that changes are collected before services are looked at. */
const gather = 2;

/** Milliseconds between looks at every service and at what is over, changed or not. */
const levelInterval = 30_000;

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
  readonly retention: Retention;
  readonly leaseTtl: number;
  readonly meter: ControlMeter;
}

/**
 * The leader's loop for one cluster: takes the lease, looks at every service once, and then at those that something
 * happened to or that asked to be woken. Acts only while it holds the lease; every commit carries the lease's epoch.
 */
export class ClusterLeader {
  readonly #ports: LeaderPorts;
  readonly #dirty = new Set<string>();
  readonly #wakeAt = new Map<string, number>();
  #ring: () => void = () => {};
  #leading: HeldLease | undefined;

  constructor(ports: LeaderPorts) {
    this.#ports = ports;
  }

  /** The epoch while this server leads the cluster. */
  get epoch(): number | undefined {
    return this.#leading?.epoch;
  }

  /** Services that something happened to and that the leader has yet to look at; 0 on a server that does not lead. */
  get waiting(): number {
    return this.#leading === undefined ? 0 : this.#dirty.size;
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
      serviceChanged: (name) => this.#touch(name),
      capacityChanged: () => this.#touchWaiting(),
    });
    try {
      await feed.catchUp();
      const pass = new ServicePass(this.#ports, clock.now());
      let level = clock.monotonic();
      this.#wakeAt.clear();
      while (!signal.aborted) {
        if (clock.monotonic() >= level) {
          level = clock.monotonic() + levelInterval;
          for (const name of view.services.keys()) this.#dirty.add(name);
          await this.#sweep(held, signal);
        }
        for (const [name, at] of this.#wakeAt) if (at <= clock.now()) this.#dirty.add(name);
        if (this.#dirty.size === 0) await this.#rest(level, signal);
        else await this.#ports.lane.run(() => this.#reconcile(pass, held, signal));
      }
    } finally {
      unlisten();
    }
  }

  #touch(name: string): void {
    this.#dirty.add(name);
    this.#ring();
  }

  #touchWaiting(): void {
    for (const { value: service } of this.#ports.view.services.values())
      if (service.schedulingStrategy === 'DAEMON' || service.deployments.some((one) => one.unplaceable !== undefined))
        this.#touch(service.name);
  }

  /** Waits for a change, a service's own time, or the next look at everything. */
  async #rest(level: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const due = Math.min(...this.#wakeAt.values()) - clock.now();
    const ms = Math.max(0, Math.min(level - clock.monotonic(), due));
    const rung = new AbortController();
    this.#ring = () => rung.abort();
    await clock.sleep(ms, AbortSignal.any([signal, rung.signal])).catch(() => {});
    this.#ring = () => {};
    if (rung.signal.aborted && !signal.aborted) await clock.sleep(gather, signal).catch(() => {});
  }

  async #reconcile(pass: ServicePass, held: HeldLease, signal: AbortSignal): Promise<void> {
    const { clock, meter } = this.#ports;
    const began = clock.monotonic();
    try {
      await this.#decide(pass, held, signal);
    } finally {
      meter.passed(clock.monotonic() - began);
    }
  }

  async #decide(pass: ServicePass, held: HeldLease, signal: AbortSignal): Promise<void> {
    const { records, view, feed, clock, log } = this.#ports;
    const names = [...this.#dirty].slice(0, batchSize);
    for (const name of names) {
      this.#dirty.delete(name);
      this.#wakeAt.delete(name);
    }
    const parts = await pass.plan(names, (name, at) => this.#wakeAt.set(name, at));
    if (signal.aborted || parts.length === 0) return;
    try {
      const { committed, refused } = await commitParts(records, view, parts, clock.now(), held);
      for (const part of committed) this.#tell(part);
      if (refused.length === 0) return;
      await feed.catchUp();
      for (const { service } of refused) this.#dirty.add(service);
    } catch (error) {
      for (const name of names) this.#dirty.add(name);
      if (error instanceof StaleEpoch) throw error;
      log.warn({ cluster: view.name, err: error }, 'cannot commit decisions; reading the cluster anew');
      await clock.sleep(retryAfter, signal).catch(() => {});
      await feed.read();
    }
  }

  async #sweep(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { records, view, clock, log, retention, lane } = this.#ports;
    if (signal.aborted) return;
    const orphans = await lane.run(() => sweep(records, view, clock.now(), retention, held));
    if (orphans.length > 0) log.warn({ cluster: view.name, tasks: orphans }, 'ended tasks whose instance is gone');
  }

  #tell({ service, decisions }: ServicePart): void {
    const { log, view, meter } = this.#ports;
    for (const { what, ...fields } of decisions) {
      meter.decided(what);
      log[grave.has(what) ? 'warn' : 'info']({ cluster: view.name, service, ...fields }, what);
    }
  }
}

const grave: ReadonlySet<Decision['what']> = new Set([
  'failure',
  'deployment-failed',
  'rollback',
  'unplaceable',
  'deadlock',
]);
