import type { CapacityProviderStrategy, DeploymentRecord, TaskRecord } from '../state/index.ts';

import { lowerBound, tasksPerPass, upperBound } from './bounds.ts';
import { type Census, censusOf, type Counted } from './census.ts';
import { eventTexts } from './events.ts';
import { interruption } from './interrupt.ts';
import { moveTasks } from './moves.ts';
import type { Pass } from './pass.ts';
import { countProviders, nextProviders, sharesOf, tasksOn } from './providers.ts';
import { rebalance } from './rebalancing.ts';
import { isStalled } from './shift-state.ts';
import type { Strategy } from './strategy.ts';
import { countUnhealthy, stopUnhealthy } from './targets.ts';
import { startedAs } from './task-sets.ts';
import type { Start } from './types.ts';

/**
 * One step of a REPLICA service: start first while the maximum leaves room, stop first only when it does not (or when
 * only a stop makes room on an instance), never go below the minimum of healthy tasks by one's own choice. The same step
 * serves rollouts, rollbacks, scaling, draining, lost hosts and unhealthy tasks: they differ in which tasks are outgoing.
 */
export function roll(pass: Pass): void {
  const primary = pass.primary();
  const beside = rebalance(pass) + moveTasks(pass);
  const census = pass.census();
  pass.leaving = census.outgoing.map(({ task }) => task.id);
  const stalled = primary === undefined || isStalled(primary);
  tell(pass, [
    new Step(pass, primary, census, { stalled, restores: true, desired: pass.service.desiredCount + beside }).run(),
  ]);
}

/** ECS's own way: tasks of the new revision come as those of the old one go. */
export const rolling: Strategy = { step: roll, mayComplete: () => true };

/**
 * The same step for several deployments, each as if it were alone in the service: every one gets the desired count of tasks of its own
 * revision, or as many as `desired` says. Of one that is `stalled` no task is started.
 */
export function keepWhole(
  pass: Pass,
  sets: readonly { readonly deployment: DeploymentRecord; readonly stalled: boolean; readonly desired?: number }[],
): void {
  const census = pass.census();
  pass.leaving = census.outgoing.map(({ task }) => task.id);
  const outcomes = sets.map(({ deployment, stalled, desired }) =>
    new Step(pass, deployment, censusOf(census, deployment), { stalled, restores: false, desired }).run(),
  );
  tell(pass, outcomes);
}

/** What there is to say after a step. */
interface Outcome {
  /** Why neither a start nor a stop is possible. */
  readonly deadlock?: string;
  /** What keeps a set of tasks larger than wanted, for people: some are protected. */
  readonly held?: string;
  /** Tasks on hosts that are lost. */
  readonly lost: readonly string[];
}

function tell({ voice, decisions }: Pass, outcomes: readonly Outcome[]): void {
  const deadlocks = outcomes.flatMap(({ deadlock }) => deadlock ?? []);
  if (deadlocks.length === 0) voice.resolve('deadlock');
  else voice.sayStanding('deadlock', eventTexts.deadlock);
  for (const why of deadlocks) decisions.push({ what: 'deadlock', why });
  const held = outcomes.find((outcome) => outcome.held !== undefined)?.held;
  if (held === undefined) voice.resolve('protected');
  else voice.sayStanding('protected', held);
  const lost = outcomes.flatMap((outcome) => outcome.lost);
  if (lost.length === 0) voice.resolve('unreachable');
  else voice.sayStanding('unreachable', eventTexts.unreachable(lost.sort()));
}

class Step {
  readonly #pass: Pass;
  readonly #primary: DeploymentRecord | undefined;
  readonly #census: Census;
  readonly #stalled: boolean;
  /** Whether tasks of older deployments that are gone too early are replaced. */
  readonly #restores: boolean;
  readonly #desired: number;
  readonly #lower: number;
  readonly #upper: number;
  readonly #strategy: CapacityProviderStrategy | undefined;
  readonly #victims = new Set<Counted>();
  /** See `Outcome`. */
  #held: string | undefined;
  /** Healthy tasks that may still be stopped. */
  #allowance: number;
  #room: number;

  constructor(
    pass: Pass,
    primary: DeploymentRecord | undefined,
    census: Census,
    {
      stalled,
      restores,
      desired,
    }: { readonly stalled: boolean; readonly restores: boolean; readonly desired?: number | undefined },
  ) {
    const { service } = pass;
    this.#strategy = startedAs(service, primary ?? {}).capacityProviderStrategy;
    this.#stalled = stalled;
    this.#restores = restores;
    this.#pass = pass;
    this.#primary = primary;
    this.#census = census;
    this.#desired = service.status === 'ACTIVE' ? (desired ?? service.desiredCount) : 0;
    this.#lower = lowerBound(this.#desired, service.deploymentConfiguration);
    this.#upper = upperBound(this.#desired, service.deploymentConfiguration);
    this.#allowance = Math.max(0, census.healthy - this.#lower);
    this.#room = Math.max(0, this.#upper - census.occupying);
  }

  run(): Outcome {
    const { keep, outgoing } = this.#census;
    const stalled = this.#stalled;
    this.#stopPendingOnDrainingHosts();
    const restored = stalled || !this.#restores ? 0 : this.#restoreOld();
    const missing = Math.max(0, Math.min(this.#desired, this.#upper) - keep.length);
    const waiting = this.#waits();
    const started = stalled || waiting ? 0 : Math.min(missing, this.#room);
    if (this.#primary !== undefined && started > 0) {
      this.#room -= started;
      const why = `${keep.length} of ${this.#desired} tasks of ${this.#primary.taskDefinition} are there`;
      this.#pass.start(this.#startOf(this.#primary, started, keep), why);
    }
    if (stalled && this.#desired > 0) this.#shrinkStalled();
    else this.#stopSurplus();
    if (!stalled && !waiting) this.#makeRoom(missing - started);
    if (!stalled || this.#desired === 0) this.#scaleIn();
    this.#stopVictims();
    return {
      ...this.#deadlock(missing - started, restored, stalled || waiting),
      ...(this.#held === undefined ? {} : { held: this.#held }),
      lost: outgoing.filter(({ host }) => host === 'lost').map(({ task }) => task.id),
    };
  }

  /** Whether back-off forbids starting tasks of the PRIMARY now. */
  #waits(): boolean {
    const until = this.#primary?.startNotBefore;
    if (until === undefined || until <= this.#pass.now) return false;
    this.#pass.wake(until);
    return true;
  }

  /** PENDING service tasks on a DRAINING instance are stopped at once. */
  #stopPendingOnDrainingHosts(): void {
    for (const counted of this.#census.outgoing)
      if (counted.host === 'draining' && counted.task.lastStatus !== 'RUNNING') this.#victims.add(counted);
  }

  /**
   * Tasks of an older deployment that died or fail are replaced by tasks of their own revision while they are still
   * needed. Only for deployments that had completed: a superseded one that never did is not worth a container.
   * @returns how many are started
   */
  #restoreOld(): number {
    const { keep, outgoing } = this.#census;
    const useful = outgoing.filter(({ host, unhealthy }) => host === 'ready' && !unhealthy);
    const healthyNew = keep.filter(({ healthy }) => healthy).length;
    let lacking = this.#desired - healthyNew - useful.length;
    let must = this.#lower - healthyNew - useful.length;
    const reserved = Math.max(0, Math.min(this.#desired, this.#upper) - keep.length);
    let restored = 0;
    for (const deployment of this.#pass.deployments()) {
      if (deployment.status !== 'ACTIVE' || deployment.completedAt === undefined) continue;
      const own = useful.filter((counted) => counted.deployment === deployment);
      const wanted = Math.min((deployment.keepCount ?? own.length) - own.length, lacking);
      // What the minimum needs comes before the PRIMARY's own growth; the rest takes what the PRIMARY leaves.
      const count = Math.min(wanted, Math.max(Math.min(must, this.#room), this.#room - reserved));
      if (count <= 0 || (deployment.startNotBefore ?? 0) > this.#pass.now) continue;
      this.#pass.start(
        this.#startOf(deployment, count, own),
        'a task of this revision is gone before its successor is healthy',
      );
      this.#room -= count;
      lacking -= count;
      must -= count;
      restored += count;
    }
    return restored;
  }

  /** So many tasks of a deployment, on the providers that are to have the next ones beside the deployment's tasks that stay. */
  #startOf(deployment: DeploymentRecord, count: number, staying: readonly Counted[]): Start {
    const { id } = deployment;
    const strategy = startedAs(this.#pass.service, deployment).capacityProviderStrategy;
    if (strategy === undefined) return { deploymentId: id, count };
    const have = countProviders(staying.map(({ task }) => task.capacityProvider));
    return { deploymentId: id, count, providers: nextProviders(strategy, have, count) };
  }

  /** Ends outgoing tasks whose successors are healthy. */
  #stopSurplus(): void {
    const { keep, outgoing } = this.#census;
    const needed = Math.max(0, this.#desired - keep.filter(({ healthy }) => healthy).length);
    this.#end(outgoing, outgoing.length - needed - this.#victims.size);
  }

  /** A FAILED deployment without rollback: what runs keeps running; only a lower desired count ends tasks, down to the maximum. */
  #shrinkStalled(): void {
    const reachable = [...this.#census.outgoing, ...this.#census.keep].filter(({ host }) => host !== 'lost');
    this.#end(reachable, reachable.length - this.#upper);
  }

  /**
   * Stop first: when the maximum leaves no room for the missing tasks, or no instance has room but one would if tasks of
   * this service went. Tasks that are already stopping are waited for.
   */
  #makeRoom(missing: number): void {
    const { keep, outgoing, stopping } = this.#census;
    const leaving = stopping.filter(({ host }) => host !== 'lost').length + this.#victims.size;
    let unhealthyTaken = leaving > 0;
    // One that load balancers call unhealthy may only be busy: none goes before the one that came for the last is healthy, so that
    // load never takes a service down task by task.
    const proven = this.#pass.starts.length === 0 && keep.every(({ healthy }) => healthy);
    // Unhealthy tasks go one at a time: their cause may pass, and a restart of all of them is a storm.
    const mayGo = ({ host, unhealthy, task }: Counted): boolean =>
      host !== 'lost' && !(unhealthy && (unhealthyTaken || !(proven || task.targets === undefined)));
    this.#end(outgoing, missing - leaving, mayGo, ({ unhealthy }) => {
      unhealthyTaken ||= unhealthy;
    });
    const relief = this.#pass.state.blocked.get(this.#primary?.id ?? '')?.relief ?? [];
    if (relief.length === 0 || stopping.length + this.#victims.size > 0) return;
    const going = outgoing.filter(({ task }) => relief.includes(task.id));
    const healthy = going.filter((counted) => counted.healthy && !this.#victims.has(counted)).length;
    if (going.length < relief.length || healthy > this.#allowance || going.some((counted) => counted.protected)) return;
    for (const counted of going) this.#take(counted);
  }

  /** More tasks of the PRIMARY than wanted: those that are not up yet first, then in the order of the placement strategies. */
  #scaleIn(): void {
    const { keep } = this.#census;
    const surplus = keep.length - this.#desired;
    if (surplus <= 0) return;
    const left = surplus - this.#endExcess(keep, surplus);
    if (left === 0 || this.#victims.size >= tasksPerPass) return;
    if (!keep.some((counted) => counted.protected)) return;
    const set = this.#primary?.taskSet === undefined ? undefined : this.#primary.id;
    this.#held = set === undefined ? eventTexts.protectedTasks : eventTexts.protectedSet(set);
  }

  /** Ends surplus tasks: of a service with a capacity provider strategy first those that a provider has beyond its share. */
  #endExcess(keep: readonly Counted[], surplus: number): number {
    let ended = 0;
    if (this.#strategy !== undefined) {
      const shares = sharesOf(this.#strategy, this.#desired);
      for (const [provider, tasks] of Map.groupBy(keep, ({ task }) => task.capacityProvider)) {
        const excess = tasks.length - (provider === undefined ? 0 : tasksOn(shares, provider));
        ended += this.#end(tasks, Math.min(excess, surplus - ended));
      }
    }
    return ended + this.#end(keep, surplus - ended);
  }

  /** Marks a task to be stopped, if protection and the minimum allow it. */
  #take(counted: Counted): boolean {
    if (!this.#mayTake(counted)) return false;
    if (counted.healthy) this.#allowance--;
    this.#victims.add(counted);
    return true;
  }

  #mayTake(counted: Counted): boolean {
    const deleting = this.#pass.service.status !== 'ACTIVE' || this.#primary?.taskSet?.ends === true;
    if (this.#victims.has(counted)) return false;
    if (counted.protected && !counted.unhealthy && !deleting) return false;
    return !counted.healthy || this.#allowance > 0;
  }

  /**
   * Marks up to `surplus` of the candidates to be stopped: lost, failing, not yet healthy, of deployments that never completed,
   * draining, then by strategy. The order by strategy is the dear part of a pass: it is asked for only where something goes, of what
   * may go, and no longer than needed.
   * @returns how many it marked
   */
  #end(
    candidates: readonly Counted[],
    surplus: number,
    mayGo: (counted: Counted) => boolean = () => true,
    took: (counted: Counted) => void = () => {},
  ): number {
    const wanted = Math.min(surplus, tasksPerPass - this.#victims.size);
    if (wanted <= 0) return 0;
    let ended = 0;
    const ranks = Map.groupBy(candidates, (counted) => this.#rank(counted));
    for (const rank of [...ranks.keys()].sort((a, b) => a - b)) {
      let open = ranks.get(rank) ?? [];
      while (ended < wanted) {
        open = open.filter((counted) => mayGo(counted) && this.#mayTake(counted));
        if (open.length === 0) break;
        for (const counted of this.#ordered(open, wanted - ended)) {
          if (!mayGo(counted) || !this.#take(counted)) continue;
          took(counted);
          ended++;
        }
      }
    }
    return ended;
  }

  /** Who goes first, before the strategies are asked; less is earlier. */
  #rank({ host, unhealthy, healthy, task, deployment }: Counted): number {
    if (host === 'lost') return 0;
    if (unhealthy) return 1;
    if (task.lastStatus !== 'RUNNING') return 2;
    if (!healthy) return 3;
    if (deployment !== this.#primary && deployment?.completedAt === undefined) return 4;
    return host === 'draining' ? 5 : 6;
  }

  /** The first so many in the order of the strategies, given that those marked already are gone. */
  #ordered(candidates: readonly Counted[], limit: number): readonly Counted[] {
    if (candidates.length <= 1) return candidates;
    const byId = new Map(candidates.map((counted) => [counted.task.id, counted]));
    const gone = [...this.#victims].map(({ task }) => task.id);
    return this.#pass.state.scaleInOrder([...byId.keys()], limit, gone).flatMap((id) => byId.get(id) ?? []);
  }

  #stopVictims(): void {
    this.#shrinkShares();
    const scaling: TaskRecord[] = [];
    const lost: TaskRecord[] = [];
    const unhealthy: TaskRecord[] = [];
    const interrupted: TaskRecord[] = [];
    for (const { host, unhealthy: failing, task } of this.#victims) {
      const goes = this.#pass.state.interruptedAt(task) !== undefined;
      (host === 'lost' ? lost : failing ? unhealthy : goes ? interrupted : scaling).push(task);
    }
    const id = this.#primary?.id ?? '';
    this.#pass.stop(scaling, `Scaling activity initiated by (deployment ${id})`);
    this.#pass.stop(lost, 'The host lost contact with the control plane', 'InfrastructureHealth');
    stopUnhealthy(this.#pass, unhealthy);
    this.#pass.stop(interrupted, interruption.reason, interruption.code);
    const ids = [...scaling, ...lost, ...unhealthy, ...interrupted].map((task) => task.id);
    if (ids.length > 0 && this.#primary?.taskSet !== undefined) this.#pass.voice.sayOf(id, eventTexts.stopped(ids));
    else if (ids.length > 0) this.#pass.voice.say(eventTexts.stopped(ids));
    for (const task of unhealthy) countUnhealthy(this.#pass, task);
  }

  /** Tasks ended because they are no longer needed lower what their deployment has to keep up; ended for other reasons they do not. */
  #shrinkShares(): void {
    for (const deployment of this.#pass.deployments()) {
      if (deployment.keepCount === undefined) continue;
      const ended = [...this.#victims].filter(
        (counted) => counted.deployment?.id === deployment.id && counted.host === 'ready' && !counted.unhealthy,
      ).length;
      this.#pass.change(deployment.id, { keepCount: Math.max(0, deployment.keepCount - ended) });
    }
  }

  /** Neither a start nor a stop is possible, and nothing under way will change that: the bounds exclude each other. */
  #deadlock(missing: number, restored: number, expected: boolean): { readonly deadlock?: string } {
    const { keep, outgoing, stopping } = this.#census;
    const settled = stopping.length === 0 && [...keep, ...outgoing].every(({ healthy }) => healthy);
    const stuck = missing > 0 && !expected && restored === 0 && this.#victims.size === 0 && this.#room === 0 && settled;
    const byProtection = this.#allowance > 0;
    if (!stuck || byProtection) return {};
    const found = `at least ${this.#lower} healthy and at most ${this.#upper} tasks leave no step from ${this.#census.occupying}`;
    return { deadlock: found };
  }
}
