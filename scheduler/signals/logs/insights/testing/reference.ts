/**
 * A slow program that says what a query answers, by the meaning of its commands alone: a query is what it means (`Asked`), its text is made of
 * that, and rows are plain objects that are gone over again for each command. It shares no line of code with the one that is tested.
 */
export type Plain = Readonly<Record<string, string | number | boolean | Time | undefined>>;
/** A time is no number when it is shown. */
export interface Time {
  readonly time: number;
}
type Cell = Plain[string];

export interface Meaning {
  readonly text: string;
  readonly of: (row: Plain) => Cell;
}

/** A command: how it is written, and what it makes of rows, which stand in the order that they would be shown in. */
export interface Asked {
  readonly text: string;
  readonly apply: (rows: readonly Plain[]) => readonly Plain[];
  /** What is shown from here on, if that changes. */
  readonly shows?: (before: readonly string[]) => readonly string[];
}

const asNumber = (cell: Cell): number | undefined => {
  if (cell === undefined) return undefined;
  if (typeof cell === 'object') return cell.time;
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  if (typeof cell === 'number') return cell;
  return cell.trim() === cell && cell !== '' && !/[xobXOBI]/.test(cell) && !Number.isNaN(Number(cell))
    ? Number(cell)
    : undefined;
};

export const shown = (cell: Cell): string | undefined => {
  if (cell === undefined) return undefined;
  if (typeof cell === 'object') return new Date(cell.time).toISOString().slice(0, 23).split('T').join(' ');
  if (typeof cell === 'boolean') return cell ? '1' : '0';
  return `${cell}`;
};

const truth = (cell: Cell): boolean => {
  const number = asNumber(cell);
  return number === undefined ? cell !== undefined && cell !== '' && cell !== 'false' : number !== 0;
};

/** -1, 0, 1; undefined where one side is nothing. */
const sides = (one: Cell, other: Cell): number | undefined => {
  if (one === undefined || other === undefined) return undefined;
  const [a, b] = [asNumber(one), asNumber(other)];
  if (a !== undefined && b !== undefined) return Math.sign(a - b);
  const word = (cell: Cell, beside: Cell): string =>
    typeof cell === 'boolean' && typeof beside === 'string' ? `${cell}` : (shown(cell) as string);
  const [x, y] = [word(one, other), word(other, one)];
  return x === y ? 0 : x < y ? -1 : 1;
};

export const field = (name: string): Meaning => ({ text: name, of: (row) => row[name] });
export const literal = (value: string | number): Meaning => ({
  text: typeof value === 'number' ? `${value}` : `"${value.split('\\').join('\\\\').split('"').join('\\"')}"`,
  of: () => value,
});

const reckon = (sign: string, a: number, b: number): number => {
  if (sign === '+') return a + b;
  if (sign === '-') return a - b;
  if (sign === '*') return a * b;
  if (sign === '/') return a / b;
  return a % b;
};
export const arithmetic = (sign: string, one: Meaning, other: Meaning): Meaning => ({
  text: `(${one.text} ${sign} ${other.text})`,
  of: (row) => {
    const [a, b] = [asNumber(one.of(row)), asNumber(other.of(row))];
    const result = a === undefined || b === undefined ? Number.NaN : reckon(sign, a, b);
    return Number.isFinite(result) ? result : undefined;
  },
});

const allowed: Readonly<Record<string, readonly number[]>> = {
  '=': [0],
  '!=': [-1, 1],
  '<': [-1],
  '<=': [-1, 0],
  '>': [1],
  '>=': [0, 1],
};
export const comparison = (sign: string, one: Meaning, other: Meaning): Meaning => ({
  text: `${one.text} ${sign} ${other.text}`,
  of: (row) => {
    const result = sides(one.of(row), other.of(row));
    return result !== undefined && (allowed[sign] as readonly number[]).includes(result);
  },
});
export const like = (one: Meaning, part: string, isNegated: boolean): Meaning => ({
  text: `${one.text} ${isNegated ? 'not ' : ''}like "${part}"`,
  of: (row) => {
    const text = shown(one.of(row));
    return (text !== undefined && text.split(part).length > 1) !== isNegated;
  },
});
export const matching = (one: Meaning, source: string): Meaning => ({
  text: `${one.text} =~ /${source}/`,
  of: (row) => {
    const text = shown(one.of(row));
    return text !== undefined && new RegExp(source).test(text);
  },
});
export const among = (one: Meaning, of: readonly (string | number)[]): Meaning => ({
  text: `${one.text} in [${of.map((value) => literal(value).text).join(', ')}]`,
  of: (row) => {
    const cell = one.of(row);
    const number = asNumber(cell);
    return of.some((value) => {
      const other = asNumber(value);
      return number !== undefined || other !== undefined
        ? number === other
        : cell !== undefined && shown(cell) === value;
    });
  },
});
export const joined = (word: 'and' | 'or', all: readonly Meaning[]): Meaning => ({
  text: all.map(({ text }) => `(${text})`).join(` ${word} `),
  of: (row) => {
    const yes = all.filter((one) => truth(one.of(row))).length;
    return word === 'and' ? yes === all.length : yes > 0;
  },
});
export const negated = (one: Meaning): Meaning => ({ text: `not (${one.text})`, of: (row) => !truth(one.of(row)) });

/** By the order of `sort`, compared chunk by chunk. */
export function inOrder(one: Cell, other: Cell): number {
  if (one === undefined || other === undefined) return (one === undefined ? 0 : 1) - (other === undefined ? 0 : 1);
  const [a, b] = [asNumber(one), asNumber(other)];
  if (a !== undefined && b !== undefined) return Math.sign(a - b);
  if (a !== undefined || b !== undefined) return a === undefined ? -1 : 1;
  const chunks = (cell: Cell): readonly string[] => shown(cell)?.match(/\d+|\D/gu) ?? [];
  const [left, right] = [chunks(one), chunks(other)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [x, y] = [left[at] as string, right[at] as string];
    if (x === y) continue;
    if (/\d/.test(x) && /\d/.test(y) && x.length !== y.length) return Math.sign(x.length - y.length);
    return x < y ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

export const filter = (condition: Meaning): Asked => ({
  text: `filter ${condition.text}`,
  apply: (rows) => rows.filter((row) => truth(condition.of(row))),
});
export const fields = (meaning: Meaning, name: string): Asked => ({
  text: `fields ${meaning.text} as ${name}`,
  apply: (rows) => rows.map((row) => ({ ...row, [name]: meaning.of(row) })),
  shows: (before) => (before.includes(name) ? before : [...before, name]),
});
export const sort = (keys: readonly { readonly of: Meaning; readonly down: boolean }[]): Asked => ({
  text: `sort ${keys.map(({ of, down }) => `${of.text}${down ? ' desc' : ''}`).join(', ')}`,
  apply: (rows) =>
    [...rows].sort((one, other) => {
      for (const { of, down } of keys) {
        const result = inOrder(of.of(one), of.of(other)) * (down ? -1 : 1);
        if (result !== 0) return result;
      }
      return 0;
    }),
});
export const limit = (count: number): Asked => ({ text: `limit ${count}`, apply: (rows) => rows.slice(0, count) });
export const dedup = (names: readonly string[]): Asked => ({
  text: `dedup ${names.join(', ')}`,
  apply: (rows) =>
    rows.filter(
      (row, index) =>
        rows.findIndex((other) => names.every((name) => shown(row[name]) === shown(other[name]))) === index,
    ),
});
/** `*` is what lies between; found by trying every place. */
export const glob = (from: string, texts: readonly string[], names: readonly string[]): Asked => ({
  text: `parse ${from} "${texts.join('*')}" as ${names.join(', ')}`,
  apply: (rows) =>
    rows.map((row) => {
      const source = texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
      const body = source.map((text, at) => {
        if (at === source.length - 1) return text;
        return at === source.length - 2 && texts[at + 1] === '' ? `${text}([^]*)` : `${text}([^]*?)`;
      });
      const found = new RegExp(body.join('')).exec(shown(row[from]) ?? '\0');
      const isThere = row[from] !== undefined && found !== null;
      return { ...row, ...Object.fromEntries(names.map((name, at) => [name, isThere ? found[at + 1] : undefined])) };
    }),
  shows: (before) => [...before, ...names.filter((name) => !before.includes(name))],
});

const numbersOf = (rows: readonly Plain[], name: string): number[] =>
  rows.map((row) => asNumber(row[name])).filter((one) => one !== undefined);
const kinds: Readonly<Record<string, (rows: readonly Plain[], name: string) => Cell>> = {
  count: (rows, name) => rows.filter((row) => row[name] !== undefined).length,
  sum: (rows, name) => {
    const all = numbersOf(rows, name);
    return all.length === 0 ? undefined : all.reduce((sum, one) => sum + one, 0);
  },
  min: (rows, name) => extreme(rows, name, -1),
  max: (rows, name) => extreme(rows, name, 1),
  count_distinct: (rows, name) =>
    new Set(rows.filter((row) => row[name] !== undefined).map((row) => asNumber(row[name]) ?? shown(row[name]))).size,
  sortsFirst: (rows, name) => [...present(rows, name)].sort(inAnyOrder)[0],
  sortsLast: (rows, name) => [...present(rows, name)].sort(inAnyOrder).at(-1),
  earliest: (rows, name) => byTime(rows).find((row) => row[name] !== undefined)?.[name],
  latest: (rows, name) => byTime(rows).findLast((row) => row[name] !== undefined)?.[name],
};
/** What is the same number may be written in several ways. */
const inAnyOrder = (one: Cell, other: Cell): number =>
  inOrder(one, other) || (shown(one) === shown(other) ? 0 : `${shown(one)}` < `${shown(other)}` ? -1 : 1);
const present = (rows: readonly Plain[], name: string): Cell[] =>
  rows.map((row) => row[name]).filter((cell) => cell !== undefined);
const byTime = (rows: readonly Plain[]): Plain[] =>
  [...rows].sort((one, other) => Number(one['#']) - Number(other['#']));
function extreme(rows: readonly Plain[], name: string, sign: 1 | -1): Cell {
  const numbers = numbersOf(rows, name);
  if (numbers.length > 0) {
    const best = sign === 1 ? Math.max(...numbers) : Math.min(...numbers);
    // A time is one still.
    return present(rows, name).find((cell) => typeof cell === 'object' && cell.time === best) ?? best;
  }
  return [...present(rows, name)].sort((one, other) => sign * inOrder(other, one))[0];
}
const percentile = (rows: readonly Plain[], name: string, percent: number): Cell => {
  const all = numbersOf(rows, name).sort((one, other) => one - other);
  return all.find((one) => all.filter((other) => other <= one).length * 100 >= percent * all.length);
};

/** One function of `stats`. */
export interface Counted {
  readonly text: string;
  readonly of: (rows: readonly Plain[]) => Cell;
}
export const countAll: Counted = { text: 'count(*)', of: (rows) => rows.length };
export const counted = (kind: string, name: string): Counted => ({
  text: `${kind}(${name})`,
  of: (rows) => (kinds[kind] as (typeof kinds)[string])(rows, name),
});
export const ranked = (name: string, percent: number): Counted => ({
  text: `pct(${name}, ${percent})`,
  of: (rows) => percentile(rows, name, percent),
});

/** `by` names fields; a period in milliseconds makes it `bin(…)` of the time. */
export const stats = (functions: readonly Counted[], by: readonly string[], period: number | undefined): Asked => {
  const names = functions.map((_, index) => `s${index}`);
  const written = functions.map(({ text }, index) => `${text} as s${index}`).join(', ');
  const groups = [...by, ...(period === undefined ? [] : [`bin(${period}ms) as bin`])];
  const keys = [...by, ...(period === undefined ? [] : ['bin'])];
  return {
    text: `stats ${written}${groups.length === 0 ? '' : ` by ${groups.join(', ')}`}`,
    apply: (rows) => {
      const found = new Map<string, Plain[]>();
      for (const row of rows) {
        const time = row['@timestamp'] as Time | undefined;
        const withBin =
          period === undefined ? row : { ...row, bin: { time: Math.floor(time!.time / period) * period } };
        const key = JSON.stringify(keys.map((name) => shown((withBin as Plain)[name]) ?? null));
        found.set(key, [...(found.get(key) ?? []), withBin]);
      }
      const lines = [...found.values()].map((group): Plain => ({
        ...Object.fromEntries(keys.map((name) => [name, group[0]?.[name]])),
        ...Object.fromEntries(functions.map(({ of }, index) => [`s${index}`, of(group)])),
      }));
      return lines.sort((one, other) => {
        for (const name of keys) {
          const result = inAnyOrder(one[name], other[name]) * (typeof one[name] === 'object' ? -1 : 1);
          if (result !== 0) return result;
        }
        return 0;
      });
    },
    shows: () => [...keys, ...names],
  };
};
