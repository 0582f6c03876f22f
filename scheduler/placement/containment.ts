/**
 * A wall around plug-ins. Whatever one does (throw, answer NaN, take too long), the decision goes on without it or is
 * refused with its name in the reason, and nothing in the core is left half changed.
 */
import { PlacementError } from './errors.ts';
import type { Candidate, Check, Constraint, Scorer, Strategy, Use } from './extension.ts';

/** A plug-in that did not keep its promise. */
export class PluginFailure extends Error {
  override readonly name = 'PluginFailure';
  readonly plugin: string;

  constructor(plugin: string, problem: string, options?: ErrorOptions) {
    super(`${plugin} ${problem}`, options);
    this.plugin = plugin;
  }
}

/** Milliseconds from any start, growing. Without one, slow plug-ins go unnoticed. */
export type Stopwatch = () => number;

/** Failures in a row after which a plug-in is left out until the index is made anew. */
const patience = 10;

/** Keeps the time plug-ins take, and how often and why they failed. */
export class PluginLedger {
  readonly #failures = new Map<string, { readonly count: number; readonly inARow: number; readonly last: string }>();
  readonly #now: Stopwatch | undefined;
  readonly #budgetMs: number;
  #deadline = Infinity;
  #allowedMs = 0;

  /** `budgetMs` is what the plug-ins of one decision may take together on 10,000 instances. */
  constructor(now: Stopwatch | undefined, budgetMs: number) {
    this.#now = now;
    this.#budgetMs = budgetMs;
  }

  get failures(): ReadonlyMap<string, { readonly count: number; readonly last: string }> {
    return this.#failures;
  }

  /** A decision begins. The budget is for 10,000 instances: on more, an index that is filled for the first time takes longer. */
  begin(instances: number): void {
    if (this.#now === undefined) return;
    this.#allowedMs = this.#budgetMs * Math.max(1, instances / 10_000);
    this.#deadline = this.#now() + this.#allowedMs;
  }

  failed(failure: PluginFailure): void {
    const entry = this.#failures.get(failure.plugin) ?? { count: 0, inARow: 0 };
    this.#failures.set(failure.plugin, { count: entry.count + 1, inARow: entry.inARow + 1, last: failure.message });
  }

  worked(plugin: string): void {
    const entry = this.#failures.get(plugin);
    if (entry !== undefined && entry.inARow > 0) this.#failures.set(plugin, { ...entry, inARow: 0 });
  }

  isOut(plugin: string): boolean {
    return (this.#failures.get(plugin)?.inARow ?? 0) >= patience;
  }

  /** Opens a plug-in's strategy behind the wall. A wrong field is the user's mistake: a `PlacementError`. */
  openStrategy(strategy: Strategy, use: Use & { readonly field?: string }): Scorer {
    const { type } = strategy;
    const scorer = opened(type, () => strategy.open(use));
    return {
      reads: scorer.reads,
      score: (candidate) => {
        const score = this.#call(type, () => scorer.score(candidate));
        // Infinity is the indexes' mark for "cannot take it": a plug-in's counts as the largest number.
        if (typeof score === 'number' && !Number.isNaN(score)) return Math.min(score, Number.MAX_VALUE);
        throw new PluginFailure(type, `scored ${candidate.id} with ${String(score)}`);
      },
    };
  }

  /** Opens a plug-in's constraint behind the wall. */
  openConstraint(constraint: Constraint, use: Use & { readonly expression?: string }): Check {
    const { type } = constraint;
    const check = opened(type, () => constraint.open(use));
    return {
      reads: check.reads,
      allows: (candidate: Candidate) => {
        const allowed = this.#call(type, () => check.allows(candidate));
        if (typeof allowed === 'boolean') return allowed;
        throw new PluginFailure(type, `answered ${String(allowed)} for ${candidate.id}`);
      },
    };
  }

  #call<T>(type: string, call: () => T): T {
    let result: T;
    try {
      result = call();
    } catch (cause) {
      throw new PluginFailure(type, `threw: ${messageOf(cause)}`, { cause });
    }
    if (this.#now !== undefined && this.#now() > this.#deadline) {
      throw new PluginFailure(type, `took longer than ${this.#allowedMs} ms for one decision`);
    }
    return result;
  }
}

function opened<T>(type: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof PlacementError) throw cause;
    throw new PlacementError('INVALID_INPUT', `${type}: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
