import { LRUCache } from 'lru-cache';

import type { Decision } from '../policy/index.ts';

/** Decisions of all callers together, and about how many bytes of memory; what was not asked for lately goes first. */
const most = { decisions: 50_000, bytes: 32 * 1024 * 1024 } as const;
/** What a decision takes beside its question, and what each policy that was looked at does, about. */
const besides = 400;
const eachConsidered = 48;

/** What was decided, by the question: for all callers together, however many there are and however much each of them asks. */
export class RememberedDecisions {
  readonly #known = new LRUCache<string, Decision>({
    max: most.decisions,
    maxSize: most.bytes,
    sizeCalculation: ({ considered }, question) => question.length + besides + eachConsidered * considered.length,
  });

  get size(): { readonly decisions: number; readonly bytes: number } {
    return { decisions: this.#known.size, bytes: this.#known.calculatedSize };
  }

  /** @param caller a number that is no other caller's, nor the same caller's with other policies */
  of(caller: number, question: string, decide: () => Decision): Decision {
    const key = `${caller} ${question}`;
    let decision = this.#known.get(key);
    if (decision === undefined) this.#known.set(key, (decision = decide()));
    return decision;
  }
}
