import { lead } from '@slipway/storage/leases';
import { type Fence, project } from '@slipway/storage/records';

import { networkPartition } from '../../network/records/index.ts';
import { HealthChecker } from '../health/index.ts';
import {
  type Balancing,
  balancingKeys,
  balancingPartition,
  type EngineRecord,
  mostInChange,
  readAttribute,
  type TargetRecord,
} from '../records/index.ts';

import { admittedBy } from './desired.ts';
import { defaultTiming, type TrafficOptions, type TrafficTiming } from './ports.ts';
import { Drains } from './drains.ts';
import { Registrar } from './registrar.ts';
import { Shifter } from './shifts.ts';
import { Bell } from './waking.ts';

const retryAfter = 1_000;

/** Milliseconds that targets of a group that was deleted drain at the most. */
const delayOfNone = 300_000;

/**
 * What one server of the installation does for all: registers tasks of services, checks the health of targets, ends the draining of those
 * that are done, shares traffic out as deployments want it, and has engines told again when security groups change.
 */
export class Keeper {
  readonly #options: TrafficOptions;
  readonly #timing: TrafficTiming;
  readonly #registrar: Registrar;
  readonly #shifter: Shifter;
  readonly #beside: (over: AbortSignal) => Promise<void>;

  /** @param beside what else one server does for all, for as long as this one keeps; it never rejects */
  constructor(options: TrafficOptions, beside: (over: AbortSignal) => Promise<void> = () => Promise.resolve()) {
    this.#options = options;
    this.#beside = beside;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#registrar = new Registrar(options);
    this.#shifter = new Shifter(options);
  }

  /** Competes for the lease and keeps, again and again, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { account, leases, clock, log } = this.#options;
    return lead(
      leases,
      {
        partition: balancingPartition(account),
        name: balancingKeys.checker,
        clock,
        signal,
        interrupted: (err) => log.warn({ account, err }, 'cannot look after targets now; trying again'),
        retryAfter,
      },
      (lease, over) => this.#keep(lease, over),
    );
  }

  async #keep(fence: Fence, signal: AbortSignal): Promise<void> {
    const { account, balancers, networks, clock, log, probe, records, tasks } = this.#options;
    const checker = new HealthChecker({ balancers, clock, log, probe });
    const drains = new Drains(clock);
    const stirred = new Bell();
    const follow = (partition: string): Promise<void> =>
      project(
        records,
        partition,
        {
          load: () => stirred.ring(),
          apply: () => stirred.ring(),
          interrupted: (err) => log.warn({ account, err }, 'cannot follow the load balancing; trying again'),
          retryAfter,
        },
        { clock, signal },
      );
    const watch = async (): Promise<void> => {
      let admitted: string | undefined;
      let generation = -1;
      while (!signal.aborted) {
        const known = await this.#registrar.step(fence);
        const balancing = known.carried;
        if (balancing.generation !== generation) checker.update(balancing);
        ({ generation } = balancing);
        const network = await networks.read(account);
        const now = JSON.stringify(
          balancing
            .all('loadbalancer')
            .map((balancer) => [
              balancer.id,
              balancing
                .listenersOf(balancer.id)
                .map((listener) => [listener.id, admittedBy(network, balancer, listener)]),
            ]),
        );
        // What engines are told of security groups is of no generation of its own: it gets one.
        if (admitted !== undefined && admitted !== now) await balancers.touch(account, fence);
        admitted = now;
        const engines = await balancers.engines(account);
        drains.look(draining(balancing), engines);
        const isDraining = await this.#finish(balancing, engines, drains, fence);
        const isShifting = await this.#shifter.step(known, engines, drains, fence);
        const { drain, report } = this.#timing;
        await stirred.wait(clock, isDraining ? drain : isShifting ? report : Number.POSITIVE_INFINITY, signal);
      }
    };
    const unwatch = tasks.watch(account, () => stirred.ring());
    signal.addEventListener('abort', unwatch, { once: true });
    await Promise.all([
      follow(balancingPartition(account)),
      follow(networkPartition(account)),
      checker.run(account, fence, signal),
      this.#beside(signal),
      watch(),
    ]);
  }

  /** Removes targets that are done draining. @returns whether some still drain */
  async #finish(
    balancing: Balancing,
    engines: readonly EngineRecord[],
    drains: Drains,
    fence: Fence,
  ): Promise<boolean> {
    const { account, balancers } = this.#options;
    const all = draining(balancing);
    if (all.length === 0) return false;
    const done = all.filter((target) => isDone(balancing, target, engines, drains)).slice(0, mostInChange);
    // Before their rows go: nobody could tell afterwards that engines are quiet.
    await this.#registrar.release(done.filter(({ task }) => task !== undefined));
    if (done.length > 0)
      await balancers.change(
        account,
        (draft) => {
          for (const { id } of done)
            if (draft.get('target', id)?.deregisteredAt !== undefined) draft.remove('target', id);
        },
        fence,
      );
    return done.length < all.length;
  }
}

const draining = (balancing: Balancing): readonly TargetRecord[] =>
  balancing.all('target').filter(({ deregisteredAt }) => deregisteredAt !== undefined);

/**
 * Whether a target that drains is out: nothing is in flight on any engine, or its delay is over. An engine that has fallen silent may still
 * carry what it knew, and is waited for as long. Connections through a Network Load Balancer may outlive the delay (ELB:
 * `connection_termination`), and then the target stays with the engines until they end; not those to a task, which ends.
 */
export function isDone(
  balancing: Balancing,
  target: TargetRecord,
  all: readonly EngineRecord[],
  { drainedFor, silentFor }: Pick<Drains, 'drainedFor' | 'silentFor'>,
): boolean {
  const { id, groupId, task } = target;
  const group = balancing.get('targetgroup', groupId);
  const version = balancing.versionOf('target', id) ?? 0;
  // Of a group that is gone engines may still have an older state.
  const delay =
    group === undefined ? delayOfNone : Number(readAttribute(group, 'deregistration_delay.timeout_seconds')) * 1000;
  const engines = all.filter((one) => silentFor(one) < defaultTiming.gone + delay);
  const isQuiet = engines.every((one) => one.oldestServing >= version && one.quiet.includes(id));
  if (engines.length > 0 && isQuiet) return true;
  const past = drainedFor(target) - delay;
  if (past < 0) return false;
  // However short its delay: a task ends when new requests go elsewhere, or when an engine has long not taken that.
  if (task !== undefined && past < defaultTiming.gone && engines.some(({ generation }) => generation < version))
    return false;
  const isStream = group?.protocol === 'TCP' || group?.protocol === 'TLS';
  const cuts =
    task !== undefined ||
    !isStream ||
    readAttribute(group, 'deregistration_delay.connection_termination.enabled') === 'true';
  return cuts || engines.length === 0;
}
