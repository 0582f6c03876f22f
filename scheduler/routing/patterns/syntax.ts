/** What is wrong with a pattern, as a sentence for whoever wrote it. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** A set of bytes, as 256 flags. */
export type ByteSet = Uint8Array;

export type Node =
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'start' | 'end' };

/** The most repetitions that a counted one may ask for. */
const mostRepetitions = 250;
/** How deep groups may lie in each other. */
const deepest = 50;

const shorthands: Readonly<Record<string, (byte: number) => boolean>> = {
  d: (byte) => byte >= 48 && byte <= 57,
  w: (byte) => (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 95,
  s: (byte) => byte === 32 || (byte >= 9 && byte <= 13),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/**
 * Parses a regular expression of the subset that automata decide: literals, `.`, classes, `\d \w \s` and their opposites, groups,
 * choices, repetitions (the lazy ones mean the same here) and the anchors `^` and `$`. `source` holds bytes, one a character.
 * @throws PatternError for what is not of that kind: look-around, back-references, possessive repetitions, `\b`, `\p{}`, flags.
 */
export function parsePattern(source: string, options: { readonly ignoreCase: boolean }): Node {
  let at = 0;
  let depth = 0;
  const fail = (message: string): never => {
    throw new PatternError(`${message} (at character ${at + 1} of ${JSON.stringify(source)})`);
  };
  const take = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };

  function choice(): Node {
    const of = [sequence()];
    while (take('|')) of.push(sequence());
    return of.length === 1 ? of[0]! : { kind: 'choice', of };
  }

  function sequence(): Node {
    const of: Node[] = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') of.push(repetition(atom()));
    return { kind: 'sequence', of };
  }

  function repetition(node: Node): Node {
    const bounds = quantifier();
    if (bounds === undefined) return node;
    if (node.kind === 'start' || node.kind === 'end') fail('an anchor cannot be repeated');
    take('?');
    if (source[at] === '+') fail('possessive repetitions are not supported');
    if (source[at] === '*' || source[at] === '?' || counted() !== undefined) fail('nothing to repeat');
    return { kind: 'repeat', of: node, ...bounds };
  }

  function counted(): RegExpExecArray | undefined {
    const found = /\{(\d{1,6})(?:(,)(\d{0,6}))?\}/y;
    found.lastIndex = at;
    return found.exec(source) ?? undefined;
  }

  function quantifier(): { min: number; max: number } | undefined {
    if (take('*')) return { min: 0, max: Infinity };
    if (take('+')) return { min: 1, max: Infinity };
    if (take('?')) return { min: 0, max: 1 };
    const count = counted();
    if (count === undefined) return undefined;
    const min = Number(count[1]);
    const max = count[2] === undefined ? min : count[3] === '' ? Infinity : Number(count[3]);
    if (max < min) fail('the numbers of the repetition are in the wrong order');
    if (min > mostRepetitions || (max !== Infinity && max > mostRepetitions))
      fail(`repetitions go up to ${mostRepetitions}`);
    at += count[0].length;
    return { min, max };
  }

  function atom(): Node {
    const char = source[at]!;
    if (char === '(') return group();
    if (char === '[') return { kind: 'bytes', set: folded(characterClass()) };
    if (char === '*' || char === '+' || char === '?' || counted() !== undefined) fail('nothing to repeat');
    at++;
    if (char === '^') return { kind: 'start' };
    if (char === '$') return { kind: 'end' };
    if (char === '.') return { kind: 'bytes', set: setOf((byte) => byte !== 10 && byte !== 13) };
    if (char === '\\') return { kind: 'bytes', set: folded(escape()) };
    return { kind: 'bytes', set: folded(setOf((byte) => byte === char.charCodeAt(0))) };
  }

  function group(): Node {
    at++;
    if (source[at] === '?' && !take('?:'))
      fail('look-around, named groups and flags are not supported: use ( ) or (?: )');
    if (++depth > deepest) fail(`groups lie more than ${deepest} deep in each other`);
    const inner = choice();
    depth--;
    if (!take(')')) fail('a group is not closed');
    return inner;
  }

  /** After the backslash: what it stands for, in a class or outside. */
  function escape(): ByteSet {
    const char = source[at] ?? fail('the backslash at the end stands for nothing');
    at++;
    const shorthand = shorthands[char.toLowerCase()];
    if (shorthand !== undefined) return setOf((byte) => shorthand(byte) === (char === char.toLowerCase()));
    const control = controls[char];
    if (control !== undefined) return setOf((byte) => byte === control);
    if (char === 'x') {
      const digits = /^[0-9a-fA-F]{2}/.exec(source.slice(at, at + 2)) ?? fail('\\x needs two hexadecimal digits');
      at += 2;
      return setOf((byte) => byte === Number.parseInt(digits[0], 16));
    }
    if (/[0-9A-Za-z]/.test(char)) fail(`\\${char} is not supported`);
    return setOf((byte) => byte === char.charCodeAt(0));
  }

  function characterClass(): ByteSet {
    at++;
    const negated = take('^');
    const set = setOf(() => false);
    let first = true;
    while (first || source[at] !== ']') {
      if (at >= source.length) fail('a class is not closed');
      if (source.startsWith('[:', at)) fail('named classes are not supported');
      first = false;
      const low = member();
      if (source[at] === '-' && source[at + 1] !== ']' && at + 1 < source.length) {
        at++;
        const high = member();
        const [from, to] = [only(low), only(high)];
        if (from === undefined || to === undefined || from > to) fail('the range of the class is not one');
        for (let byte = from!; byte <= to!; byte++) set[byte] = 1;
      } else {
        for (let byte = 0; byte < 256; byte++) set[byte] ||= low[byte]!;
      }
    }
    at++;
    const both = folded(set);
    return negated ? setOf((byte) => both[byte] === 0) : both;
  }

  function member(): ByteSet {
    if (take('\\')) return escape();
    const char = source[at] ?? fail('a class is not closed');
    at++;
    return setOf((byte) => byte === char.charCodeAt(0));
  }

  function folded(set: ByteSet): ByteSet {
    if (!options.ignoreCase) return set;
    const isLetter = (byte: number): boolean => shorthands['w']!(byte) && byte >= 65 && byte !== 95;
    return setOf((byte) => set[byte] === 1 || (isLetter(byte) && set[byte ^ 32] === 1));
  }

  const root = choice();
  if (at < source.length) fail('a ) closes no group');
  return root;
}

function setOf(test: (byte: number) => boolean): ByteSet {
  return Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0));
}

/** The only byte of a set; undefined where there are none or several. */
function only(set: ByteSet): number | undefined {
  const byte = set.indexOf(1);
  return byte !== -1 && set.indexOf(1, byte + 1) === -1 ? byte : undefined;
}
