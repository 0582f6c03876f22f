import { expect, test } from 'vitest';
import { account, actor, openTestImages, pushBlob, pushImage, pushIndex, sha256 } from './testing/index.ts';
import { inOwnMemory, mediaTypes, parseRepositoryName, parseTag, registryPartition } from './index.ts';

const web = parseRepositoryName('team/web');

async function openWithRepository(settings: object = {}) {
  const opened = await openTestImages();
  await opened.images.repositories.create(account, { name: web, ...settings }, actor);
  return opened;
}

test('a push is manifest, tag and event together, and a repeat changes and announces nothing', async () => {
  await using opened = await openWithRepository();
  const { images, records } = opened;
  const first = await pushImage(images, web, 'a', ['prod']);
  const again = await images.manifests.put({
    account,
    repository: web,
    bytes: first.bytes,
    tags: [parseTag('prod')],
    actor,
  });
  expect(first.changed).toBe(true);
  expect(again).toMatchObject({ digest: first.digest, changed: false });
  expect(await images.resolve(account, web, 'prod')).toEqual({
    digest: first.digest,
    mediaType: mediaTypes.ociManifest,
    size: first.bytes.length,
  });

  const second = await pushImage(images, web, 'b', ['prod']);
  const events = [...(await records.announced(registryPartition(account), 'registry', 0, 100))].filter(
    (event) => event.type === 'image.pushed',
  );
  expect(events.map((event) => event.data)).toEqual([
    {
      account,
      repository: 'team/web',
      tag: 'prod',
      digest: first.digest,
      previous: null,
      mediaType: mediaTypes.ociManifest,
      actor,
    },
    {
      account,
      repository: 'team/web',
      tag: 'prod',
      digest: second.digest,
      previous: first.digest,
      mediaType: mediaTypes.ociManifest,
      actor,
    },
  ]);
});

test('a manifest is kept byte for byte, white space and unknown members included', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const config = await pushBlob(images, web, '{}', 'application/vnd.oci.empty.v1+json');
  const bytes = Buffer.from(
    `{ "x-unknown" : [1.0,  1e2],\n "schemaVersion":2,"mediaType":"${mediaTypes.ociManifest}","config":${JSON.stringify(config)},"layers":[ ],"ü":"\\u00fc" }\n`,
  );
  const { digest } = await images.manifests.put({ account, repository: web, bytes, tags: [], actor });
  expect(await images.manifests.content(account, web, digest)).toEqual(bytes);
});

test('a manifest that is kept in memory keeps no more than itself', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const { digest, bytes } = await pushImage(images, web, 'a', []);
  const content = await images.manifests.content(account, web, digest);
  expect(content).toEqual(bytes);
  expect(content.buffer.byteLength).toBe(bytes.length);
  expect(inOwnMemory(Buffer.from('ü')).buffer.byteLength).toBe(2);
});

test('20 writers moving one tag leave one order: every event names the digest before it', async () => {
  await using opened = await openWithRepository();
  const { images, records } = opened;
  await Promise.all(Array.from({ length: 20 }, (_, writer) => pushImage(images, web, `writer ${writer}`, ['latest'])));
  const events = (await records.announced(registryPartition(account), 'registry', 0, 1000)).filter(
    (event) => event.type === 'image.pushed',
  );
  const moves = events.map((event) => event.data as { digest: string; previous: string | null });
  expect(moves).toHaveLength(20);
  let previous: string | null = null;
  for (const move of moves) {
    expect(move.previous).toBe(previous);
    previous = move.digest;
  }
  expect((await images.resolve(account, web, 'latest'))?.digest).toBe(previous);
});

test('M4: a manifest cannot name blobs that only another repository has', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const other = parseRepositoryName('other/app');
  await images.repositories.create(account, { name: other }, actor);
  const config = await pushBlob(images, other, 'secret config', 'application/vnd.oci.image.config.v1+json');
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }),
  );
  await expect(
    images.manifests.put({ account, repository: web, bytes, tags: [parseTag('x')], actor }),
  ).rejects.toMatchObject({
    code: 'LayersNotFound',
    detail: { missing: [config.digest] },
  });
  expect(await images.resolve(account, web, 'x')).toBeUndefined();
});

test('N10: missing blobs and children are refused, a missing subject is not', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const absent = { mediaType: mediaTypes.ociManifest, digest: sha256('absent'), size: 6 };
  await expect(pushIndex(images, web, [absent], [])).rejects.toMatchObject({
    code: 'ReferencedImagesNotFound',
    detail: { missing: [absent.digest] },
  });
  const signature = await pushImage(images, web, 'signature', [], {
    subject: absent,
    artifactType: 'application/x.signature',
  });
  expect(signature.subject).toBe(absent.digest);
  const { referrers } = await images.manifests.referrers(account, web, absent.digest, { limit: 10 });
  expect(referrers).toEqual([
    {
      mediaType: mediaTypes.ociManifest,
      digest: signature.digest,
      size: signature.bytes.length,
      artifactType: 'application/x.signature',
    },
  ]);
});

test('N7: a descriptor whose size is not the size of its blob is refused', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const layer = await pushBlob(images, web, 'twelve bytes');
  const config = await pushBlob(images, web, '{}', 'application/vnd.oci.image.config.v1+json');
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [{ ...layer, size: 13 }] }),
  );
  await expect(images.manifests.put({ account, repository: web, bytes, tags: [], actor })).rejects.toMatchObject({
    code: 'ManifestInvalid',
  });
});

test('layers that may not be distributed need not be there; BuildKit cache indexes list layers and hold them', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const foreign = {
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: sha256('windows'),
    size: 7,
    urls: ['https://example.com/base'],
  };
  const config = await pushBlob(images, web, '{}', 'application/vnd.oci.image.config.v1+json');
  const image = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [foreign] }),
  );
  await expect(
    images.manifests.put({ account, repository: web, bytes: image, tags: [], actor }),
  ).resolves.toMatchObject({ changed: true });

  const layer = await pushBlob(images, web, 'cached layer');
  const cacheConfig = await pushBlob(images, web, 'cache config', 'application/vnd.buildkit.cacheconfig.v0');
  await pushIndex(images, web, [layer, cacheConfig], ['cache']);
  await expect(images.blobs.remove(account, web, layer.digest)).rejects.toMatchObject({ code: 'BlobInUse' });
});

test('an immutable tag stays where it is, on every path; excluded tags move', async () => {
  await using opened = await openWithRepository({
    tagMutability: 'IMMUTABLE_WITH_EXCLUSION',
    tagExclusions: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
  });
  const { images } = opened;
  const first = await pushImage(images, web, 'a', ['v1', 'dev-1']);
  await expect(pushImage(images, web, 'b', ['v1'])).rejects.toMatchObject({ code: 'ImageTagAlreadyExists' });
  await expect(pushImage(images, web, 'b', ['dev-1', 'v1'])).rejects.toMatchObject({ code: 'ImageTagAlreadyExists' });
  expect((await images.resolve(account, web, 'dev-1'))?.digest).toBe(first.digest);
  const second = await pushImage(images, web, 'b', ['dev-1']);
  expect((await images.resolve(account, web, 'dev-1'))?.digest).toBe(second.digest);
  await expect(pushImage(images, web, 'a', ['v1'])).resolves.toMatchObject({ changed: false });
});

test('an image has at most as many tags as the limit says, also after some moved away', async () => {
  await using opened = await openTestImages({ tagsPerImage: 2 });
  const { images } = opened;
  await images.repositories.create(account, { name: web }, actor);
  await pushImage(images, web, 'a', ['1', '2']);
  await expect(pushImage(images, web, 'a', ['3'])).rejects.toMatchObject({ code: 'TooManyTags' });
  await pushImage(images, web, 'b', ['2']);
  await expect(pushImage(images, web, 'a', ['3'])).resolves.toMatchObject({ changed: true });
});

test('a manifest that an index lists stays until the index is gone; deletion takes tags and leaves blobs to the collector', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const child = await pushImage(images, web, 'amd64', ['amd64']);
  const index = await pushIndex(images, web, [child.descriptor], ['multi']);
  await expect(images.manifests.remove(account, web, child.digest, actor)).rejects.toMatchObject({
    code: 'ManifestInUse',
    detail: { parent: index.digest },
  });
  await images.manifests.remove(account, web, index.digest, actor);
  const removed = await images.manifests.remove(account, web, child.digest, actor);
  expect(removed.tags).toEqual(['amd64']);
  expect(await images.resolve(account, web, 'amd64')).toBeUndefined();
  await expect(images.blobs.remove(account, web, child.layer.digest)).resolves.toBeUndefined();
});

test('a repository that is made again under an old name does not serve what the old one held', async () => {
  await using opened = await openWithRepository();
  const { images } = opened;
  const { layer } = await pushImage(images, web, 'a', ['x']);
  await expect(images.repositories.remove(account, web, { force: false, actor })).rejects.toMatchObject({
    code: 'RepositoryNotEmpty',
  });
  await images.repositories.remove(account, web, { force: true, actor });
  await images.repositories.create(account, { name: web }, actor);
  expect((await images.blobs.look(account, web, layer.digest)).blob).toBeUndefined();
  expect(await images.resolve(account, web, 'x')).toBeUndefined();
});
