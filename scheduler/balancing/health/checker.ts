import type { Log } from '@slipway/auth/contract';
import { type Clock, waitAtMost } from '@slipway/storage/clock';
import type { Fence } from '@slipway/storage/records';

import {
  type Balancers,
  type Balancing,
  type HealthRecord,
  mostInChange,
  type TargetGroupRecord,
  type TargetRecord,
} from '../records/index.ts';

import type { Probe } from './probe.ts';
import { afterCheck, type CheckResult, noProgress, type Progress } from './state.ts';

export interface CheckerOptions {
  readonly balancers: Balancers;
  readonly clock: Clock;
  readonly log: Log;
  readonly probe: Probe;
  /** How many checks are under way at once; others wait. Default 200. */
  readonly atOnce?: number;
  /** How many changes are written in one commit; others follow. Default `mostInChange`. */
  readonly mostInCommit?: number;
}

interface Checked {
  readonly group: TargetGroupRecord;
  readonly target: TargetRecord;
  /** On the monotonic clock; Infinity while a check is under way. */
  due: number;
  progress: Progress;
  /** What the last check made of it, which may not be committed yet. */
  health: HealthRecord;
}

/**
 * Checks the targets of one account's groups that a listener names, each in its group's interval, and commits what changes. One server
 * does it at a time. Thresholds begin anew with each: how a target is stands in its record.
 */
export class HealthChecker {
  readonly #options: CheckerOptions;
  readonly #targets = new Map<string, Checked>();
  readonly #changed = new Map<string, HealthRecord>();
  #running = 0;
  #generation = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** Takes over what is to be checked. A target that is new is checked at once. */
  update(balancing: Balancing): void {
    const { clock } = this.#options;
    // One that was read earlier, and comes later.
    if (balancing.generation < this.#generation) return;
    this.#generation = balancing.generation;
    const wanted = new Set<string>();
    const used = new Set(balancing.all('loadbalancer').flatMap(({ id }) => [...balancing.groupsOf(id)]));
    for (const groupId of used) {
      const group = balancing.get('targetgroup', groupId);
      if (group === undefined) continue;
      for (const target of balancing.targetsOf(groupId)) {
        if (target.deregisteredAt !== undefined) continue;
        wanted.add(target.id);
        const known = this.#targets.get(target.id);
        const fresh = { due: clock.monotonic(), progress: noProgress, health: target.health };
        const { due, progress, health } = known ?? fresh;
        if (known === undefined || known.group !== group || known.target !== target)
          this.#targets.set(target.id, {
            group,
            target,
            // An interval that was made shorter counts from now.
            due: due === Infinity ? due : Math.min(due, clock.monotonic() + group.healthCheck.interval * 1000),
            progress,
            // A change that is on its way counts; what is committed counts else.
            health: this.#changed.has(target.id) ? health : target.health,
          });
      }
    }
    for (const id of this.#targets.keys()) if (!wanted.has(id)) this.#targets.delete(id);
    this.#stir();
  }

  /** Checks until the signal aborts. @param fence of the one who does it, where there may be others */
  async run(account: string, fence: Fence | undefined, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#check(signal), this.#commit(account, fence, signal)]);
  }

  /** Begins checks that are due, and sleeps until the next one is. */
  async #check(signal: AbortSignal): Promise<void> {
    const { clock, atOnce = 200 } = this.#options;
    while (!signal.aborted) {
      const now = clock.monotonic();
      for (const [id, one] of this.#targets) {
        if (this.#running >= atOnce) break;
        if (one.due <= now) void this.#probe(id, one, now);
      }
      let next = Number.POSITIVE_INFINITY;
      if (this.#running < atOnce) for (const { due } of this.#targets.values()) next = Math.min(next, due);
      await this.#pause(next - now, signal);
    }
  }

  async #probe(id: string, one: Checked, now: number): Promise<void> {
    const { log, probe } = this.#options;
    const { group, target } = one;
    const { healthCheck: check, protocolVersion: version = 'HTTP1' } = group;
    one.due = Number.POSITIVE_INFINITY;
    this.#running++;
    const port = check.port === 'traffic-port' ? target.port : check.port;
    const result = await probe({ address: target.address, port, check, version }).catch((err: unknown): CheckResult => {
      log.error({ target: id, err }, 'a health check could not be made');
      return { kind: 'failed', problem: `${target.address}:${port}: the check could not be made` };
    });
    this.#running--;
    // It may have been updated or deregistered meanwhile.
    const current = this.#targets.get(id);
    if (current !== undefined) {
      current.due = now + current.group.healthCheck.interval * 1000;
      const { health, progress } = afterCheck(current.health, current.progress, result, current.group.healthCheck);
      current.progress = progress;
      if (JSON.stringify(health) !== JSON.stringify(current.health)) {
        current.health = health;
        this.#changed.set(id, health);
      }
    }
    this.#stir();
  }

  /** Commits what changed, as much at once as there is. */
  async #commit(account: string, fence: Fence | undefined, signal: AbortSignal): Promise<void> {
    const { balancers, clock, log } = this.#options;
    while (!signal.aborted) {
      if (this.#changed.size === 0) {
        await this.#pause(Number.POSITIVE_INFINITY, signal);
        continue;
      }
      // One that is refused would be tried again for ever.
      const batch = [...this.#changed].slice(0, this.#options.mostInCommit ?? mostInChange);
      try {
        const { balancing } = await balancers.change(
          account,
          (draft) => {
            for (const [id, health] of batch) {
              const target = draft.get('target', id);
              if (target !== undefined && target.deregisteredAt === undefined)
                draft.put('target', { ...target, health });
            }
          },
          fence,
        );
        for (const [id, health] of batch) if (this.#changed.get(id) === health) this.#changed.delete(id);
        this.update(balancing.carried);
      } catch (err) {
        if (signal.aborted) return;
        if ((err as Error).name === 'StaleEpoch') throw err;
        log.warn({ account, err }, 'cannot write down the health of targets; trying again');
        await clock.sleep(1_000, signal).catch(() => undefined);
      }
    }
  }

  readonly #waiting = new Set<() => void>();

  #stir(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Waits until something happens, at most so many milliseconds. */
  #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    const listen = (wake: () => void): (() => void) => {
      this.#waiting.add(wake);
      return () => this.#waiting.delete(wake);
    };
    return waitAtMost(ms, listen, this.#options.clock, signal);
  }
}
