import { describe, expect, test } from 'vitest';

import { PatternError } from './errors.ts';
import { fieldsOf } from './columns.ts';
import { parsePattern } from './pattern.ts';

/** Which of some lines a pattern lets through. */
const through = (pattern: string, lines: readonly string[]): string[] => lines.filter(parsePattern(pattern).matches);

describe('terms', () => {
  // The lines and patterns of the CloudWatch Logs user guide.
  const lines = [
    '[ERROR 400] BAD REQUEST',
    '[ERROR 401] UNAUTHORIZED REQUEST',
    '[ERROR 419] MISSING ARGUMENTS',
    '[WARN 420] INVALID',
  ];
  test.each([
    ['', [0, 1, 2, 3]],
    ['  ', [0, 1, 2, 3]],
    ['ERROR', [0, 1, 2]],
    ['error', []],
    ['ERROR ARGUMENTS', [2]],
    ['?ERROR ?420', [0, 1, 2, 3]],
    ['?ARGUMENTS ?420', [2, 3]],
    ['?ARGUMENTS REQUEST', [0, 1]],
    ['?ARGUMENTS -REQUEST', [2, 3]],
    ['ERROR -REQUEST', [2]],
    ['"ERROR 401"', [1]],
    ['"BAD REQUEST" "400"', [0]],
    ['-"ERROR 4"', [3]],
    ['%4[01]\\d%', [0, 1, 2]],
    ['%^\\[WARN% -ERROR', [3]],
    ['?%^.WARN% ?MISSING', [2, 3]],
    ['""', [0, 1, 2, 3]],
  ])('%s', (pattern, expected) => {
    expect(through(pattern, lines)).toEqual(expected.map((index) => lines[index]));
  });

  test('a phrase may hold quotation marks, backslashes and anything else', () => {
    expect(through('"say \\"hi\\""', ['say "hi"', 'say hi'])).toEqual(['say "hi"']);
    expect(through('"C:\\dir"', ['C:\\dir'])).toEqual(['C:\\dir']);
    expect(through('"a\\\\"', ['a\\', 'a'])).toEqual(['a\\']);
    expect(through('größe ключ', ['größe ключ', 'grosse'])).toEqual(['größe ключ']);
  });

  test('what every line holds is known, and what need not be there is not in it', () => {
    expect(parsePattern('a "b c" -d %e%').needs).toEqual(['a', 'b c']);
    expect(parsePattern('?a ?b').needs).toEqual([]);
    expect(parsePattern('{ $.a = b }').needs).toEqual([]);
  });
});

describe('fields of JSON', () => {
  const event = JSON.stringify({
    eventType: 'UpdateTrail',
    sourceIPAddress: '111.111.111.111',
    arrayKey: ['value', 'another value'],
    objectList: [
      { name: 'a', id: 1 },
      { name: 'b', id: 2 },
    ],
    SomeObject: null,
    ThisFlag: true,
    count: 12.5,
    text: '404',
    'user agent': 'curl',
    nested: { deep: { x: 0 } },
  });
  test.each([
    ['{ $.eventType = "UpdateTrail" }', true],
    ['{$.eventType=UpdateTrail}', true],
    ['{ $.eventType != "UpdateTrail" }', false],
    ['{ $.eventType = "Update*" }', true],
    ['{ $.eventType = *Trail }', true],
    ['{ $.eventType = "*date*ai*" }', true],
    ['{ $.eventType = "*dated*" }', false],
    ['{ $.eventType = "Update*eTrail" }', false],
    ['{ $.eventType = %Trail$% }', true],
    ['{ $.eventType = %^Trail% }', false],
    ['{ $.eventType != %^Trail% }', true],
    ['{ $.sourceIPAddress != 123.123.* }', true],
    ['{ $.sourceIPAddress = 111.111.* }', true],
    ['{ $.arrayKey[0] = "value" }', true],
    ['{ $.arrayKey[1] = "value" }', false],
    ['{ $.arrayKey[9] = "value" }', false],
    ['{ $.arrayKey[*] = "another value" }', true],
    ['{ $.objectList[1].id = 2 }', true],
    ['{ $.objectList[*].name = b }', true],
    ['{ $.nested.*.x = 0 }', true],
    ["{ $.['user agent'] = curl }", true],
    ["{ $['user agent'] = curl }", true],
    ['{ $.count > 12 }', true],
    ['{ $.count >= 1.25e1 && $.count <= 12.5 }', true],
    ['{ $.count < -3 }', false],
    ['{ $.count = 12.5 }', true],
    ['{ $.count != 12.5 }', false],
    ['{ $.text = 404 }', true],
    ['{ $.text = 4* }', true],
    ['{ $.eventType > 3 }', false],
    ['{ $.SomeObject IS NULL }', true],
    ['{ $.SomeObject = "null" }', false],
    ['{ $.SomeOtherObject NOT EXISTS }', true],
    ['{ $.SomeObject NOT EXISTS }', false],
    ['{ $.ThisFlag IS TRUE }', true],
    ['{ $.ThisFlag IS FALSE }', false],
    ['{ $.nothing IS NULL }', false],
    ['{ $.nothing != "x" }', false],
    ['{ $.nested = "x" }', false],
    ['{ $.nested != "x" }', false],
    ['{ $.toString NOT EXISTS }', true],
    ['{ $.__proto__ NOT EXISTS }', true],
    // `&&` binds closer than `||`.
    ['{ $.count = 12.5 || $.count = 1 && $.count = 2 }', true],
    ['{ ($.count = 12.5 || $.count = 1) && $.count = 2 }', false],
    ['{ ((($.count = 12.5))) }', true],
    // CIS benchmark.
    ['{($.eventName=ConsoleLogin) && ($.additionalEventData.MFAUsed !="Yes")}', false],
    ['{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType !="AwsServiceEvent"}', false],
    ['{ ($.errorCode = "*UnauthorizedOperation") || ($.eventType = "Update*") }', true],
  ])('%s', (pattern, expected) => {
    expect(parsePattern(pattern).matches(event)).toBe(expected);
  });

  test('lines that are no JSON, or no object, match nothing', () => {
    for (const line of ['', 'x', '5', '"x"', 'null', '{', '{"a":1} x'])
      expect(parsePattern('{ $.a NOT EXISTS }').matches(line)).toBe(false);
    expect(parsePattern('{ $[1] = 2 }').matches(' [1, 2]')).toBe(true);
  });

  test('a line that nests deeply ends nothing', () => {
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    expect(parsePattern('{ $.a = 1 }').matches(deep)).toBe(false);
    expect(parsePattern('{ $[0][0] IS NULL }').matches(deep)).toBe(false);
  });

  test('the fields that are named are shown', () => {
    expect(
      parsePattern('{ $.count > 1 && $.arrayKey[*] = value && $.ThisFlag IS TRUE && $.no NOT EXISTS }').extract(event),
    ).toEqual({
      '$.count': '12.5',
      '$.ThisFlag': 'true',
    });
  });
});

describe('columns', () => {
  const access = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';
  test('a line is fields between spaces, in brackets or in quotation marks', () => {
    expect(fieldsOf(access)).toEqual([
      '127.0.0.1',
      '-',
      'frank',
      '10/Oct/2000:13:25:15 -0700',
      'GET /index.html HTTP/1.0',
      '404',
      '1534',
    ]);
    expect(fieldsOf('  a  [b "c  ')).toEqual(['a', '[b', '"c']);
    expect(fieldsOf('[a]b "" []')).toEqual(['a', 'b', '', '']);
    expect(fieldsOf('')).toEqual([]);
  });

  test.each([
    ['[ip, user, username, timestamp, request, status_code, bytes]', true],
    ['[ip, user, username, timestamp, request =*html*, status_code = 4*, bytes]', true],
    ['[ip, user, username, timestamp, request = "*html*", status_code = 4* || status_code=5*, bytes]', true],
    ['[ip, user, username, timestamp, request, status_code = 404 && status_code != 4*, bytes]', false],
    ['[ip, user]', false],
    ['[ip, user, username, timestamp, request, status_code, bytes, more]', false],
    ['[..., size]', true],
    ['[..., status_code > 400, bytes >= 1534]', true],
    ['[ip = %127\\.0\\.0\\.[1-9]%, ...]', true],
    ['[ip, ..., bytes < 1000]', false],
    ['[a, b, c, d, e, f, ..., g]', true],
    ['[a, b, c, d, e, f, g, ..., h]', false],
    ['[...]', true],
    ['[w1=ERROR, ...]', false],
    ['[w1!=ERROR&&w1!=%WARN%, ...]', true],
  ])('%s', (pattern, expected) => {
    expect(parsePattern(pattern).matches(access)).toBe(expected);
  });

  test('the fields are shown by the names of their columns', () => {
    expect(parsePattern('[ip, ..., status_code = 4*, bytes]').extract(access)).toEqual({
      $ip: '127.0.0.1',
      $status_code: '404',
      $bytes: '1534',
    });
  });
});

describe('regular expressions', () => {
  test.each([
    ['%a+b*c?$%', 'xaab', true],
    ['%^a{2,3}$%', 'aaaa', false],
    ['%^a{2,3}$%', 'aaa', true],
    ['%^a{2}$%', 'aa', true],
    ['%^a{2,}$%', 'aaaaaa', true],
    ['%^a{0,1}b%', 'b', true],
    ['%^cat$|^dog$%', 'dog', true],
    ['%^cat$|^dog$%', 'a dog', false],
    ['%[^a-z]%', 'abc', false],
    ['%[^a-z]%', 'abÄ', true],
    ['%[.$*]%', 'a$', true],
    ['%[a-]%', '-', true],
    ['%\\x20\\x41%', 'x A', true],
    ['%\\d\\w\\s.%', '1_\t€', true],
    ['%a^b%', 'a^b', false],
    ['%\\^\\$\\?\\[\\]\\{\\}\\|\\\\\\*\\+\\.%', '^$?[]{}|\\*+.', true],
    ['%^$%', '', true],
    ['%^$%', 'a', false],
    ['%x|%', 'y', true],
    // Longer than one word of states.
    ['%^.{0,20}a{15}b{0,30}c%', `x${'a'.repeat(15)}c`, true],
    ['%^.{0,20}a{15}b{0,30}c%', `x${'a'.repeat(14)}c`, false],
    ['%^a{40}$%', 'a'.repeat(40), true],
    ['%^a{40}$%', 'a'.repeat(39), false],
  ])('%s on %s', (pattern, line, expected) => {
    expect(parsePattern(pattern).matches(line)).toBe(expected);
  });

  test('one that would take for ever elsewhere takes steps in proportion to the line', () => {
    expect(parsePattern(`%${'a*'.repeat(100)}b%`).matches('a'.repeat(200_000))).toBe(false);
    // What is possible depends on each of the last twelve characters.
    const random = Array.from({ length: 100_000 }, (_, index) => ((index * 2_654_435_761) >>> 13) & 1).join('');
    expect(parsePattern('%1[01]{12}x%').matches(random)).toBe(false);
    expect(parsePattern('%1[01]{12}x%').matches(`${random}1010101010101x`)).toBe(true);
  });
});

describe('what is no pattern', () => {
  test.each<[string, number, string]>([
    [
      'foo-bar',
      4,
      "'-' is not part of a term. Put terms of other characters than letters, digits and _ in quotation marks.",
    ],
    ['a - b', 4, "' ' begins no term"],
    ['"a', 1, 'the quotation mark is never closed'],
    ['x %a', 3, 'the regular expression is never closed'],
    ['%%', 1, 'the regular expression is empty'],
    ['%\\(%', 3, "\\ before '(' is not supported"],
    ['%(a)%', 2, 'have no groups'],
    ['%*a%', 2, "'*' has nothing before it to act on"],
    ['%a b%', 3, "' ' is not supported in a regular expression"],
    ['%é%', 2, "'é' is not supported"],
    ['%a{1000}%', 3, 'a repetition is written {n}, {n,} or {n,m}'],
    ['%a{5,2}%', 3, 'a repetition goes up'],
    ['%a{300}%', 3, 'to 255 at most'],
    ['%a{255}b{255}c{255}%', 14, 'too long with its repetitions'],
    ['%a**%', 4, "'*' has nothing before it"],
    ['%[a%', 2, 'the [ is never closed'],
    ['%[]%', 2, 'the set is empty'],
    ['%[z-a]%', 3, 'Write the lower character first'],
    ['%\\q%', 3, "\\ before 'q' is not supported"],
    ['%\\1%', 3, 'is not supported'],
    ['%\\x4%', 3, 'two hexadecimal digits'],
    ['%a% %b% %c%', 9, 'a pattern has 2 regular expressions at most'],
    ['{', 2, 'the end of the pattern begins no field'],
    ['{ }', 3, "'}' begins no field"],
    ['{ a = 1 }', 3, "'a' begins no field"],
    ['{ $ = 1 }', 3, '$ alone is the whole line'],
    ['{ $. = 1 }', 5, "' ' begins no name of a property"],
    ['{ $.a }', 7, "'}' is no comparison"],
    ['{ $.a = }', 9, "'}' is no value"],
    ['{ $.a == 1 }', 8, "'=' is no value"],
    ['{ $.a < "x" }', 9, '< compares numbers'],
    ['{ $.a IS 5 }', 7, 'after a field comes a comparison'],
    ['{ $.a EXISTS }', 7, 'after a field comes a comparison'],
    ['{ $.a = 1', 10, 'the end of the pattern stands where'],
    ['{ ($.a = 1 }', 12, "'}' stands where && , || or ) is expected"],
    ['{ $.a = 1 } x', 13, "'x' stands after the end"],
    ['{ $.a[x] = 1 }', 6, 'an element of a list is written [0]'],
    ['{ $.*.* = 1 }', 6, 'a field has one wildcard at most'],
    ['{ $.* = 1 || $.* = 1 || $.* = 1 || $.* = 1 }', 37, 'a pattern has 3 wildcards at most'],
    [`{ ${'('.repeat(70)}`, 67, 'parentheses go 64 deep at most'],
    ['[', 2, 'the end of the pattern is no name of a column'],
    ['[]', 2, "']' is no name of a column"],
    ['[a, a]', 5, 'the column a is there already'],
    ['[..., b, ...]', 10, 'may stand once'],
    ['[a = 1 || b = 2]', 11, 'the comparisons of a column are all about it. Write a again here.'],
    ['[a b]', 4, "'b' is no comparison"],
    ['[a = 1', 7, 'the next column or the end is expected'],
    ['[ERROR 400] BAD', 8, "'4' is no comparison"],
    ['x'.repeat(1025), 1025, 'a pattern has 1024 characters at most'],
    ['😀 "', 4, 'never closed'],
  ])('%s', (pattern, at, sentence) => {
    const error = refusal(pattern);
    expect(error.message).toContain(`Invalid filter pattern at character ${at}: `);
    expect(error.message).toContain(sentence);
    expect(error.at).toBe(at);
  });
});

function refusal(pattern: string): PatternError {
  try {
    parsePattern(pattern);
  } catch (error) {
    if (error instanceof PatternError) return error;
    throw error;
  }
  throw new Error(`${pattern} was taken`);
}
