import { type ByteSet, type Node, PatternError, parsePattern } from './syntax.ts';
import { bytesOf } from './wildcard.ts';

/** How large an automaton may become; whatever needs more is refused when the rule is made. */
const mostStates = 1000;
const mostParts = 2000;
/** How much work it may take to make one. */
const mostSteps = 5_000_000;

/**
 * A deterministic automaton that says whether a pattern is found in a text: one look at a table per byte. Both engines run the same
 * tables, so that they cannot disagree, and no pattern takes longer than its text.
 */
export interface Automaton {
  /** Which column of the table each of the 256 bytes has. */
  readonly columns: Uint8Array;
  readonly columnCount: number;
  /** `next[state * columnCount + column]`; state 0 begins. */
  readonly next: Uint16Array;
  /** 1: found, whatever follows. 2: found if the text ends here. 0: neither. */
  readonly accepts: Uint8Array;
}

/** Nondeterministic automaton: each state has one edge over bytes, or edges over nothing, some of them only at an end of the text. */
interface State {
  bytes?: ByteSet;
  to: number[];
  when?: 'start' | 'end';
}

/**
 * Compiles a pattern (of the subset in `syntax.ts`) that is looked for anywhere in a text, unless its anchors say where.
 * @throws PatternError if it is not of the subset or needs too large an automaton.
 */
export function compilePattern(pattern: string, options: { readonly ignoreCase: boolean }): Automaton {
  const states: State[] = [];
  const add = (state: State): number => {
    if (states.length >= mostParts) throw tooLarge(pattern);
    return states.push(state) - 1;
  };
  const final = add({ to: [] });
  const first = build(parsePattern(bytesOf(pattern), options), final);

  /** Adds the states of `node` in front of `then`; answers where they begin. */
  function build(node: Node, then: number): number {
    switch (node.kind) {
      case 'bytes':
        return add({ bytes: node.set, to: [then] });
      case 'start':
      case 'end':
        return add({ to: [then], when: node.kind });
      case 'sequence':
        return node.of.reduceRight((after, part) => build(part, after), then);
      case 'choice':
        return add({ to: node.of.map((part) => build(part, then)) });
      case 'repeat': {
        let after = then;
        if (node.max === Infinity) {
          const loop = add({ to: [then] });
          states[loop]!.to.push(build(node.of, loop));
          after = loop;
        } else {
          for (let i = node.min; i < node.max; i++) after = add({ to: [build(node.of, after), then] });
        }
        for (let i = 0; i < node.min; i++) after = build(node.of, after);
        return after;
      }
    }
  }

  return determine(pattern, states, first, final);
}

/** Whether the pattern is found in a text of bytes, one a character. */
export function finds({ columns, columnCount, next, accepts }: Automaton, text: string): boolean {
  let state = 0;
  for (let i = 0; i < text.length; i++) {
    if (accepts[state] === 1) return true;
    state = next[state * columnCount + columns[text.charCodeAt(i) & 255]!]!;
  }
  return accepts[state] !== 0;
}

/** Makes one state of each set of states that a text can lead to. */
function determine(pattern: string, states: readonly State[], first: number, final: number): Automaton {
  const { columns, samples } = columnsOf(states);

  let steps = 0;
  /** All that is reached over nothing, standing at an end of the text or between. */
  function closure(from: Iterable<number>, atStart: boolean, atEnd: boolean): number[] {
    const seen = new Set<number>();
    const todo = [...from];
    for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
      if (seen.has(state)) continue;
      if (++steps > mostSteps) throw tooLarge(pattern);
      seen.add(state);
      const { bytes, to, when } = states[state]!;
      if (bytes !== undefined || (when === 'start' && !atStart) || (when === 'end' && !atEnd)) continue;
      todo.push(...to);
    }
    return [...seen].sort((a, b) => a - b);
  }

  const sets: number[][] = [];
  const known = new Map<string, number>();
  function number(set: number[], atStart: boolean): number {
    const found = set.includes(final);
    // Once found, nothing that follows matters.
    const key = found ? 'found' : `${atStart ? '^' : ''}${set.join()}`;
    const old = known.get(key);
    if (old !== undefined) return old;
    if (sets.length >= mostStates) throw tooLarge(pattern);
    known.set(key, sets.length);
    accepts.push(found ? 1 : closure(set, atStart, true).includes(final) ? 2 : 0);
    return sets.push(set) - 1;
  }

  const accepts: number[] = [];
  const next: number[] = [];
  number(closure([first], true, false), true);
  for (let state = 0; state < sets.length; state++) {
    for (const byte of samples) {
      if (accepts[state] === 1) {
        next.push(state);
        continue;
      }
      const reached = sets[state]!.filter((from) => states[from]!.bytes?.[byte] === 1).flatMap(
        (from) => states[from]!.to,
      );
      next.push(number(closure([...reached, first], false, false), false));
    }
  }
  return { columns, columnCount: samples.length, next: Uint16Array.from(next), accepts: Uint8Array.from(accepts) };
}

/** Bytes that no state tells apart share a column; `samples` has one of each. */
function columnsOf(states: readonly State[]): { columns: Uint8Array; samples: number[] } {
  const sets = states.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  const unique = [...new Map(sets.map((set) => [set.join(''), set])).values()];
  const columns = new Uint8Array(256);
  const samples: number[] = [];
  const byKind = new Map<string, number>();
  for (let byte = 0; byte < 256; byte++) {
    const kind = unique.map((set) => set[byte]).join('');
    let column = byKind.get(kind);
    if (column === undefined) {
      column = samples.push(byte) - 1;
      byKind.set(kind, column);
    }
    columns[byte] = column;
  }
  return { columns, samples };
}

function tooLarge(pattern: string): PatternError {
  return new PatternError(
    `the pattern ${JSON.stringify(pattern)} is too complex: matching it takes more than ${mostStates} states; use simpler ones`,
  );
}
