import { expect, test } from 'vitest';

import { QueryError, QueryTooHeavy } from './errors.ts';
import { parseQuery } from './query.ts';
import { partsOf } from './regexes.ts';
import { answer, eventsOf, noon } from './testing/answer.ts';

/** Queries that cannot be read: at which character, the first is 1, and what is said. */
const refused: readonly (readonly [query: string, at: number, words: string])[] = [
  ['fields', 7, 'the end of the query stands where a field'],
  ['fields a,', 10, 'the end of the query stands where a field'],
  ['fields a b', 10, "'b' stands after a command. The next one begins with |."],
  ['fields a |', 11, 'the end of the query stands where a command must: fields, filter'],
  ['| fields a', 1, "'|' stands where a command must"],
  ['select a', 1, "'select' stands where a command must"],
  ['`fields` a', 1, 'stands where a command must'],
  ['fields a-', 10, 'the end of the query'],
  ['fields é', 8, "'é' is no part of a query. Names with other characters"],
  ['fields a as', 12, 'where the name of a field must'],
  ['fields a as 5', 13, 'where the name of a field must'],
  ['fields a.', 10, 'a name ends in a point'],
  ['fields `a', 8, 'the name is never closed. Add a `'],
  ['fields ``', 8, 'there is no name between the backquotes'],
  ['filter a = "x', 12, 'the text is never closed. Add a "'],
  ['filter a == 1', 11, "'=' stands where a field"],
  ['filter a not 1', 14, 'where like or in must'],
  ['filter a like b', 15, 'where "text" or /regular expression/ must'],
  ['filter a like /b', 15, 'the regular expression is never closed'],
  ['filter a like //', 15, 'the regular expression is empty'],
  ['filter a like /(b/', 15, 'the regular expression is none: missing closing )'],
  ['filter a like /(?=b)/', 15, "The syntax is RE2's"],
  ['filter a like /(b)\\1/', 15, 'the regular expression is none'],
  ['filter a in "b"', 13, 'where [ must. Write what it may be as ["a", "b"].'],
  ['filter a in [b]', 14, 'only texts and numbers can stand in this list'],
  ['filter a in ["b"', 17, 'where ] must'],
  ['filter (a = 1', 14, 'where ) must. The parenthesis is never closed.'],
  ['filter nope(a)', 8, 'there is no function nope. There are abs, ceil'],
  ['filter count(*) > 1', 14, "'*' stands where a field"],
  ['filter sum(a) > 1', 8, 'sum is a function of stats'],
  ['fields abs(a, b)', 8, 'abs is written abs(number).'],
  ['fields substr(a)', 8, 'substr is written substr(text, from, length).'],
  ['fields 5m', 8, "'5m' is no number. Periods of time are for bin"],
  ['fields 1e999', 8, 'is no number'],
  ['fields bin()', 12, "')' stands where a field"],
  ['fields bin(5)', 12, 'a period is a whole number of ms, s, m'],
  ['fields bin(0m)', 12, 'a period is a whole number'],
  ['fields bin(5 parsecs)', 12, 'a period is a whole number'],
  ['fields bin(a)', 13, 'bin needs a period'],
  ['fields datefloor(5m)', 18, 'datefloor needs a time and a period'],
  ['parse', 6, 'where the field to parse must'],
  ['parse a', 8, 'where "a pattern with *" or /a regular expression/ must'],
  ['parse a "b" as c', 9, 'the pattern has no *'],
  ['parse a "b*"', 9, 'takes 1 fields out, and 0 have names'],
  ['parse a "*b*" as c', 9, 'takes 2 fields out, and 1 have names'],
  ['parse a /b/', 9, 'the regular expression has no groups'],
  ['stats', 6, 'the end of the query'],
  ['stats a', 7, "'a' stands where a function of stats must, as in count(*) or avg(a)."],
  ['stats avg(a) by', 16, 'the end of the query'],
  ['stats avg()', 7, 'avg needs a field: avg(field).'],
  ['stats avg(a, b)', 7, 'avg takes one field'],
  ['stats pct(a)', 7, 'pct takes a field and a percentage from 0 to 100'],
  ['stats pct(a, b)', 7, 'pct takes a field and a percentage'],
  ['stats pct(a, 101)', 7, 'pct takes a field and a percentage'],
  ['stats count(a, b)', 7, 'count takes one field, or *.'],
  ['stats sum(count(a))', 11, 'count is a function of stats'],
  ['stats count(*) by a | filter b = 1', 30, "there is no 'b' any more: after stats there are a, count(*)."],
  ['stats count(*) by a | stats latest(a)', 29, 'latest is about the times of events'],
  ['stats count(*) by a | fields bin(5m)', 37, 'after stats there is no @timestamp any more'],
  ['stats count(*) | stats count(*) | stats count(*)', 41, 'a query has 2 stats at most'],
  ['limit', 6, 'limit takes a whole number from 1 to 10000'],
  ['limit 0', 7, 'limit takes a whole number'],
  ['limit 10001', 7, 'limit takes a whole number'],
  ['limit 1.5', 7, 'limit takes a whole number'],
  ['limit 5m', 7, 'limit takes a whole number'],
  ['sort', 5, 'the end of the query'],
  ['pattern @message', 1, 'the command pattern is not supported by this installation. Use stats count(*)'],
  ['unnest a into b', 1, 'the command unnest is not supported by this installation'],
  ['fields a | diff', 12, 'the command diff is not supported'],
];

test.each(refused)('%s is wrong at character %i', (query, at, words) => {
  const error = errorOf(query);
  expect(error).toBeInstanceOf(QueryError);
  expect(error?.message).toContain(`Invalid query at character ${at}: `);
  expect(error?.message).toContain(words);
  const { start, end } = error as QueryError;
  expect([start, end >= start, end <= query.length]).toEqual([at - 1, true, true]);
});

function errorOf(query: string): Error | undefined {
  try {
    parseQuery(query, noon);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

test('what is too deep, too long or too many is refused as it is read', () => {
  const deep = (open: string, close: string, times: number) => `filter ${open.repeat(times)}1${close.repeat(times)}`;
  expect(errorOf(deep('(', ')', 40))).toBeUndefined();
  expect(errorOf(deep('(', ')', 4000))?.message).toContain('more than 50 deep');
  expect(errorOf(deep('abs(', ')', 2000))?.message).toContain('more than 50 deep');
  // Rows of operators are no depth, however long they are.
  expect(errorOf(deep('not ', '', 2400))).toBeUndefined();
  expect(errorOf(deep('- ', '', 4900))).toBeUndefined();
  expect(errorOf(`filter ${'a + '.repeat(2400)}1 > 0`)).toBeUndefined();
  expect(errorOf(`filter ${'a and '.repeat(1600)}a`)).toBeUndefined();
  expect(errorOf(`filter a like /${'(a{1,100}){1,10}'.repeat(9)}/`)?.message).toMatch(/too (?:long|large)/);
  expect(errorOf(`filter ${'a like /[a-z]{90}/ or '.repeat(100)}b`)?.message).toContain('2000 steps at most');
  expect(errorOf(`fields ${'a,'.repeat(100)}a`)?.message).toContain('fields names 100 things at most');
  expect(errorOf(`stats ${'count(*) + '.repeat(100)}count(*)`)?.message).toContain('stats has 100 functions at most');
});

test('expressions that would go over one line again and again end the query', async () => {
  const line = 'x'.repeat(1024 * 1024);
  const doubled = `fields ${Array.from({ length: 90 }, (_, n) => `concat(@message, @message) as a${n}`).join(', ')}`;
  await expect(answer(doubled, eventsOf([line]))).rejects.toThrow(QueryTooHeavy);
  // What a function makes is no longer than a line can be.
  const [row = {}] = await answer(
    'fields strlen(replace(@message, "x", "yyyyyyyyyy")) as n, strlen(concat(@message, "y")) as m',
    eventsOf([line]),
  );
  expect(row).toEqual({ n: String(1024 * 1024), m: String(1024 * 1024) });
});

test('looking for long texts in long texts ends the query, and so do very many groups of an expression', async () => {
  const a = 'a'.repeat(120_000);
  const event = { x: a.repeat(4), part: `${a}b${a}`, trimmed: `${'b'.repeat(400_000)}a` };
  const groups = `${'(a?)'.repeat(400)}(?<found>b)`;
  for (const query of [
    'filter strcontains(x, part)',
    'fields replace(x, part, "") as y',
    `filter @message like "${'a'.repeat(4900)}b${'a'.repeat(4900)}"`,
    `parse "${'a'.repeat(4900)}b${'a'.repeat(4900)}*" as y`,
    `parse x /${groups}/`,
  ])
    await expect(answer(query, eventsOf([event])), query.slice(0, 50)).rejects.toThrow(QueryTooHeavy);
  expect(await answer('fields trim(x, trimmed) as y', eventsOf([event]))).toEqual([{ y: '' }]);
});

test.each([
  ['abc', 3],
  ['a{3}b', 4],
  ['(ab){2,5}', 15],
  ['((a{10}){10}){10}', 1110],
  ['[^]{9}a-z[:digit:]]{7}', 7],
  [String.raw`\d{2}\{\x{1000}\p{Greek}`, 5],
  [String.raw`\Q[(\Ea{9}`, 14],
  ['{"level": 5}', 10],
  ['(a', 1],
])('%s has about %i parts, which are counted before it is compiled', (source, parts) => {
  expect(partsOf(source)).toBe(parts);
});

test('an expression that would be a million steps long is not compiled', () => {
  expect(errorOf(`filter a like /(?:${'ab'.repeat(600)}){1000}/`)?.message).toContain('2000 steps at most');
  expect(errorOf(String.raw`filter a like /\Q[\E(?:abcdefgh){1000}(?:abcdefgh){1000}\Q]\E/`)?.message).toContain(
    '2000 steps at most',
  );
});

test('the texts that stats keeps are counted, and let go of when others take their place', () => {
  const [event] = eventsOf(['']);
  const long = 'x'.repeat(60_000);
  const add = (query: string) => {
    const run = parseQuery(query, noon).run();
    for (let n = 0; n < 2000; n++)
      run.add({ ...event!, id: String(n).padStart(56, '0'), pointer: String(n), message: `${n}${long}` });
  };
  for (const of of ['latest', 'earliest', 'min', 'max', 'sortsFirst', 'sortsLast'])
    expect(() => add(`stats ${of}(@message) by @ptr`), of).toThrow(QueryTooHeavy);
  expect(() => add('stats latest(jsonParse(concat("[\\"", @message, "\\"]"))) by @ptr')).toThrow(QueryTooHeavy);
  add('stats latest(@message)');
});

test('an answer is as large as one can be kept and sent, with the names of its fields', async () => {
  const events = eventsOf(Array.from({ length: 3000 }, () => ''));
  const named = await answer(`fields 1 as \`${'n'.repeat(8000)}\``, events);
  expect(named.length).toBeGreaterThan(500);
  expect(named.length).toBeLessThan(1100);
  const line = 'x'.repeat(1024 * 1024);
  const copies = Array.from({ length: 20 }, (_, n) => `@message as a${n}`).join(', ');
  await expect(answer(`fields ${copies}`, eventsOf([line]))).rejects.toThrow(QueryTooHeavy);
});

test('rows with several objects are all kept where there is room', async () => {
  const inner = JSON.stringify({ k: 'v'.repeat(1000) });
  const events = eventsOf(Array.from({ length: 100 }, (_, n) => ({ n, inner })));
  const parsed = Array.from({ length: 6 }, (_, n) => `jsonParse(inner) as a${n}`).join(', ');
  expect(await answer(`fields ${parsed} | dedup n | display n`, events)).toHaveLength(100);
});

test('too many different values end the query', async () => {
  const run = parseQuery('stats count(*) by @message', noon).run();
  const events = eventsOf(Array.from({ length: 100 }, () => ''));
  expect(() => {
    for (let n = 0; n < 1_000_000; n++) run.add({ ...events[n % 100]!, message: String(n) });
  }).toThrow(QueryTooHeavy);
});

test('regular expressions that lead other engines astray take their way through a line once', async () => {
  const line = `${'a'.repeat(200_000)}!`;
  for (const bomb of ['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*a){12}$'])
    expect(await answer(`filter @message like /^${bomb}b/ | stats count(*)`, eventsOf([line])), bomb).toEqual([]);
});

test('long regular expressions look at less of a line, so that none is in the way of others for long', async () => {
  const lineWith = (place: number) => `${'a'.repeat(place)}!${'a'.repeat(200_000)}`;
  const long = `(?:[ab]?){950}(?<end>!)`;
  const found = async (expression: string, place: number) =>
    (
      await answer(
        `parse @message /${expression}/ | filter end = "!" | stats count(*) as n`,
        eventsOf([lineWith(place)]),
      )
    ).length;
  expect(await found(long, 2000)).toBe(1);
  expect(await found(long, 2400)).toBe(0);
  expect(await found('[ab]{9}(?<end>!)', 16_000)).toBe(1);
  expect(await found('[ab]{9}(?<end>!)', 16_400)).toBe(0);
  // All expressions of a query share it.
  expect(await found(`[ab]{9}(?<end>!)/ | parse @message /(?:[ab]?){900}(?<other>-)`, 16_000)).toBe(0);
});

test('events with 10,000 fields, and ones that nest deeply, are read', async () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`f${n}`, n]));
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  expect(await answer('fields f9999, ispresent(a) as a', eventsOf([wide, deep, '{"a":']))).toEqual([
    { a: '0' },
    { a: '1' },
    { f9999: '9999', a: '0' },
  ]);
});

test('many values are counted and ranked to within some percent', async () => {
  const events = eventsOf(['']);
  const run = parseQuery(
    'stats count_distinct(@message) as d, pct(@message, 50) as p, pct(@message, 99) as q',
    noon,
  ).run();
  for (let n = 0; n < 50_000; n++) run.add({ ...events[0]!, message: String(n) });
  const [row = []] = await run.finish(() => undefined);
  const found = Object.fromEntries(row);
  for (const [name, right] of [
    ['d', 50_000],
    ['p', 25_000],
    ['q', 49_500],
  ] as const)
    expect(Math.abs(Number(found[name]) - right) / right, name).toBeLessThan(name === 'd' ? 0.1 : 0.01);
});
