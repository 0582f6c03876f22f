/** One finished or interrupted operation on a register: `call` and `end` are moments on one clock. */
export interface Operation {
  readonly call: number;
  /** Infinity when the outcome is unknown: it may take effect at any later time, or never. */
  readonly end: number;
  readonly kind: 'read' | 'write' | 'swap';
  /** What a read saw, what a write wrote, what a successful swap wrote. */
  readonly value: number;
  /** What a swap required. */
  readonly expected?: number;
  /** Whether a swap took place; undefined when unknown. */
  readonly swapped?: boolean;
}

/**
 * Whether there is an order of the operations, each at some moment between its call and its end, in which every one of them sees
 * what a single register would show (Wing and Gong's search, with the states already seen remembered).
 */
export function isLinearizable(history: readonly Operation[], initial: number): boolean {
  const operations = history.toSorted((a, b) => a.call - b.call);
  const seen = new Set<string>();
  const search = (done: bigint, value: number, left: number): boolean => {
    if (left === 0) return true;
    const state = `${done} ${value}`;
    if (seen.has(state)) return false;
    seen.add(state);
    // Whoever ended first among the rest must come before all that were called after its end.
    let horizon = Infinity;
    for (const [index, { end }] of operations.entries()) {
      if ((done & (1n << BigInt(index))) === 0n) horizon = Math.min(horizon, end);
    }
    if (horizon === Infinity) return true;
    for (const [index, operation] of operations.entries()) {
      if (operation.call > horizon) break;
      const bit = 1n << BigInt(index);
      if ((done & bit) !== 0n) continue;
      for (const next of effects(operation, value)) {
        if (search(done | bit, next, left - 1)) return true;
      }
    }
    return false;
  };
  return search(0n, initial, operations.length);
}

/** The values after the operation, given the one before; none when it cannot have happened here. */
function effects(operation: Operation, value: number): readonly number[] {
  switch (operation.kind) {
    case 'read':
      return operation.value === value ? [value] : [];
    case 'write':
      // Without an answer it may also never have happened.
      return operation.end === Infinity ? [operation.value, value] : [operation.value];
    case 'swap': {
      const fits = operation.expected === value;
      if (operation.swapped === undefined) return fits ? [operation.value, value] : [value];
      return operation.swapped === fits ? [fits ? operation.value : value] : [];
    }
  }
}
