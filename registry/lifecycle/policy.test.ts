import { expect, test } from 'vitest';
import { parseLifecyclePolicy } from './index.ts';

const untagged = { tagStatus: 'untagged', countType: 'imageCountMoreThan', countNumber: 1 };
const expire = { type: 'expire' };
const rule = (selection: object, action: object = expire, rulePriority = 1) => ({ rulePriority, selection, action });

test.each([
  ['no rules', { rules: [] }, 'at least one rule'],
  ['51 rules', { rules: Array.from({ length: 51 }, (_, at) => rule(untagged, expire, at + 1)) }, 'at most 50'],
  ['a priority of 0', { rules: [rule(untagged, expire, 0)] }, 'rules[0].rulePriority'],
  ['a priority twice', { rules: [rule(untagged), rule({ ...untagged, tagStatus: 'any' })] }, 'rulePriority 1'],
  ['any before others', { rules: [rule({ ...untagged, tagStatus: 'any' }), rule(untagged, expire, 2)] }, "'any'"],
  ['untagged twice', { rules: [rule(untagged), rule(untagged, expire, 2)] }, 'only one rule'],
  [
    'tagged without a list',
    { rules: [rule({ ...untagged, tagStatus: 'tagged' })] },
    'either tagPatternList or tagPrefixList',
  ],
  [
    'both lists',
    { rules: [rule({ ...untagged, tagStatus: 'tagged', tagPatternList: ['a'], tagPrefixList: ['a'] })] },
    'either tagPatternList or tagPrefixList',
  ],
  ['a list with untagged', { rules: [rule({ ...untagged, tagPrefixList: ['a'] })] }, 'belong to tagStatus'],
  [
    'five stars',
    { rules: [rule({ ...untagged, tagStatus: 'tagged', tagPatternList: ['*a*b*c*d*'] })] },
    "at most four '*'",
  ],
  [
    'the same prefixes twice',
    {
      rules: [
        rule({ ...untagged, tagStatus: 'tagged', tagPrefixList: ['a', 'b'] }),
        rule({ ...untagged, tagStatus: 'tagged', tagPrefixList: ['b', 'a'] }, expire, 2),
      ],
    },
    'same tagPrefixList',
  ],
  ['a unit with a count of images', { rules: [rule({ ...untagged, countUnit: 'days' })] }, 'countUnit'],
  ['no unit with days', { rules: [rule({ ...untagged, countType: 'sinceImagePushed' })] }, "'days'"],
  ['a count of 0', { rules: [rule({ ...untagged, countNumber: 0 })] }, 'countNumber'],
  [
    'sinceImagePulled with expire',
    { rules: [rule({ ...untagged, countType: 'sinceImagePulled', countUnit: 'days' })] },
    'sinceImagePulled',
  ],
  [
    'sinceImageTransitioned under 90 days',
    {
      rules: [
        rule({
          ...untagged,
          storageClass: 'archive',
          countType: 'sinceImageTransitioned',
          countUnit: 'days',
          countNumber: 89,
        }),
      ],
    },
    'at least 90',
  ],
  ['a transition without a target', { rules: [rule(untagged, { type: 'transition' })] }, 'targetStorageClass'],
  ['an unknown member', { rules: [{ ...rule(untagged), extra: 1 }] }, "unknown member 'extra'"],
])('a policy with %s is refused, with the rule and the member', (_name, policy, words) => {
  expect(() => parseLifecyclePolicy(JSON.stringify(policy))).toThrow(words);
});

test('rules come back in the order of their priority', () => {
  const rules = [rule({ ...untagged, tagStatus: 'any' }, expire, 9), rule(untagged, expire, 3)];
  expect(parseLifecyclePolicy(JSON.stringify({ rules })).map(({ priority }) => priority)).toEqual([3, 9]);
});
