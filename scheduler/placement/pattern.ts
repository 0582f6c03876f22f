/**
 * Regular expressions for `=~` and `!~`: the part of Java's syntax that a linear-time matcher can honour. A backtracking
 * engine would let one expression in a task definition hold up every placement of a cluster, so patterns run on a
 * Thompson automaton: time grows with (pattern x text), never exponentially. What needs backtracking is refused.
 */

type CharTest = (code: number) => boolean;

type Node =
  | { readonly kind: 'chars'; readonly test: CharTest }
  | { readonly kind: 'sequence' | 'either'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' };

type Instruction =
  | { readonly op: 'char'; readonly test: CharTest }
  | { readonly op: 'split'; readonly to: readonly number[] }
  | { readonly op: 'assert'; readonly at: 'start' | 'end' }
  | { readonly op: 'match' };

/** More instructions than any sensible pattern needs; nested counts such as `(a{1000}){1000}` stop here. */
const maximumInstructions = 10_000;

/** What is wrong with a pattern, at an offset into it. */
export class PatternError extends Error {
  readonly position: number;

  constructor(position: number, message: string) {
    super(message);
    this.position = position;
  }
}

/** Compiles a pattern that must match the whole text, as Java's `String.matches` does. Throws `PatternError`. */
export function compilePattern(source: string): (text: string) => boolean {
  const program = assemble(new PatternParser(source).parse());
  return (text) => run(program, text);
}

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
const isWord: CharTest = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13);
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);
const classes: Readonly<Record<string, CharTest>> = {
  __proto__: null as never,
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};
const controls: Readonly<Record<string, number>> = { __proto__: null as never, t: 9, n: 10, r: 13, f: 12 };

class PatternParser {
  readonly #source: string;
  #at = 0;
  #ignoreCase = false;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    if (this.#take('(?i)')) this.#ignoreCase = true;
    const node = this.#either();
    if (this.#at < this.#source.length) throw new PatternError(this.#at, `unmatched "${this.#source[this.#at]}"`);
    return node;
  }

  #either(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      if (this.#take('\\Q')) parts.push(...this.#quoted());
      else parts.push(this.#quantified());
    }
    return { kind: 'sequence', parts };
  }

  #quoted(): Node[] {
    const end = this.#source.indexOf('\\E', this.#at);
    const text = this.#source.slice(this.#at, end === -1 ? undefined : end);
    this.#at += text.length + (end === -1 ? 0 : 2);
    return Array.from({ length: text.length }, (_, index) => this.#literal(text.charCodeAt(index)));
  }

  #quantified(): Node {
    let part = this.#atom();
    for (;;) {
      const start = this.#at;
      const bounds = this.#bounds();
      if (bounds === undefined) return part;
      part = { kind: 'repeat', part, min: bounds[0], max: bounds[1] };
      // Reluctant quantifiers accept the same texts when the whole text must match; possessive ones do not.
      if (!this.#take('?') && this.#source[this.#at] === '+') {
        throw new PatternError(start, 'possessive quantifiers are not supported');
      }
    }
  }

  #bounds(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    if (this.#source[this.#at] !== '{') return undefined;
    const match = /^\{(\d{1,4})(,(\d{1,4})?)?\}/.exec(this.#source.slice(this.#at));
    if (match === null) throw new PatternError(this.#at, 'a repetition is {n}, {n,} or {n,m}');
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Infinity : Number(match[3]);
    if (max < min) throw new PatternError(this.#at, `the repetition ${match[0]} ends before it starts`);
    this.#at += match[0].length;
    return [min, max];
  }

  #atom(): Node {
    const start = this.#at;
    const char = this.#source[this.#at++]!;
    if (char === '(') return this.#group(start);
    if (char === '[') return { kind: 'chars', test: this.#class(start) };
    if (char === '.') return { kind: 'chars', test: (code) => code !== 10 && code !== 13 };
    if (char === '^') return { kind: 'assert', at: 'start' };
    if (char === '$') return { kind: 'assert', at: 'end' };
    if (char === '\\') return this.#escape(start);
    if ('*+?{'.includes(char)) throw new PatternError(start, `"${char}" has nothing to repeat`);
    return this.#literal(char.charCodeAt(0));
  }

  #group(start: number): Node {
    if (this.#take('?') && !this.#take(':')) {
      throw new PatternError(start, 'only (?:...) and a leading (?i) are supported of the (?...) forms');
    }
    const node = this.#either();
    if (!this.#take(')')) throw new PatternError(start, '"(" is never closed');
    return node;
  }

  #escape(start: number): Node {
    const char = this.#source[this.#at++];
    if (char === undefined) throw new PatternError(start, 'the pattern ends in a lone backslash');
    const test = classes[char];
    if (test !== undefined) return { kind: 'chars', test };
    return this.#literal(this.#escaped(start, char));
  }

  #escaped(start: number, char: string): number {
    const control = controls[char];
    if (control !== undefined) return control;
    if (isWord(char.charCodeAt(0))) throw new PatternError(start, `"\\${char}" is not supported`);
    return char.charCodeAt(0);
  }

  #literal(code: number): Node {
    return { kind: 'chars', test: this.#fold((other) => other === code) };
  }

  #fold(test: CharTest): CharTest {
    if (!this.#ignoreCase) return test;
    return (code) => {
      if (code >= 65 && code <= 90) return test(code) || test(code + 32);
      if (code >= 97 && code <= 122) return test(code) || test(code - 32);
      return test(code);
    };
  }

  #class(start: number): CharTest {
    const negated = this.#take('^');
    const tests: CharTest[] = [];
    while (!this.#take(']')) {
      const from = this.#classMember(start);
      if (typeof from !== 'number') {
        tests.push(from);
      } else if (this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']') {
        this.#at++;
        const to = this.#classMember(start);
        if (typeof to !== 'number' || to < from) throw new PatternError(start, 'a range in "[" is out of order');
        tests.push((code) => code >= from && code <= to);
      } else {
        tests.push((code) => code === from);
      }
    }
    if (tests.length === 0) throw new PatternError(start, '"[]" matches nothing');
    const any = this.#fold((code) => tests.some((test) => test(code)));
    return negated ? not(any) : any;
  }

  #classMember(start: number): number | CharTest {
    const char = this.#source[this.#at++];
    if (char === undefined) throw new PatternError(start, '"[" is never closed');
    if (char === '[' || this.#source.startsWith('&&', this.#at - 1)) {
      throw new PatternError(this.#at - 1, 'nested and intersected classes are not supported');
    }
    if (char !== '\\') return char.charCodeAt(0);
    const escaped = this.#source[this.#at++];
    if (escaped === undefined) throw new PatternError(start, '"[" is never closed');
    return classes[escaped] ?? this.#escaped(this.#at - 2, escaped);
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}

function assemble(root: Node): readonly Instruction[] {
  const program: Instruction[] = [];
  const emit = (instruction: Instruction): number => {
    if (program.length >= maximumInstructions) throw new PatternError(0, 'the pattern is too large');
    return program.push(instruction) - 1;
  };
  const add = (node: Node): void => {
    switch (node.kind) {
      case 'chars':
        emit({ op: 'char', test: node.test });
        return;
      case 'assert':
        emit({ op: 'assert', at: node.at });
        return;
      case 'sequence':
        for (const part of node.parts) add(part);
        return;
      case 'either': {
        const to: number[] = [];
        emit({ op: 'split', to });
        const exits: number[][] = [];
        for (const part of node.parts) {
          to.push(program.length);
          add(part);
          const exit: number[] = [];
          emit({ op: 'split', to: exit });
          exits.push(exit);
        }
        for (const exit of exits) exit.push(program.length);
        return;
      }
      case 'repeat': {
        for (let count = 0; count < node.min; count++) add(node.part);
        if (node.max === Infinity) {
          const to: number[] = [];
          const loop = emit({ op: 'split', to });
          to.push(program.length);
          add(node.part);
          emit({ op: 'split', to: [loop] });
          to.push(program.length);
          return;
        }
        const skips: number[][] = [];
        for (let count = node.min; count < node.max; count++) {
          const to: number[] = [];
          emit({ op: 'split', to });
          to.push(program.length);
          add(node.part);
          skips.push(to);
        }
        for (const to of skips) to.push(program.length);
      }
    }
  };
  add(root);
  emit({ op: 'match' });
  return program;
}

function run(program: readonly Instruction[], text: string): boolean {
  let current = new Set<number>();
  reach(program, current, 0, 0, text.length);
  for (let at = 0; at < text.length && current.size > 0; at++) {
    const code = text.charCodeAt(at);
    const next = new Set<number>();
    for (const index of current) {
      const instruction = program[index]!;
      if (instruction.op === 'char' && instruction.test(code)) reach(program, next, index + 1, at + 1, text.length);
    }
    current = next;
  }
  return current.has(program.length - 1);
}

/** Adds everything that can be reached from `start` without reading a character. */
function reach(program: readonly Instruction[], states: Set<number>, start: number, at: number, end: number): void {
  const pending = [start];
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    if (states.has(index)) continue;
    states.add(index);
    const instruction = program[index]!;
    if (instruction.op === 'split') pending.push(...instruction.to);
    else if (instruction.op === 'assert' && at === (instruction.at === 'start' ? 0 : end)) pending.push(index + 1);
  }
}
