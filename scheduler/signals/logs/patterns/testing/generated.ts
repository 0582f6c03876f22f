import * as fc from 'fast-check';

/**
 * Filter patterns by what they mean, with their text and lines that they are about; and a slow program that says by the meaning alone
 * which lines match. It shares no line of code with the one that is tested.
 */
export interface Generated {
  readonly text: string;
  readonly line: string;
  readonly expected: boolean;
}

const word = fc.constantFrom('a', 'b', 'ab', 'ba', 'aab', 'ERROR', 'err', '40', '404');
const phrase = fc.constantFrom('a b', '"', 'a"b', '\\', '[ERR', '', 'b  a', '{x}', '-', '?a');
const number = fc.constantFrom(0, 1, -1, 2.5, 40, 404, 1e3);

/** A regular expression of the little that all engines read alike; JavaScript's says what it matches. */
const regex = fc
  .array(
    fc.tuple(
      fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '\\s', '4', '0', '\\x62', '\\.'),
      fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{0,2}', '{2,}'),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((atoms) => atoms.map((atom) => atom.join('')).join(''));
const anchored = fc
  .array(fc.tuple(fc.constantFrom('', '', '^'), regex, fc.constantFrom('', '', '$')), { minLength: 1, maxLength: 3 })
  .map((branches) => branches.map((branch) => branch.join('')).join('|'));
const regexMatches = (source: string, text: string): boolean => new RegExp(source, 's').test(text);

interface Find {
  readonly text: string;
  readonly isIn: (line: string) => boolean;
}
const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
const simpleFind = fc.oneof(
  word.map((text): Find => ({ text, isIn: (line) => line.split(text).length > 1 })),
  phrase.map((text): Find => ({ text: quoted(text), isIn: (line) => text === '' || line.split(text).length > 1 })),
);
const regexFind = anchored.map((source): Find => ({ text: `%${source}%`, isIn: (line) => regexMatches(source, line) }));

const space = fc.constantFrom(' ', '  ', '\t');
const line = fc
  .array(fc.oneof(word, phrase, fc.constantFrom(' ', ' ', 'aaaa', 'bbab', '.', 'x4', '\n')), { maxLength: 8 })
  .map((parts) => parts.join(''));

/** Terms. */
export const textCase: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('', '', '-', '?', '?'), simpleFind), { maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom('', '-', '?'), regexFind), { maxLength: 1 }),
    space,
    line,
  )
  .map(([simple, regexes, gap, given]) => {
    const terms = [...simple, ...regexes];
    const isOptional = terms.length > 0 && terms.every(([sign]) => sign === '?');
    let expected = true;
    if (isOptional) expected = terms.filter(([, find]) => find.isIn(given)).length > 0;
    else
      for (const [sign, find] of terms) {
        if (sign === '' && !find.isIn(given)) expected = false;
        if (sign === '-' && find.isIn(given)) expected = false;
      }
    return { text: terms.map(([sign, find]) => sign + find.text).join(gap), line: given, expected };
  });

/** A comparison: its text, and whether it holds for a text; numbers are compared with what is written as one. */
interface Compare {
  readonly text: string;
  readonly holds: (value: string) => boolean;
}
const wildcard = fc
  .array(fc.constantFrom('a', 'b', '*', '4', '0'), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join(''));
/** Whether a text is like one with wildcards, tried in every way. */
const isLike = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) return isLike(pattern.slice(1), text) || (text !== '' && isLike(pattern, text.slice(1)));
  return text.startsWith(pattern.charAt(0)) && isLike(pattern.slice(1), text.slice(1));
};
const isNumber = (text: string): boolean =>
  text.trim() === text && text !== '' && Number.isFinite(Number(text)) && !/^[+-]?0[xbo]/i.test(text);
const gap = fc.constantFrom('', ' ');
const plainCompare = fc.oneof(
  fc
    .tuple(fc.constantFrom('=', '!=', '<', '>', '<=', '>='), number, gap)
    .map(([operator, value, between]): Compare => ({
      text: operator + between + String(value),
      holds: (given) => {
        const other = isNumber(given) ? Number(given) : undefined;
        const order = other === undefined ? undefined : Math.sign(other - value);
        if (order === undefined) return operator === '!=';
        return ({ '=': [0], '!=': [-1, 1], '<': [-1], '>': [1], '<=': [-1, 0], '>=': [0, 1] }[operator] ?? []).includes(
          order,
        );
      },
    })),
  fc
    .tuple(fc.constantFrom('=', '!='), wildcard, gap, fc.boolean())
    .filter(([, value, , isQuoted]) => isQuoted || !isNumber(value))
    .map(([operator, value, between, isQuoted]): Compare => ({
      text: operator + between + (isQuoted ? quoted(value) : value),
      holds: (given) => isLike(value, given) === (operator === '='),
    })),
);
const regexCompare = fc.tuple(fc.constantFrom('=', '!='), anchored).map(([operator, source]): Compare => ({
  text: `${operator}%${source}%`,
  holds: (given) => regexMatches(source, given) === (operator === '='),
}));

const field = fc.constantFrom('a', 'b', 'ab', '4', '40', '404', '-1', '2.5', '4a', '1e3', 'aab', 'x');

/** Columns: which fields a line has is known, as it is made of them. */
export const columnsCase: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.array(fc.option(fc.array(fc.tuple(fc.constantFrom('&&', '||'), plainCompare), { minLength: 1, maxLength: 3 })), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.option(regexCompare),
    fc.option(fc.nat(4)),
    fc.array(fc.tuple(field, fc.constantFrom(['', ''], ['[', ']'], ['"', '"'])), { maxLength: 6 }),
    fc.array(space, { minLength: 6, maxLength: 6 }),
  )
  .map(([columns, regexed, ellipsis, fields, gaps]) => {
    const named = columns.map((comparisons, index) => ({ name: `c${index}`, comparisons: comparisons ?? [] }));
    if (regexed !== null) named.push({ name: 'last', comparisons: [['&&', regexed]] });
    const at = ellipsis === null ? undefined : Math.min(ellipsis, named.length);
    const written = named.map(
      ({ name, comparisons }) =>
        comparisons.map(([joint, { text }], index) => `${index === 0 ? '' : ` ${joint} `}${name} ${text}`).join('') ||
        name,
    );
    if (at !== undefined) written.splice(at, 0, '...');
    const fits = at === undefined ? fields.length === named.length : fields.length >= named.length;
    const expected =
      fits &&
      named.every(({ comparisons }, index) => {
        const place = at === undefined || index < at ? index : fields.length - (named.length - index);
        const [value] = fields[place] as (typeof fields)[number];
        return anyGroup(comparisons.map(([joint, one]) => [joint, one.holds(value)] as const));
      });
    const text = fields.map(([value, [open, close]], index) => `${open}${value}${close}${gaps[index]}`).join('');
    return { text: `[${written.join(', ')}]`, line: text, expected };
  });

/** Of comparisons in a row: those joined by `&&` belong together, and one such group that holds is enough. */
function anyGroup(results: readonly (readonly [string, boolean])[]): boolean {
  if (results.length === 0) return true;
  const groups: boolean[][] = [];
  for (const [index, [joint, holds]] of results.entries()) {
    if (index === 0 || joint === '||') groups.push([]);
    groups.at(-1)?.push(holds);
  }
  return groups.some((group) => !group.includes(false));
}

const scalar = fc.oneof(field, number, fc.boolean(), fc.constant(null), word);
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'x y'), tie('value'), { maxKeys: 3 }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));
const root = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'x y'), json, { maxKeys: 4, noNullPrototype: true }),
  },
  { weight: 1, arbitrary: fc.array(json, { maxLength: 3 }) },
  { weight: 1, arbitrary: scalar },
);

/** A field: its text, and the values at it. */
interface Path {
  readonly text: string;
  readonly isWild: boolean;
  readonly values: (root: unknown) => unknown[];
}
const step = fc.constantFrom('.a', '.b', '.c', ".['x y']", '[0]', '[1]');
const path = fc
  .tuple(fc.array(step, { maxLength: 3 }), fc.option(fc.constantFrom('.*', '[*]')), fc.array(step, { maxLength: 1 }))
  .filter(([before, wild, after]) => before.length + (wild === null ? 0 : 1) + after.length > 0)
  .map(([before, wild, after]): Path => {
    const steps = [...before, ...(wild === null ? [] : [wild]), ...after];
    const walk = (value: unknown, rest: readonly string[]): unknown[] => {
      const [first, ...others] = rest;
      if (first === undefined) return [value];
      if (typeof value !== 'object' || value === null) return [];
      const isList = Array.isArray(value);
      const next: unknown[] = [];
      for (const [key, inner] of Object.entries(value)) {
        if (
          isList
            ? first === '[*]' || first === `[${key}]`
            : first === '.*' || first === `.${key}` || first === `.['${key}']`
        )
          next.push(inner);
      }
      return next.flatMap((inner) => walk(inner, others));
    };
    return { text: `$${steps.join('')}`, isWild: wild !== null, values: (given) => walk(given, steps) };
  });

interface Ask {
  readonly text: string;
  readonly wildcards: number;
  readonly regexes: number;
  readonly isTrue: (root: unknown) => boolean;
}
const asked = (at: Path, text: string, isTrue: (values: unknown[]) => boolean, regexes = 0): Ask => ({
  text: `${at.text} ${text}`,
  wildcards: at.isWild ? 1 : 0,
  regexes,
  isTrue: (given) => isTrue(at.values(given)),
});
const compared = (values: unknown[], { holds }: Compare): boolean =>
  values.filter((value) => value !== null && typeof value !== 'object').some((value) => holds(String(value)));
const leaf: fc.Arbitrary<Ask> = fc.oneof(
  fc.tuple(path, plainCompare).map(([at, one]) => asked(at, one.text, (values) => compared(values, one))),
  fc.tuple(path, regexCompare).map(([at, one]) => asked(at, one.text, (values) => compared(values, one), 1)),
  fc
    .tuple(path, fc.constantFrom(['NULL', null], ['TRUE', true], ['FALSE', false]))
    .map(([at, [name, value]]) => asked(at, `IS ${name}`, (values) => values.some((one) => one === value))),
  path.map((at) => asked(at, 'NOT EXISTS', (values) => values.length === 0)),
);
const { ask } = fc.letrec<{ ask: Ask }>((tie) => ({
  ask: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom('&&', '||'), fc.array(tie('ask'), { minLength: 2, maxLength: 3 }), gap)
      .map(([joint, of, between]) => ({
        // Each in parentheses: what belongs to what is then beyond doubt.
        text: of.map(({ text }) => `(${text})`).join(between + joint + between),
        wildcards: of.reduce((sum, { wildcards }) => sum + wildcards, 0),
        regexes: of.reduce((sum, { regexes }) => sum + regexes, 0),
        isTrue: (given: unknown) =>
          joint === '&&' ? of.every((one) => one.isTrue(given)) : of.some((one) => one.isTrue(given)),
      })),
  ),
}));
/** Leaves in a row without parentheses: `&&` binds closer. */
const row: fc.Arbitrary<Ask> = fc
  .array(fc.tuple(fc.constantFrom('&&', '||'), leaf), { minLength: 1, maxLength: 4 })
  .map((parts) => ({
    text: parts.map(([joint, { text }], index) => (index === 0 ? text : ` ${joint} ${text}`)).join(''),
    wildcards: parts.reduce((sum, [, { wildcards }]) => sum + wildcards, 0),
    regexes: parts.reduce((sum, [, { regexes }]) => sum + regexes, 0),
    isTrue: (given) => anyGroup(parts.map(([joint, one]) => [joint, one.isTrue(given)] as const)),
  }));

/** Fields of JSON. */
export const jsonCase: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.oneof(ask, row).filter(({ wildcards, regexes }) => wildcards <= 3 && regexes <= 2),
    root,
    fc.constantFrom('', '', '', ' x'),
  )
  .map(([{ text, isTrue }, given, tail]) => ({
    text: `{${text}}`,
    line: JSON.stringify(given) + tail,
    expected: tail === '' && typeof given === 'object' && given !== null && isTrue(given),
  }))
  .filter(({ text }) => text.length <= 1024);
