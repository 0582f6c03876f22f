import { Counter, Histogram, type Registry } from '@prometheus-io/client';
import type { ControlMeter } from '@slipway/scheduler/control';
import { type Decision, decisionKinds } from '@slipway/scheduler/deployments';

/** What leaders of clusters do; how clusters stand is the scheduler's gauges. */
export class SchedulerMetrics implements ControlMeter {
  readonly #decisions: Counter<'what'>;
  readonly #hooks: Counter<'kind' | 'outcome'>;
  readonly #seconds: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#decisions = new Counter({
      name: 'slipway_scheduler_decisions_total',
      help: 'Decisions about services that were committed',
      labelNames: ['what'],
      registers,
    });
    this.#hooks = new Counter({
      name: 'slipway_scheduler_hooks_total',
      help: 'Answers of hooks that deployments waited for',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'slipway_scheduler_pass_seconds',
      help: 'Time of a pass over up to 50 services: planning, placing and committing',
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10],
      registers,
    });
    // There from the start, so that a first one is an increase.
    for (const what of decisionKinds) this.#decisions.inc({ what }, 0);
    for (const kind of ['webhook', 'task'] as const)
      for (const outcome of ['SUCCEEDED', 'FAILED', 'IN_PROGRESS'] as const) this.#hooks.inc({ kind, outcome }, 0);
  }

  passed(milliseconds: number): void {
    this.#seconds.observe(milliseconds / 1000);
  }

  decided(what: Decision['what']): void {
    this.#decisions.inc({ what });
  }

  hooked(kind: 'webhook' | 'task', outcome: 'SUCCEEDED' | 'FAILED' | 'IN_PROGRESS'): void {
    this.#hooks.inc({ kind, outcome });
  }
}
