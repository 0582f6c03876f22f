import * as fc from 'fast-check';

import type { FoundEvent } from '../row.ts';

import { eventsOf } from './answer.ts';
import {
  among,
  arithmetic,
  type Asked,
  comparison,
  countAll,
  counted,
  dedup,
  field,
  fields,
  filter,
  glob,
  joined,
  like,
  limit,
  literal,
  matching,
  type Meaning,
  negated,
  type Plain,
  ranked,
  shown,
  sort,
  stats,
} from './reference.ts';

/** A query over events, and what it answers. */
export interface Generated {
  readonly query: string;
  readonly events: readonly FoundEvent[];
  readonly expected: readonly Readonly<Record<string, string>>[];
}

const names = ['a', 'b', 'c', 'd'] as const;
const name = fc.constantFrom<string>(...names);
const scalar = fc.oneof(
  fc.constantFrom('a', 'b', 'ab', 'x1', 'x10', 'x9', '', '7', '07', '1e1', 'true', 'GET /a', 'user=u, ms=5'),
  fc.constantFrom(0, 1, 2, 7, 10, 2.5, -3),
  fc.boolean(),
);
const message = fc.oneof(
  { weight: 6, arbitrary: fc.dictionary(name, scalar, { maxKeys: 4, noNullPrototype: true }) },
  { weight: 1, arbitrary: fc.constantFrom('plain', 'user=v, ms=12', '{"a":', '') },
);

/** What the reference sees of an event. Numbers of events grow as times do. */
const plainOf = (event: FoundEvent, index: number): Plain => {
  let json: Record<string, string | number | boolean> = {};
  try {
    json = JSON.parse(event.message) as typeof json;
  } catch {
    // A line that is no JSON has no fields of its own.
  }
  return {
    ...json,
    '#': index,
    '@timestamp': { time: event.timestamp },
    '@message': event.message,
    '@logStream': event.stream,
  };
};

/** Expressions of fields. After `stats` there are others than before. */
const operandOf = (known: readonly string[]): fc.Arbitrary<Meaning> => {
  const one = fc.oneof(
    fc.constantFrom(...known).map(field),
    fc.oneof(fc.constantFrom('a', 'ab', '7'), fc.nat(10)).map(literal),
  );
  return fc.oneof(
    { weight: 3, arbitrary: one },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('+', '-', '*', '/', '%'), one, one).map((of) => arithmetic(...of)),
    },
  );
};
const conditionOf = (known: readonly string[]): fc.Arbitrary<Meaning> => {
  const operand = operandOf(known);
  const some = fc.constantFrom(...known).map(field);
  const leaf = fc.oneof(
    fc.tuple(fc.constantFrom('=', '!=', '<', '<=', '>', '>='), operand, operand).map((of) => comparison(...of)),
    fc.tuple(some, fc.constantFrom('a', '1', 'user', ' '), fc.boolean()).map((of) => like(...of)),
    fc.tuple(some, fc.constantFrom('^a', '[0-9]+$', 'x|b', 'a.*b', '^$')).map((of) => matching(...of)),
    fc
      .tuple(some, fc.array(fc.constantFrom('a', 'b', '7', 7, 1), { minLength: 1, maxLength: 3 }))
      .map((of) => among(...of)),
  );
  const { all } = fc.letrec<{ all: Meaning }>((tie) => ({
    all: fc.oneof(
      { maxDepth: 2 },
      leaf,
      fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('all'), { minLength: 2, maxLength: 3 }))
        .map((of) => joined(...of)),
      tie('all').map(negated),
    ),
  }));
  return all;
};

const functions = fc.array(
  fc.oneof(
    fc.constant(countAll),
    fc
      .tuple(
        fc.constantFrom(
          'count',
          'sum',
          'min',
          'max',
          'count_distinct',
          'sortsFirst',
          'sortsLast',
          'earliest',
          'latest',
        ),
        name,
      )
      .map((of) => counted(...of)),
    fc.tuple(name, fc.constantFrom(0, 50, 90, 100)).map((of) => ranked(...of)),
  ),
  { minLength: 1, maxLength: 3 },
);

const keysOf = (known: readonly string[]) =>
  fc.array(fc.record({ of: operandOf(known), down: fc.boolean() }), { minLength: 1, maxLength: 2 });
const commandOf = (known: readonly string[]): fc.Arbitrary<Asked> =>
  fc.oneof(
    conditionOf(known).map(filter),
    fc.tuple(operandOf(known), fc.constantFrom('e', 'a', 'f')).map((of) => fields(...of)),
    keysOf(known).map(sort),
    fc.integer({ min: 1, max: 6 }).map(limit),
    fc.subarray([...known], { minLength: 1, maxLength: Math.min(2, known.length) }).map(dedup),
  );
const parsing = fc.constantFrom(
  glob('@message', ['user=', ', ms=', ''], ['e', 'f']),
  glob('a', ['', '=', ','], ['b', 'f']),
  glob('@message', [':', ''], ['e']),
);

const before = ['a', 'b', 'c', 'd', '@message', '@logStream', '@timestamp'];
const grouped = fc
  .record({
    functions,
    by: fc.subarray(['a', 'b', '@logStream'], { maxLength: 2 }),
    period: fc.option(fc.constantFrom(1000, 3000)),
  })
  .chain(({ functions: of, by, period }) => {
    const known = [...by, ...(period === null ? [] : ['bin']), ...of.map((_, index) => `s${index}`)];
    return fc
      .array(
        commandOf(known).filter(({ text }) => !/ as [aef]$/.test(text)),
        { maxLength: 3 },
      )
      .map((after) => [stats(of, by, period ?? undefined), ...after]);
  });

/** Queries of all commands over a few events. */
export const queryCase: fc.Arbitrary<Generated> = fc
  .record({
    messages: fc.array(fc.tuple(message, fc.constantFrom('one', 'two')), { maxLength: 12 }),
    first: fc.array(fc.oneof({ weight: 6, arbitrary: commandOf(before) }, { weight: 1, arbitrary: parsing }), {
      maxLength: 4,
    }),
    second: fc.option(grouped),
    turned: fc.boolean(),
  })
  .map(({ messages, first, second, turned }) => {
    const events = eventsOf(
      messages.map(([text]) => text),
      messages.map(([, stream]) => stream),
    );
    // Fields that every event has are named first, so that the answer shows what the commands made of them.
    const asked = [...first, ...(second ?? [])];
    let rows: readonly Plain[] = events.map(plainOf).toReversed();
    let shows: readonly string[] = names;
    for (const one of asked) {
      rows = one.apply(rows);
      shows = one.shows?.(shows) ?? shows;
    }
    const expected = rows.map((row) =>
      Object.fromEntries(
        shows.flatMap((key) => {
          const text = shown(row[key]);
          return text === undefined ? [] : [[key, text] as const];
        }),
      ),
    );
    const query = [`fields ${names.join(', ')}`, ...asked.map(({ text }) => text)].join(' | ');
    return { query, events: turned ? events.toReversed() : events, expected };
  });
