import { expect, test } from 'vitest';
import { arnMatcher, arnText, resourceMatcher } from './arn.ts';
import { Glob, readPattern } from './pattern.ts';

const glob = (pattern: string): Glob => new Glob(readPattern(pattern, { wildcards: true, variables: false }) ?? []);
const nothing = () => undefined;
const arn = (pattern: string, text: string, matcher = arnMatcher): boolean =>
  matcher(readPattern(pattern, { wildcards: true, variables: true }) ?? []).matches(arnText(text), nothing);

test.each([
  ['*', '', true],
  ['', '', true],
  ['', 'x', false],
  ['a*', 'a', true],
  ['a?', 'a', false],
  ['a?c', 'abc', true],
  ['*b*', 'abc', true],
  ['a*b*c', 'a-b-b-c', true],
  ['a*bc*c', 'abc', false],
  ['ab*ba', 'aba', false],
  ['*a?b*', 'xxaxxaabyy', true],
  ['repository/prod*', 'repository/production-x', true],
  ['repository/prod', 'repository/production-x', false],
  ['a.c', 'abc', false],
  ['a+(b|c)[d]$', 'a+(b|c)[d]$', true],
  ['A', 'a', false],
])('P9 %s and %s', (pattern, text, expected) => {
  expect(glob(pattern).matches(text)).toBe(expected);
});

test('P9 a chunk with ? is found wherever it stands, also across word boundaries of its bits', () => {
  for (const length of [1, 31, 32, 33, 64, 100]) {
    const pattern = `*${'ab?'.repeat(length).slice(0, length)}*`;
    const text = `${'x'.repeat(7)}${'abz'.repeat(length).slice(0, length)}${'y'.repeat(5)}`;
    expect({ pattern, matches: glob(pattern).matches(text) }).toEqual({ pattern, matches: true });
    expect({ pattern, matches: glob(pattern).matches(text.replaceAll('a', 'c')) }).toEqual({ pattern, matches: false });
  }
});

test.each([
  ['arn:aws:ecs:*:*:task/*', 'arn:aws:ecs:us-east-1:1:task/c/x:y', true],
  ['arn:aws:ecs:*:task/*', 'arn:aws:ecs:us-east-1:1:task/c/x', false],
  ['arn:aws:ecs:us-east-1:*:*', 'arn:aws:ecs:us-east-1:1:task/c/x', true],
  ['arn:aws:ecs:us-*:1:x', 'arn:aws:ecs:us-east-1:1:x', true],
  ['arn:aws:ecs:*:x', 'arn:aws:ecs:a:b:x', false],
  ['*', 'anything', true],
  ['arn:aws:ecs:*:*:*', 'no arn', false],
])('ArnLike %s and %s: wildcards stay within their part', (pattern, text, expected) => {
  expect(arn(pattern, text)).toBe(expected);
});

test.each([
  ['arn:aws:ecr:*', 'arn:aws:ecr:us-east-1:1:repository/x', true],
  ['arn:aws:ecr:*', 'arn:aws:ecs:us-east-1:1:repository/x', false],
  ['arn:aws:ecr:*:repository/x', 'arn:aws:ecr:us-east-1:1:repository/x', true],
  ['arn:aws:ecr:us-*-1:1:repository/x', 'arn:aws:ecr:us-east-1:1:repository/x', true],
  ['arn:aws:ecr:us-*-1:repository/x', 'arn:aws:ecr:us-east-1:1:repository/x', false],
  ['arn:aws:ecr:*:1:repository/x', 'arn:aws:ecr:us-east-1:2:repository/x', false],
  ['*', '*', true],
  ['arn:aws:ecr:*:*:*', '*', false],
])('Resource %s and %s: a star that ends region or account reaches on', (pattern, text, expected) => {
  expect(arn(pattern, text, resourceMatcher)).toBe(expected);
});

test('values of variables are literal, wildcards in them too', () => {
  const pieces =
    readPattern('arn:aws:ecr:*:*:repository/${aws:username}/*', { wildcards: true, variables: true }) ?? [];
  const matches = (user: string, repository: string): boolean =>
    resourceMatcher(pieces).matches(arnText(`arn:aws:ecr:r:1:repository/${repository}`), () => user);
  expect(matches('bob', 'bob/x')).toBe(true);
  expect(matches('*', 'bob/x')).toBe(false);
  expect(matches('*', '*/x')).toBe(true);
  expect(matches('a:b', 'a:b/x')).toBe(true);
});
