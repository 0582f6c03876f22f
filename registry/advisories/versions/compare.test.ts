import * as fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { comparatorOf } from './compare.ts';

/** Chains in ascending order: every earlier one is below every later one. */
const chains: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Debian: [
    [
      '1.0~rc1~git1',
      '1.0~rc1',
      '1.0~rc1+b1',
      '1.0',
      '1.0-1',
      '1.0-1+deb12u1',
      '1.0-2',
      '1.0a',
      '1.0+b',
      '1.0.1',
      '1:0.9',
    ],
    ['0', '1.2.3~beta1-1', '1.2.3-1', '1.2.10-1', '1.12-1'],
    ['3.0.11-1~deb12u1', '3.0.11-1~deb12u2', '3.0.11-1', '3.0.15-1~deb12u1'],
    ['5.10.0-8', '5.10.0-10', '6.1.0-1'],
  ],
  Alpine: [
    [
      '1.2_alpha',
      '1.2_alpha2',
      '1.2_beta',
      '1.2_pre1',
      '1.2_rc1',
      '1.2',
      '1.2-r1',
      '1.2-r10',
      '1.2_p1',
      '1.2a',
      '1.2.0',
      '1.2.1',
      '1.10',
    ],
    ['1.1.1k-r0', '1.1.1l-r0', '1.1.1t-r2', '3.0.8-r3'],
    ['1.03', '1.1'],
  ],
  'Red Hat': [
    ['1.0~rc1', '1.0', '1.0^git1', '1.0a1.2', '1.0.1', '1.1', '1.10', '1:0.1'],
    ['3.0.7-16.el9', '3.0.7-18.el9_2', '3.0.7-24.el9'],
    ['2.34-60.el9', '2.34-100.el9'],
  ],
  npm: [
    [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.10.0',
      '2.0.0',
    ],
  ],
  Go: [
    ['0.0.0-20190101000000-abcdefabcdef', '0.0.0-20200101000000-abcdefabcdef', 'v0.1.0', 'v1.2.3', '1.21.0', '1.21.10'],
  ],
  PyPI: [
    [
      '1.dev0',
      '1.0.dev456',
      '1.0a1',
      '1.0a2.dev456',
      '1.0a12.dev456',
      '1.0a12',
      '1.0b1.dev456',
      '1.0b2',
      '1.0b2.post345.dev456',
      '1.0b2.post345',
      '1.0rc1.dev456',
      '1.0rc1',
      '1.0',
      '1.0+abc.5',
      '1.0+abc.7',
      '1.0+5',
      '1.0.post456.dev34',
      '1.0.post456',
      '1.0.15',
      '1.1.dev1',
      '2',
      '1!0.1',
    ],
    ['not a version', '0.1'],
  ],
  Maven: [
    ['1-alpha', '1-alpha-2', '1-beta', '1-milestone-1', '1-rc1', '1-snapshot', '1', '1-sp', '1-whatever', '1-1', '1.1'],
    ['2.0-beta9', '2.0', '2.12.1', '2.15.0', '2.17.1'],
    ['1.0-alpha-10-SNAPSHOT', '1.0-alpha-10', '1.0-beta1', '1.0'],
  ],
  RubyGems: [
    ['1.0.a', '1.0.b1', '1.0.b10', '1.0.rc1', '1.0', '1.0.1', '1.9.9', '1.10'],
    ['3.0.0-beta', '3.0.0'],
  ],
};

const equal: readonly (readonly [string, string, string])[] = [
  ['Debian', '1.0', '0:1.0'],
  ['Debian', '1.0', '1.0-0'],
  ['Debian', '1.00', '1.0'],
  ['Red Hat', '1.0', '0:1.0'],
  ['Red Hat', '1.0-05.el9', '1.0-5.el9'],
  ['Red Hat', '1_0', '1.0'],
  ['npm', '1.0.0+build', '1.0.0'],
  ['Go', 'v1.2.3', '1.2.3'],
  ['PyPI', '1.0', '1.0.0'],
  ['PyPI', '1.0rc1', '1.0c1'],
  ['PyPI', '1.0-1', '1.0.post1'],
  ['PyPI', '1.0alpha', '1.0a0'],
  ['Maven', '1', '1.0.0'],
  ['Maven', '1.ga', '1-final'],
  ['Maven', '1a1', '1-alpha-1'],
  ['Maven', '1cr', '1rc'],
  ['RubyGems', '1.0', '1'],
];

describe('versions', () => {
  for (const [ecosystem, lists] of Object.entries(chains)) {
    test(`${ecosystem}: every earlier version is below every later one`, () => {
      const compare = comparatorOf(ecosystem);
      if (compare === undefined) throw new Error(`no comparator for ${ecosystem}`);
      for (const chain of lists) {
        for (const [i, a] of chain.entries()) {
          for (const [j, b] of chain.entries()) {
            expect(`${a} ? ${b}: ${Math.sign(compare(a, b))}`).toBe(`${a} ? ${b}: ${Math.sign(i - j)}`);
          }
        }
      }
    });
  }

  test.each(equal)('%s: %s is the same as %s', (ecosystem, a, b) => {
    expect(comparatorOf(ecosystem)?.(a, b)).toBe(0);
    expect(comparatorOf(ecosystem)?.(b, a)).toBe(0);
  });

  test('an ecosystem may name its release, and an unknown one has no order', () => {
    expect(comparatorOf('Debian:12')).toBe(comparatorOf('Debian'));
    expect(comparatorOf('Ubuntu:22.04:LTS')).toBe(comparatorOf('Debian'));
    expect(comparatorOf('toString')).toBeUndefined();
    expect(comparatorOf('GIT')).toBeUndefined();
  });

  const piece = fc.constantFrom(
    '0',
    '1',
    '00',
    '10',
    '9',
    '.',
    '-',
    '~',
    '+',
    ':',
    'a',
    'rc',
    'alpha',
    '_',
    '^',
    'r',
    '_p',
    '!',
    'v',
    'post',
    'dev',
    'final',
    'A',
  );
  const anyVersion = fc.array(piece, { minLength: 1, maxLength: 8, size: 'max' }).map((parts) => parts.join(''));

  // The order that Maven specifies is not transitive over texts that are no versions at all.
  const mavenVersion = fc
    .tuple(
      fc.array(fc.nat(11), { minLength: 1, maxLength: 4 }),
      fc.option(fc.constantFrom('alpha', 'beta2', 'rc1', 'snapshot', 'final', 'sp', 'jre', '1', '0')),
    )
    .map(([numbers, qualifier]) => numbers.join('.') + (qualifier === null ? '' : `-${qualifier}`));

  test.each(Object.keys(chains))('%s: antisymmetric and transitive over made-up texts', (ecosystem) => {
    const compare = comparatorOf(ecosystem) as (a: string, b: string) => number;
    const version = ecosystem === 'Maven' ? mavenVersion : anyVersion;
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compare(a, a)).toBe(0);
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0);
        const [x, y, z] = [a, b, c].toSorted(compare) as [string, string, string];
        expect(compare(x, y)).toBeLessThanOrEqual(0);
        expect(compare(y, z)).toBeLessThanOrEqual(0);
        expect(compare(x, z)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 3000 },
    );
  });

  test.skipIf(!existsSync('/usr/bin/dpkg') && process.env['CI'] === undefined)(
    'Debian: agrees with dpkg itself (skipped where there is no dpkg)',
    () => {
      const part = fc.stringMatching(/^[0-9][0-9a-z.+~]{0,6}$/);
      const version = fc
        .tuple(fc.option(fc.nat(2)), part, fc.option(part))
        .map(
          ([epoch, upstream, revision]) =>
            `${epoch === null ? '' : `${epoch}:`}${upstream}${revision === null ? '' : `-${revision}`}`,
        );
      const compare = comparatorOf('Debian') as (a: string, b: string) => number;
      const pairs = fc.sample(fc.tuple(version, version), 300);
      // One shell for all pairs; it prints -1, 0 or 1 for each.
      const script = pairs
        .map(
          ([a, b]) =>
            `dpkg --compare-versions '${a}' lt '${b}' && echo -1 || { dpkg --compare-versions '${a}' eq '${b}' && echo 0 || echo 1; }`,
        )
        .join('\n');
      const answers = execFileSync('sh', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        .trim()
        .split('\n');
      expect(pairs.map(([a, b], at) => `${a} ? ${b}: ${answers[at]}`)).toEqual(
        pairs.map(([a, b]) => `${a} ? ${b}: ${Math.sign(compare(a, b))}`),
      );
    },
  );
});
