import { expect, test } from 'vitest';
import { requestTagKeys, requestTags, smallTagList, tagList, type TagProblem, tagsAsSent, TagSet } from './index.ts';

class Refused extends Error {
  readonly problem: TagProblem;
  constructor(problem: TagProblem) {
    super(`${problem.kind} ${problem.key}`);
    this.problem = problem;
  }
}
const refuse = (problem: TagProblem): Error => new Refused(problem);
const exact = new TagSet({ most: 3, characters: /^[a-z:]*$/i, anyValue: (key) => key.startsWith('own:'), refuse });
const folded = new TagSet({ most: 3, foldCase: true, refuse });

test('reads tags of either spelling, in order', () => {
  expect(exact.parse([{ key: 'b', value: 'x' }, { Key: 'a', Value: 'y' }, { key: 'c' }])).toEqual({
    b: 'x',
    a: 'y',
    c: '',
  });
  expect(exact.parse(undefined)).toEqual({});
});

test.each([
  ['key-length', [{ value: 'x' }]],
  ['key-length', [{ key: '' }]],
  ['key-length', [{ key: 'k'.repeat(129) }]],
  ['key-characters', [{ key: 'a b' }]],
  ['reserved', [{ key: 'aws:a' }]],
  ['reserved', [{ Key: 'AwS:a' }]],
  ['value-length', [{ key: 'a', value: 'v'.repeat(257) }]],
  ['value-characters', [{ key: 'a', value: 'a b' }]],
  ['duplicate', [{ key: 'a' }, { key: 'a' }]],
  ['too-many', [{ key: 'a' }, { key: 'b' }, { key: 'c' }, { key: 'd' }]],
] as const)('refuses %s in %j', (kind, tags) => {
  expect(() => exact.parse(tags)).toThrow(
    expect.objectContaining({ problem: expect.objectContaining({ kind }) as unknown }) as Error,
  );
});

test('some keys may have any value', () => {
  expect(exact.parse([{ key: 'own:rule', value: '>= 1.0 *' }])).toEqual({ 'own:rule': '>= 1.0 *' });
});

test('a key that objects have anyway is a tag like any other', () => {
  const tags = folded.parse([
    { key: '__proto__', value: 'x' },
    { key: 'constructor', value: 'y' },
  ]);
  expect(tagList(tags)).toEqual([
    { Key: '__proto__', Value: 'x' },
    { Key: 'constructor', Value: 'y' },
  ]);
  expect(smallTagList(folded.merge(tags, { a: 'z' })).map(({ key }) => key)).toEqual(['__proto__', 'constructor', 'a']);
  expect(tagList(folded.without(tags, ['__PROTO__']))).toEqual([{ Key: 'constructor', Value: 'y' }]);
});

test('case tells keys apart for one service and not for another', () => {
  expect(exact.merge({ Team: 'a' }, { team: 'b' })).toEqual({ Team: 'a', team: 'b' });
  expect(folded.merge({ Team: 'a' }, { team: 'b' })).toEqual({ team: 'b' });
  expect(() => folded.parse([{ key: 'Team' }, { key: 'team' }])).toThrow('duplicate team');
  expect(exact.without({ Team: 'a' }, ['team'])).toEqual({ Team: 'a' });
});

test('merging counts what is there, without those of AWS itself', () => {
  expect(Object.keys(exact.merge({ 'aws:x': '1', a: '', b: '' }, { c: '' }))).toHaveLength(4);
  expect(() => exact.merge({ a: '', b: '', c: '' }, { d: '' })).toThrow('too-many');
});

test('conditions see what is set, and what is removed', () => {
  expect(requestTags({ team: 'a' })).toEqual({ 'aws:TagKeys': ['team'], 'aws:RequestTag/team': 'a' });
  expect(requestTags({})).toEqual({});
  // As they were sent, well formed or not.
  const sent = [{ key: 'team', value: 'a' }, { Key: '__proto__', Value: 'b' }, { Key: 'team' }, {}];
  expect(Object.entries(tagsAsSent(sent))).toEqual([
    ['team', ''],
    ['__proto__', 'b'],
    ['', ''],
  ]);
  expect(tagsAsSent(undefined)).toEqual({});
  expect(requestTagKeys(['team'])).toEqual({ 'aws:TagKeys': ['team'] });
  expect(requestTagKeys([])).toEqual({});
});
