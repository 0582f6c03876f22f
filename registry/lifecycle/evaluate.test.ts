import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate, type LifecycleImage, type LifecycleRule, parseLifecyclePolicy } from './index.ts';

const day = 86_400_000;
const now = 1_800_000_000_000;

const image = (digest: string, tags: string, daysAgo: number, listed = false): LifecycleImage => ({
  digest,
  tags: tags === '' ? [] : tags.split(','),
  pushedAt: now - daysAgo * day,
  storageClass: 'standard',
  listed,
});
const tagged = (rulePriority: number, patterns: string[], count: number, countType = 'imageCountMoreThan') => ({
  rulePriority,
  selection: {
    tagStatus: 'tagged',
    tagPatternList: patterns,
    countType,
    ...(countType === 'imageCountMoreThan' ? {} : { countUnit: 'days' }),
    countNumber: count,
  },
  action: { type: 'expire' },
});
const outcome = (rules: object[], images: LifecycleImage[]): string =>
  evaluate(parseLifecyclePolicy(JSON.stringify({ rules })), images, now)
    .map(({ image: { digest }, priority }) => `${digest}${priority}`)
    .toSorted()
    .join(' ');

/** The worked examples of the ECR user guide, "Examples of lifecycle policies". */
describe('the examples of the user guide', () => {
  const abc = [image('A', 'beta-1,prod-1', 10), image('B', 'beta-2,prod-2', 9), image('C', 'beta-3', 8)];

  test('an image that matches a higher rule is not expired by a lower one', () => {
    expect(outcome([tagged(1, ['prod*'], 1), tagged(2, ['beta*'], 1)], abc)).toBe('A1');
    expect(outcome([tagged(1, ['beta*'], 1), tagged(2, ['prod*'], 1)], abc)).toBe('A1 B1');
  });

  test('several patterns must all be matched by some tag', () => {
    const images = [
      image('A', 'alpha-1', 12),
      image('B', 'beta-1', 11),
      image('C', 'alpha-2,beta-2', 10),
      image('D', 'alpha-3', 4),
      image('E', 'beta-3', 3),
      image('F', 'alpha-4,beta-4', 2),
    ];
    expect(outcome([tagged(1, ['alpha*', 'beta*'], 5, 'sinceImagePushed')], images)).toBe('C1');
    const gamma = [
      image('A', 'alpha-1,beta-1,gamma-1', 3),
      image('B', 'alpha-2,beta-2', 2),
      image('C', 'alpha-3,beta-3,gamma-2', 1),
    ];
    expect(outcome([tagged(1, ['alpha*', 'beta*'], 1)], gamma)).toBe('A1 B1');
  });

  test('tagStatus any takes everything', () => {
    const any = {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    };
    expect(
      outcome([any], [image('A', 'alpha-1', 4), image('B', 'beta-1', 3), image('C', '', 2), image('D', 'alpha-2', 1)]),
    ).toBe('A1 B1 C1');
  });

  test('rules for tagged, untagged and any images together', () => {
    const untagged = {
      rulePriority: 2,
      selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 },
      action: { type: 'expire' },
    };
    const any = {
      rulePriority: 3,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    };
    const images = [
      image('A', 'alpha-1,beta-1', 4),
      image('B', '', 3),
      image('C', 'alpha-2', 2),
      image('D', 'git hash', 1.2),
      image('E', '', 1),
    ];
    expect(outcome([tagged(1, ['alpha*'], 1), untagged, any], images)).toBe('A1 B2 D3');
  });
});

test('what an index lists is left alone', () => {
  const untagged = {
    rulePriority: 1,
    selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 },
    action: { type: 'expire' },
  };
  expect(outcome([untagged], [image('A', '', 9, true), image('B', '', 9)])).toBe('B1');
});

const prefixes = ['a', 'b', 'ab', 'c'];
const anyImages = fc.uniqueArray(
  fc.record({
    digest: fc.integer({ min: 0, max: 999 }).map(String),
    tags: fc.uniqueArray(fc.stringMatching(/^[abc]{1,3}$/), { maxLength: 3 }),
    pushedAt: fc.integer({ min: 0, max: 12 }).map((days) => now - days * day),
    storageClass: fc.constant('standard' as const),
    listed: fc.boolean(),
  }),
  { selector: ({ digest }) => digest, maxLength: 12 },
);
const anyCount = fc.record({
  countType: fc.constantFrom('imageCountMoreThan' as const, 'sinceImagePushed' as const),
  count: fc.integer({ min: 1, max: 6 }),
});
const anyRules = fc.record({
  tagged: fc.uniqueArray(
    fc.tuple(fc.subarray(prefixes, { minLength: 1 }), fc.constantFrom('prefix' as const, 'pattern' as const), anyCount),
    { maxLength: 3 },
  ),
  untagged: fc.option(anyCount),
  any: fc.option(anyCount),
});

/** The guide's words again, written out for one image at a time, without regard to speed. */
function oracle(rules: readonly LifecycleRule[], images: readonly LifecycleImage[]): string[] {
  const matches = (rule: LifecycleRule, { tags }: LifecycleImage): boolean => {
    const { selection } = rule;
    if (selection.tagStatus === 'any') return true;
    if (selection.tagStatus === 'untagged') return tags.length === 0;
    return selection.entries.every((entry) =>
      tags.some((tag) =>
        new RegExp(`^${entry.replaceAll('*', '.*')}${selection.form === 'prefix' ? '.*' : ''}$`).test(tag),
      ),
    );
  };
  const newer = (a: LifecycleImage, b: LifecycleImage): boolean =>
    a.pushedAt > b.pushedAt || (a.pushedAt === b.pushedAt && a.digest < b.digest);
  return images.flatMap((candidate) => {
    const rule = rules.find((one) => matches(one, candidate));
    if (rule === undefined || candidate.listed) return [];
    const expired =
      rule.countType === 'imageCountMoreThan'
        ? images.filter((other) => matches(rule, other) && newer(other, candidate)).length >= rule.count
        : now - candidate.pushedAt > rule.count * day;
    return expired ? [`${candidate.digest}@${rule.priority}`] : [];
  });
}

test('the evaluator agrees with a slow oracle on generated repositories', () => {
  fc.assert(
    fc.property(anyRules, anyImages, (parts, images) => {
      const rules: LifecycleRule[] = [
        ...parts.tagged.map(([entries, form, count]) => ({
          selection: {
            tagStatus: 'tagged' as const,
            form,
            entries: form === 'pattern' ? entries.map((entry) => `${entry}*`) : entries,
          },
          ...count,
        })),
        ...(parts.untagged ? [{ selection: { tagStatus: 'untagged' as const }, ...parts.untagged }] : []),
        ...(parts.any ? [{ selection: { tagStatus: 'any' as const }, ...parts.any }] : []),
      ].map((rule, position) => ({ ...rule, priority: position + 1, storageClass: 'standard', action: 'expire' }));
      const verdicts = evaluate(rules, images, now).map(({ image: { digest }, priority }) => `${digest}@${priority}`);
      expect(new Set(verdicts)).toEqual(new Set(oracle(rules, images)));
      expect(verdicts).toHaveLength(new Set(verdicts).size);
    }),
    { numRuns: process.env['SLIPWAY_TEST_SIZE'] === undefined ? 1000 : 50_000 },
  );
});

test('100,000 images and 50 rules', () => {
  const images = Array.from({ length: 100_000 }, (_, number) =>
    image(String(number).padStart(6, '0'), `t${number % 60}-${number},x${number}`, number / 1000),
  );
  const rules = Array.from({ length: 50 }, (_, number) => tagged(number + 1, [`t${number}-*`, 'x*'], 100));
  const parsed = parseLifecyclePolicy(JSON.stringify({ rules }));
  const verdicts = evaluate(parsed, images, now);
  expect(verdicts.length).toBeGreaterThan(70_000);
});
