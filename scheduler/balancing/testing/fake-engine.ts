import type { DesiredState } from '../../routing/index.ts';
import { type BindResult, type Counts, EngineError, noCounts, type TrafficEngine } from '../engines/index.ts';

/** An engine that carries nothing: it does at once what it is told, or what tests make it do. */
export class FakeEngine implements TrafficEngine {
  readonly kind = 'embedded';
  desired: DesiredState | undefined;
  readonly generations: number[] = [];
  /** Why ports cannot be bound. */
  readonly unbound = new Map<number, string>();
  /** Requests under way, by registration. */
  readonly inFlight = new Map<string, number>();
  /** What was counted, by registration. */
  readonly counts = new Map<string, Counts>();
  /** What an old process of it still serves. */
  oldest: number | undefined;
  /** Why it takes nothing. */
  refuses: string | undefined;
  /** Why it does not answer at all. */
  dead: string | undefined;
  /** How often it was opened, and ended. */
  opened = 0;
  stopped = 0;
  /** How often it was looked at. */
  observed = 0;

  open(): Promise<this> {
    this.opened++;
    if (this.dead !== undefined) return Promise.reject(new EngineError(this.dead));
    return Promise.resolve(this);
  }

  apply(desired: DesiredState) {
    if (this.dead !== undefined) return Promise.reject(new EngineError(this.dead));
    if (this.refuses !== undefined) return Promise.reject(new EngineError(this.refuses));
    this.desired = desired;
    this.generations.push(desired.generation);
    return Promise.resolve({ generation: desired.generation, listeners: this.#bound() });
  }

  observe() {
    this.observed++;
    if (this.dead !== undefined) return Promise.reject(new EngineError(this.dead));
    if (this.desired === undefined)
      return Promise.reject(new EngineError('it does not run: apply a state to start it'));
    const { generation } = this.desired;
    return Promise.resolve({
      generation,
      oldestServing: Math.min(this.oldest ?? generation, generation),
      targets: [...this.inFlight].map(([registrationId, inFlight]) => ({
        targetGroupId: this.#groupOf(registrationId),
        registrationId,
        inFlight,
        counts: this.counts.get(registrationId) ?? noCounts,
      })),
      loadBalancers: [],
      listeners: [...this.#bound()].map(([id, result]) => ({
        id,
        result,
        activeConnections: 0,
        newConnections: 0,
        requests: 0,
      })),
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.desired = undefined;
    this.stopped++;
    return Promise.resolve();
  }

  #groupOf(registrationId: string): string {
    const groups = this.desired?.targetGroups ?? [];
    return groups.find(({ targets }) => targets.some((one) => one.registrationId === registrationId))?.id ?? '';
  }

  #bound(): Map<string, BindResult> {
    return new Map(
      (this.desired?.listeners ?? []).map(({ id, port }) => {
        const reason = this.unbound.get(port);
        return [id, reason === undefined ? { bound: true } : { bound: false, reason }];
      }),
    );
  }
}
