import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  dockerName,
  effectiveTag,
  parseImageReference,
  pinned,
  registryOf,
  sameRepository,
  splitRegistry,
  withoutTag,
} from './index.ts';

const digest = `sha256:${'0'.repeat(64)}`;

test.each([
  ['nginx', { repository: 'nginx' }],
  ['nginx:1', { repository: 'nginx', tag: '1' }],
  ['library/nginx', { repository: 'library/nginx' }],
  ['docker.io/library/nginx', { host: 'docker.io', repository: 'library/nginx' }],
  ['team/ghcr.io/web', { repository: 'team/ghcr.io/web' }],
  ['127.0.0.1:7500/web:prod', { host: '127.0.0.1:7500', repository: 'web', tag: 'prod' }],
  ['registry:5000/web', { host: 'registry:5000', repository: 'web' }],
  [`localhost/team/web@${digest}`, { host: 'localhost', repository: 'team/web', digest }],
  [`a.b/web:v1@${digest}`, { host: 'a.b', repository: 'web', tag: 'v1', digest }],
  [`web@sha512:${'a'.repeat(128)}`, { repository: 'web', digest: `sha512:${'a'.repeat(128)}` }],
  ['[::1]:7500/web', { host: '[::1]:7500', repository: 'web' }],
  ['[FD00::1]/web', { host: '[FD00::1]', repository: 'web' }],
  ['GHCR.io/me/web:V1', { host: 'GHCR.io', repository: 'me/web', tag: 'V1' }],
  ['Registry/web', { host: 'Registry', repository: 'web' }],
  ['a.b/x--y/z__1.2_3', { host: 'a.b', repository: 'x--y/z__1.2_3' }],
  ['sha256:abc', { repository: 'sha256', tag: 'abc' }],
])('%s is a reference', (text, parts) => {
  expect(parseImageReference(text)).toEqual(parts);
});

test.each([
  '',
  ' web',
  'web\n',
  'a b',
  '/web',
  'web/',
  'a.b//web',
  'web:',
  'web:-1',
  `web:${'a'.repeat(129)}`,
  'Web',
  'a.b/Web',
  'HOST/..',
  'a.b/x..y',
  'a.b/x___y',
  'a.b/-x',
  '.a/web',
  'a-.b/web',
  'a_b.c/web',
  'user@a.b/web',
  'a.b:x/web',
  'a.b:/web',
  'a.b:123456/web',
  '::1/web',
  '[::1/web',
  '[::1]x/web',
  '[fe80::1%eth0]/web',
  'https://a.b/web',
  'web@sha256:12',
  `web@sha256:${'A'.repeat(64)}`,
  `web@md5:${'0'.repeat(32)}`,
  `web@${digest}@${digest}`,
  'a'.repeat(256),
  '0'.repeat(64),
  '<IMAGE1_NAME>',
  '${IMAGE}',
])('%j is none', (text) => {
  expect(parseImageReference(text)).toBeUndefined();
});

test('whatever text comes, what is parsed is what was written', () => {
  const parts = fc.constantFrom('a', 'B', '1', '.', ':', '/', '@', '-', '_', '[', ']', 'localhost', digest);
  const text = fc.array(parts, { maxLength: 14 }).map((all) => all.join(''));
  fc.assert(
    fc.property(text, (image) => {
      const reference = parseImageReference(image);
      if (reference === undefined) return;
      const { tag, digest: of } = reference;
      const again = `${withoutTag(reference)}${tag === undefined ? '' : `:${tag}`}${of === undefined ? '' : `@${of}`}`;
      expect(again).toBe(image);
      expect(registryOf(image)).toBe(reference.host?.toLowerCase() ?? 'docker.io');
    }),
  );
});

describe('the registry of an image', () => {
  test.each([
    ['busybox', 'docker.io'],
    ['library/busybox:1', 'docker.io'],
    ['index.docker.io/library/busybox', 'docker.io'],
    ['registry-1.docker.io/library/busybox', 'docker.io'],
    ['ghcr.io/me/web@sha256:00', 'ghcr.io'],
    ['localhost/web', 'localhost'],
    ['registry:5000/web', 'registry:5000'],
    ['Registry/web', 'registry'],
    ['[::1]:5000/web', '[::1]:5000'],
    ['team/ghcr.io/web', 'docker.io'],
  ])('of %s is %s', (image, registry) => {
    expect(registryOf(image)).toBe(registry);
  });

  test.each([
    ['ghcr.io', { host: 'ghcr.io' }],
    ['registry:5000', { host: 'registry', port: 5000 }],
    ['[::1]:5000', { host: '::1', port: 5000 }],
    ['[::1]', { host: '::1' }],
  ])('%s is a host and a port', (registry, parts) => {
    expect(splitRegistry(registry)).toEqual(parts);
  });
});

test('one repository, however it is written', () => {
  const same = (one: string, other: string): boolean => {
    const [first, second] = [parseImageReference(one), parseImageReference(other)];
    if (first === undefined || second === undefined) throw new Error('no references');
    return sameRepository(first, second);
  };
  expect(same('web:1', `docker.io/library/web@${digest}`)).toBe(true);
  expect(same('me/web', 'index.docker.io/me/web')).toBe(true);
  expect(same('GHCR.io/me/web', 'ghcr.io/me/web:2')).toBe(true);
  expect(same('me/web', 'ghcr.io/me/web')).toBe(false);
  expect(same('ghcr.io/web', 'ghcr.io/library/web')).toBe(false);
  expect(same('a.b/web', 'a.b:443/web')).toBe(false);
});

test('Docker is asked by tag or by digest', () => {
  expect(dockerName({ repository: 'web' })).toBe('web');
  expect(dockerName({ host: 'a.b', repository: 'web', tag: '1' })).toBe('a.b/web:1');
  expect(dockerName({ host: 'a.b', repository: 'web', tag: '1', digest })).toBe(`a.b/web@${digest}`);
});

test('a pin keeps the tag to be read', () => {
  expect(pinned({ host: 'a.b', repository: 'web' }, digest)).toBe(`a.b/web:latest@${digest}`);
  expect(pinned({ host: 'a.b', repository: 'web', tag: 'v1', digest: 'sha256:old' }, digest)).toBe(
    `a.b/web:v1@${digest}`,
  );
  expect(pinned({ repository: 'web', digest: 'sha256:old' }, digest)).toBe(`web@${digest}`);
  expect(effectiveTag({ repository: 'web' })).toBe('latest');
  expect(effectiveTag({ repository: 'web', digest })).toBeUndefined();
});
