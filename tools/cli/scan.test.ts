import { expect, test } from 'vitest';
import { parseImage } from './scan.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test.each([
  ['web:prod', 'web', { imageTag: 'prod' }],
  ['team/web:prod', 'team/web', { imageTag: 'prod' }],
  [`team/web@${digest}`, 'team/web', { imageDigest: digest }],
  ['127.0.0.1:7500/team/web:prod', 'team/web', { imageTag: 'prod' }],
  [`127.0.0.1:7500/web@${digest}`, 'web', { imageDigest: digest }],
  ['registry.example/web:prod', 'registry.example/web', { imageTag: 'prod' }],
])('%s is an image of %s', (text, repositoryName, imageId) => {
  expect(parseImage(text, '127.0.0.1:7500')).toEqual({ repositoryName, imageId });
});

test('a host on the usual port stands in image names without it', () => {
  expect(parseImage('registry.example/web:prod', 'registry.example').repositoryName).toBe('web');
});

test.each([
  ['127.0.0.2:7500/web:prod', 'is not the installation'],
  ['registry.example:443/web:prod', 'is not the installation'],
  ['web', 'name the image as'],
  ['127.0.0.1:7500/web', 'name the image as'],
  ['127.0.0.1:7500/web:', 'name the image as'],
  ['web@sha256:abc', 'name the image as'],
])('%s is refused: %s', (text, words) => {
  expect(() => parseImage(text, '127.0.0.1:7500')).toThrow(words);
});
