import { expect, test } from 'vitest';
import { digestOf, mediaTypes, parseRepositoryName } from '../images/index.ts';
import { account, actor, openTestImages, pushBlob } from '../images/testing/index.ts';
import { isImage } from './image-kind.ts';

const digest = digestOf(Buffer.from('a config'));
const tar = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 9 };
const statement = { mediaType: 'application/vnd.in-toto+json', digest, size: 9 };
const configOf = (mediaType: unknown, of = digest) => ({ mediaType, digest: of, size: 9 });
const helm = 'application/vnd.cncf.helm.config.v1+json';
const ociConfig = 'application/vnd.oci.image.config.v1+json';

test.each([
  ['an image', mediaTypes.ociManifest, { config: configOf(ociConfig), layers: [tar] }, true],
  ['one of docker', mediaTypes.dockerManifest, { config: configOf(ociConfig), layers: [tar] }, true],
  ['one whose config has an empty type', mediaTypes.ociManifest, { config: configOf(''), layers: [tar] }, true],
  ['one whose config has no type', mediaTypes.ociManifest, { config: configOf(undefined), layers: [tar] }, true],
  ...['application/octet-stream', 'application/json', 'text/html', 'application/vnd.wasm.config.v1+json', 'x/y'].map(
    (type): [string, string, object, boolean] => [
      `one whose config is called ${type}`,
      mediaTypes.ociManifest,
      { config: configOf(type), layers: [tar] },
      true,
    ],
  ),
  ["docker's own manifest that calls its config a chart", mediaTypes.dockerManifest, { config: configOf(helm) }, true],
  ['a type nobody knows', 'application/vnd.example.thing', { layers: [tar] }, true],
  [
    'an image with a statement among its layers',
    mediaTypes.ociManifest,
    { config: configOf(ociConfig), layers: [tar, statement] },
    true,
  ],
  [
    'an image whose layers are called statements',
    mediaTypes.ociManifest,
    { config: configOf(ociConfig), layers: [statement] },
    true,
  ],
  ['layers that are null', mediaTypes.ociManifest, { config: configOf(ociConfig), layers: null }, true],
  ['a chart', mediaTypes.ociManifest, { config: configOf(helm), layers: [tar] }, false],
  [
    'a build cache',
    mediaTypes.ociManifest,
    { config: configOf('application/vnd.buildkit.cacheconfig.v0'), layers: [tar] },
    false,
  ],
  [
    'what needs no config',
    mediaTypes.ociManifest,
    { config: configOf('x/y', digestOf(Buffer.from('{}'))), layers: [tar] },
    false,
  ],
  ['an artifact manifest', mediaTypes.ociArtifact, { blobs: [tar] }, false],
  ['an index', mediaTypes.ociIndex, { manifests: [] }, false],
  ["docker's list", mediaTypes.dockerList, { manifests: [] }, false],
] as [string, string, object, boolean][])('%s', async (_name, mediaType, manifest, expected) => {
  await using registry = await openTestImages();
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...manifest }));
  expect(await isImage(registry.images, account, 'team/web', digestOf(bytes), { mediaType, bytes })).toBe(expected);
});

test.each([
  [{ os: 'unknown', architecture: 'unknown' }, false],
  [{ os: 'linux', architecture: 'unknown' }, true],
  [{ os: 'unknown' }, true],
  [null, true],
  [{ os: 'unknown', architecture: 'unknown', padding: 'x'.repeat(100_000) }, true],
])('statements whose config says %j: %s', async (config, expected) => {
  await using registry = await openTestImages();
  const { images } = registry;
  const repository = parseRepositoryName('team/web');
  await images.repositories.create(account, { name: repository }, actor);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: await pushBlob(images, repository, JSON.stringify(config), ociConfig),
    layers: [await pushBlob(images, repository, '{"_type":1}', statement.mediaType)],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const put = await images.manifests.put({ account, repository, bytes, tags: [], actor });
  expect(await isImage(images, account, repository, put.digest)).toBe(expected);
});

test('what is not here is no image', async () => {
  await using registry = await openTestImages();
  expect(await isImage(registry.images, account, 'team/web', digest)).toBe(false);
});
