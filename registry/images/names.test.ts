import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePath } from '../distribution/path.ts';
import { matchesWildcard, parseRepositoryName } from './index.ts';
import { isMovable } from './mutability.ts';

const accepts = (text: string): boolean => {
  try {
    parseRepositoryName(text);
    return true;
  } catch {
    return false;
  }
};

test('repository names are those of the ECR API model', () => {
  for (const name of ['ab', 'a/b', 'a-b.c_d__e---f/g', '0/1', 'team/blobs/uploads']) expect(accepts(name)).toBe(true);
  for (const name of ['a', '', 'A/b', 'a/', '/a', 'a//b', 'a..b', 'a___b', 'a-', 'x'.repeat(257), 'a b', 'ä/b', 'a|b'])
    expect(accepts(name)).toBe(false);
});

test('N5: a path has one reading, whatever the name contains, and what comes back is what was asked', () => {
  const segment = fc.stringMatching(/^[a-z0-9]{1,6}$/);
  const word = fc.oneof(segment, fc.constantFrom('blobs', 'uploads', 'manifests', 'tags', 'list', 'referrers'));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), segment, (words, last) => {
      const repository = words.join('/');
      expect(parsePath(`/v2/${repository}/manifests/${last}`)).toEqual({
        kind: 'manifest',
        repository,
        reference: last,
      });
      expect(parsePath(`/v2/${repository}/tags/list`)).toEqual({ kind: 'tags', repository });
      expect(parsePath(`/v2/${repository}/blobs/uploads/${last}`)).toEqual({ kind: 'upload', repository, id: last });
      expect(parsePath(`/v2/${repository}/blobs/uploads/`)).toEqual({ kind: 'uploads', repository });
      expect(parsePath(`/v2/${repository}/referrers/${last}`)).toEqual({ kind: 'referrers', repository, digest: last });
    }),
    { numRuns: 2000 },
  );
});

test('N5: whatever a path decodes to, no part of it holds an encoded separator', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '%2f',
      '%2F',
      '%5c',
      '%00',
      '%252f',
      '%2e%2e',
      '.',
      '..',
      '/',
      'a',
      'b',
      'blobs',
      'tags',
      'list',
      '%',
    ),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const path = `/v2/${pieces.join('')}`;
      const parts = Object.entries(parsePath(path) ?? {});
      const hidden = parts.filter(
        ([member, text]) =>
          (path.includes('%') ? /[%\\\0]/ : /\0/).test(text) || (member !== 'repository' && text.includes('/')),
      );
      expect(hidden).toEqual([]);
    }),
    { numRuns: process.env['SLIPWAY_TEST_SIZE'] === undefined ? 20_000 : 100_000 },
  );
});

test('wildcards match as the regular expression would', () => {
  const letters = fc.stringMatching(/^[ab]{0,8}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[ab*]{0,6}$/), letters, (pattern, text) => {
      expect(matchesWildcard(pattern, text)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
    }),
    { numRuns: 5000 },
  );
});

test('exclusions turn the rule of a repository round', () => {
  const tagExclusions = [{ filterType: 'WILDCARD' as const, filter: 'dev-*' }];
  expect(isMovable({ tagMutability: 'MUTABLE' }, 'x')).toBe(true);
  expect(isMovable({ tagMutability: 'IMMUTABLE' }, 'x')).toBe(false);
  expect(isMovable({ tagMutability: 'MUTABLE_WITH_EXCLUSION', tagExclusions }, 'dev-1')).toBe(false);
  expect(isMovable({ tagMutability: 'MUTABLE_WITH_EXCLUSION', tagExclusions }, 'v1')).toBe(true);
  expect(isMovable({ tagMutability: 'IMMUTABLE_WITH_EXCLUSION', tagExclusions }, 'dev-1')).toBe(true);
});
