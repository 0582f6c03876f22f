import { expect, test } from 'vitest';

import { parseQuery } from './query.ts';
import { answer, eventsOf, noon } from './testing/answer.ts';

const lines = eventsOf(
  [
    { level: 'info', ms: 10, user: 'ada' },
    { level: 'error', ms: 250, user: 'bob' },
    'user=eve, method:GET, latency := 30',
    { level: 'info', ms: 30, user: 'ada' },
    { level: 'error', ms: '40', user: 'eve' },
    'nothing',
  ],
  ['a', 'b', 'a', 'b', 'a', 'b'],
);
const at = (second: number): string => `2026-06-15 12:00:0${second}.000`;

test('an empty query shows times and messages, the newest first, and what GetLogRecord finds them by', async () => {
  expect(await answer(' # all\n', lines, { pointers: true })).toEqual(
    lines
      .map(({ message }, index) => ({ '@timestamp': at(index), '@message': message, '@ptr': `pointer-${index}` }))
      .toReversed(),
  );
  expect(await answer('', lines, { limit: 2 })).toHaveLength(2);
});

test('fields names what is shown, with expressions under names, and leaves out what an event does not have', async () => {
  expect(await answer('fields ms, ms * 2 as double | fields toupper(level) | limit 3 | sort ms asc', lines)).toEqual([
    {},
    { ms: '30', double: '60', 'toupper(level)': 'INFO' },
    { ms: '40', double: '80', 'toupper(level)': 'ERROR' },
  ]);
  expect(await answer('fields "x" as @message | limit 1', lines)).toEqual([{ '@message': 'x' }]);
  // What one command makes, the next one reads; each sees what was there before it.
  expect(await answer('fields ms as level, level as was | filter level = 250 | fields level + 1 as ms', lines)).toEqual(
    [{ level: '250', was: 'error', ms: '251' }],
  );
  expect(await answer('fields jsonParse(@message) as j | filter j.ms > 200 | display j.user', lines)).toEqual([
    { 'j.user': 'bob' },
  ]);
});

test('filter and where let rows through, one after the other', async () => {
  expect(await answer('fields user | filter level = "error" | where ms > 100', lines)).toEqual([{ user: 'bob' }]);
});

test('parse takes fields out by stars, and by groups with names or without', async () => {
  const found = [{ user: 'eve', method: 'GET', latency: '30' }];
  expect(
    await answer(
      'parse @message "user=*, method:*, latency := *" as user, method, latency | filter ispresent(latency) | display user, method, latency',
      lines,
    ),
  ).toEqual(found);
  expect(
    await answer(
      String.raw`parse /user=(?<user>\w+), method:(?<method>[A-Z]+).*?(?<latency>\d+)$/ | filter latency = 30 | display user, method, latency`,
      lines,
    ),
  ).toEqual(found);
  expect(await answer(String.raw`parse @message /"ms":(\d+)/ as n | stats sum(n)`, lines)).toEqual([
    { 'sum(n)': '290' },
  ]);
  expect(
    await answer(
      'parse user "*d*" as before, after | filter before = "a" | dedup before | display before, after',
      lines,
    ),
  ).toEqual([{ before: 'a', after: 'a' }]);
  // A field of the event that the text does not have is gone.
  expect(await answer('parse @message "user=*," as user | filter ispresent(user) | stats count(*)', lines)).toEqual([
    { 'count(*)': '1' },
  ]);
  // Without display what was taken out is shown as well.
  expect(await answer('parse @message "user=*," as who | filter who = "eve"', lines)).toEqual([
    { '@timestamp': at(2), '@message': lines[2]!.message, who: 'eve' },
  ]);
});

test('stats counts and reckons by groups', async () => {
  expect(
    await answer(
      'stats count(*), count(ms), sum(ms) as total, avg(ms), min(ms), max(ms), pct(ms, 50), stddev(ms) by level | sort level desc',
      lines,
    ),
  ).toEqual([
    {
      level: 'info',
      'count(*)': '2',
      'count(ms)': '2',
      total: '40',
      'avg(ms)': '20',
      'min(ms)': '10',
      'max(ms)': '30',
      'pct(ms, 50)': '10',
      'stddev(ms)': '10',
    },
    {
      level: 'error',
      'count(*)': '2',
      'count(ms)': '2',
      total: '290',
      'avg(ms)': '145',
      'min(ms)': '40',
      'max(ms)': '250',
      'pct(ms, 50)': '40',
      'stddev(ms)': '105',
    },
    { 'count(*)': '2', 'count(ms)': '0' },
  ]);
});

test('stats tells the first and the last of groups, and how many different ones', async () => {
  expect(
    await answer(
      'stats earliest(user), latest(user), sortsFirst(user), sortsLast(user), count_distinct(user), max(@timestamp), min(user)',
      lines,
    ),
  ).toEqual([
    {
      'earliest(user)': 'ada',
      'latest(user)': 'eve',
      'sortsFirst(user)': 'ada',
      'sortsLast(user)': 'eve',
      'count_distinct(user)': '3',
      'max(@timestamp)': at(5),
      'min(user)': 'ada',
    },
  ]);
  expect(await answer('filter level = "none" | stats count(*)', lines)).toEqual([]);
});

test('stats groups by times, the newest first, and by several things; its functions may be reckoned with', async () => {
  expect(await answer('stats count(*) as n, sum(ms) / count(ms) as mean by bin(2s), @logStream', lines)).toEqual([
    { 'bin(2s)': at(4), '@logStream': 'a', n: '1', mean: '40' },
    { 'bin(2s)': at(4), '@logStream': 'b', n: '1' },
    { 'bin(2s)': at(2), '@logStream': 'a', n: '1' },
    { 'bin(2s)': at(2), '@logStream': 'b', n: '1', mean: '30' },
    { 'bin(2s)': at(0), '@logStream': 'a', n: '1', mean: '10' },
    { 'bin(2s)': at(0), '@logStream': 'b', n: '1', mean: '250' },
  ]);
});

test('stats goes over what stats made, and columns are named as they were written', async () => {
  expect(
    await answer(
      'stats count(*) as n, max(ms) by bin(2s) as t, @logStream | stats sum(n), max(max(ms)) by t | sort sum( n ) desc, t asc | limit 2',
      lines,
    ),
  ).toEqual([
    { t: at(0), 'sum(n)': '2', 'max(max(ms))': '250' },
    { t: at(2), 'sum(n)': '2', 'max(max(ms))': '30' },
  ]);
  expect(
    await answer(
      'stats count(*) by level | filter count(*) > 1 and ispresent(level) | sort count(*) desc, level | display level',
      lines,
    ),
  ).toEqual([{ level: 'error' }, { level: 'info' }]);
  expect(await answer('stats count(*) by user | fields `count(*)` * 10 as tens | filter user = "ada"', lines)).toEqual([
    { user: 'ada', 'count(*)': '2', tens: '20' },
  ]);
});

test('sort has texts before numbers, numbers by what they are, and runs of digits in texts by their length', async () => {
  const values = ['10', '9', 'a10', 'a9', 'B', '', '!', '5A', '111A', 2, 'a'];
  const found = await answer('fields v | sort v', eventsOf([...values.map((v) => ({ v })), { w: 1 }]));
  expect(found.map(({ v }) => v)).toEqual([undefined, '', '!', '5A', '111A', 'B', 'a', 'a9', 'a10', '2', '9', '10']);
  const down = await answer('fields v | sort v desc', eventsOf(values.map((v) => ({ v }))));
  expect(down.map(({ v }) => v)).toEqual(['10', '9', '2', 'a10', 'a9', 'a', 'B', '111A', '5A', '!', '']);
});

test('a later sort goes before an earlier one, which stays where rows are equal', async () => {
  const found = await answer('fields user, ms | filter ispresent(ms) | sort ms desc | sort user asc', lines);
  expect(found.map(({ user, ms }) => `${user} ${ms}`)).toEqual(['ada 30', 'ada 10', 'bob 250', 'eve 40']);
});

test('limit takes the first rows as they are sorted, also in the middle of a query', async () => {
  expect(await answer('fields ms | sort ms desc | limit 1', lines)).toEqual([{ ms: '250' }]);
  expect(await answer('sort ms desc | limit 3 | filter user = "ada" | stats count(*)', lines)).toEqual([
    { 'count(*)': '1' },
  ]);
  expect(await answer('fields ms | filter ispresent(ms) | limit 3 | sort ms desc | limit 1', lines)).toEqual([
    { ms: '250' },
  ]);
  // What the query says goes before what the caller says.
  expect(await answer('limit 3', lines, { limit: 1 })).toHaveLength(3);
});

test('dedup keeps the first row of each kind, in the order that there is', async () => {
  expect(await answer('fields user, ms | filter ispresent(user) | sort ms desc | dedup user', lines)).toEqual([
    { user: 'bob', ms: '250' },
    { user: 'eve', ms: '40' },
    { user: 'ada', ms: '30' },
  ]);
  expect(await answer('fields level | dedup level, @logStream | limit 10', lines)).toHaveLength(6);
});

test('display says what is shown', async () => {
  expect(await answer('fields user | fields ms | display level, ms * 2 as double | filter ms = 250', lines)).toEqual([
    { level: 'error', double: '500' },
  ]);
});

test('what every event must hold is told to whoever reads them', () => {
  const needs = (query: string) => {
    const { terms, streams } = parseQuery(query, noon);
    return { terms, streams };
  };
  expect(
    needs('fields a | filter @message like "timeout" and @logStream in ["a", "b"] | filter @logStream = "b"'),
  ).toEqual({
    terms: ['timeout'],
    streams: ['b'],
  });
  expect(needs('filter @message like /GET -x/').terms).toEqual(['GET -x']);
  // Nothing is left unread that could be part of the answer.
  for (const query of [
    'filter @message like "a" or x = 1',
    'filter not @message like "a"',
    'filter @message not like "a"',
    'filter @message like /a|b/',
    'filter x like "a"',
    'fields x as @message | filter @message like "a"',
    'parse x "*" as @logStream | filter @logStream = "a"',
    'limit 10 | filter @message like "a"',
    'stats count(*) as @message by x | filter @message like "1"',
    'filter @logStream = "1"',
  ])
    expect(needs(query), query).toEqual({ terms: [], streams: undefined });
});
