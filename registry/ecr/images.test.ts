import {
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  type ECRClient,
  ListImageReferrersCommand,
  ListImagesCommand,
  PutImageCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { putImage } from './testing/push.ts';

let registry: ServedRegistry;
let ecr: ECRClient;
let made = 0;

beforeAll(async () => {
  registry = await serveRegistry();
  ecr = ecrClient(registry);
});
afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

const newRepository = async (settings: object = {}): Promise<string> => {
  const repositoryName = `team/app-${++made}`;
  await ecr.send(new CreateRepositoryCommand({ repositoryName, ...settings }));
  return repositoryName;
};

test('PutImage and BatchGetImage: the manifest comes back byte for byte; refusals carry the names of the model', async () => {
  const repositoryName = await newRepository({ imageTagMutability: 'IMMUTABLE' });
  const first = await putImage(ecr, repositoryName, 'a', 'v1');
  const { images, failures } = await ecr.send(
    new BatchGetImageCommand({
      repositoryName,
      imageIds: [
        { imageTag: 'v1' },
        { imageTag: 'v2' },
        { imageTag: 'v1', imageDigest: sha256('x') },
        {},
        { imageDigest: 'no' },
      ],
    }),
  );
  expect(images).toEqual([
    {
      registryId: account,
      repositoryName,
      imageId: { imageDigest: first.imageDigest, imageTag: 'v1' },
      imageManifest: first.imageManifest,
      imageManifestMediaType: mediaTypes.ociManifest,
    },
  ]);
  expect(failures?.map((failure) => failure.failureCode)).toEqual([
    'ImageNotFound',
    'ImageTagDoesNotMatchDigest',
    'MissingDigestAndTag',
    'InvalidImageDigest',
  ]);
  const again = (imageTag: string | undefined, imageManifest = first.imageManifest, imageDigest?: string) =>
    ecr.send(new PutImageCommand({ repositoryName, imageManifest, imageTag, imageDigest }));
  await expect(again('v1')).rejects.toMatchObject({ name: 'ImageAlreadyExistsException' });
  await expect(putImage(ecr, repositoryName, 'b', 'v1')).rejects.toMatchObject({
    name: 'ImageTagAlreadyExistsException',
  });
  await expect(again('v3', first.imageManifest, sha256('x'))).rejects.toMatchObject({
    name: 'ImageDigestDoesNotMatchException',
  });
  await expect(again('v3', '{"schemaVersion":1}')).rejects.toMatchObject({ name: 'InvalidParameterException' });
  const missing = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256('missing'), size: 7 };
  await expect(
    again('v3', JSON.stringify({ ...JSON.parse(first.imageManifest), layers: [missing] })),
  ).rejects.toMatchObject({ name: 'LayersNotFoundException' });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...missing, mediaType: mediaTypes.ociManifest }],
  });
  await expect(again('v3', index)).rejects.toMatchObject({ name: 'ReferencedImagesNotFoundException' });
});

test('ListImages and DescribeImages: every tag once, filters, pages that end between two tags of an image', async () => {
  const repositoryName = await newRepository();
  const a = await putImage(ecr, repositoryName, 'a', 'one');
  await ecr.send(new PutImageCommand({ repositoryName, imageManifest: a.imageManifest, imageTag: 'two' }));
  await ecr.send(new PutImageCommand({ repositoryName, imageManifest: a.imageManifest, imageTag: 'three' }));
  const b = await putImage(ecr, repositoryName, 'b');
  const ids: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ecr.send(new ListImagesCommand({ repositoryName, maxResults: 2, nextToken }));
    ids.push(
      ...(page.imageIds ?? []).map((id) => `${id.imageDigest === a.imageDigest ? 'a' : 'b'}:${id.imageTag ?? ''}`),
    );
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  expect(new Set(ids)).toEqual(new Set(['a:one', 'a:three', 'a:two', 'b:']));
  expect(ids).toHaveLength(4);
  const tagged = await ecr.send(new ListImagesCommand({ repositoryName, filter: { tagStatus: 'UNTAGGED' } }));
  expect(tagged.imageIds).toEqual([{ imageDigest: b.imageDigest }]);

  await ecr.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag: 'one' }] }));
  await registry.images.pulls.flush();
  registry.images.pulls.counted();
  for (const imageTag of ['one', 'two'])
    await ecr.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag }] }));
  expect(registry.images.pulls.counted()).toEqual([{ account, repository: repositoryName, count: 2 }]);
  expect(registry.images.pulls.counted()).toEqual([]);
  const { imageDetails } = await ecr.send(
    new DescribeImagesCommand({ repositoryName, filter: { tagStatus: 'TAGGED' } }),
  );
  expect(imageDetails).toEqual([
    {
      registryId: account,
      repositoryName,
      imageDigest: a.imageDigest,
      imageTags: ['one', 'three', 'two'],
      imageSizeInBytes: a.config.length,
      imagePushedAt: expect.any(Date),
      imageManifestMediaType: mediaTypes.ociManifest,
      artifactMediaType: 'application/vnd.oci.image.config.v1+json',
      lastRecordedPullTime: expect.any(Date),
      imageStatus: 'ACTIVE',
    },
  ]);
  await expect(
    ecr.send(new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag: 'none' }] })),
  ).rejects.toMatchObject({
    name: 'ImageNotFoundException',
    message: `The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name '${repositoryName}' in the registry with id '${account}'`,
  });
});

test('PutImage wants the media type, in the manifest or beside it', async () => {
  const repositoryName = await newRepository();
  const { imageManifest } = await putImage(ecr, repositoryName, 'typed', 'typed');
  const { mediaType, ...untyped } = JSON.parse(imageManifest) as { mediaType: string };
  const put = (imageManifestMediaType?: string) =>
    ecr.send(new PutImageCommand({ repositoryName, imageManifest: JSON.stringify(untyped), imageManifestMediaType }));
  for (const type of [undefined, 'application/json'])
    await expect(put(type)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining('no mediaType'),
    });
  const { image } = await put(mediaType);
  expect(image?.imageManifestMediaType).toBe(mediaType);
});

test('BatchDeleteImage: by tag the image goes with its last tag, by digest at once, and what an index lists stays', async () => {
  const repositoryName = await newRepository();
  const child = await putImage(ecr, repositoryName, 'child', 'amd64');
  await ecr.send(new PutImageCommand({ repositoryName, imageManifest: child.imageManifest, imageTag: 'extra' }));
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: child.imageDigest, size: child.imageManifest.length };
  await ecr.send(
    new PutImageCommand({
      repositoryName,
      imageTag: 'multi',
      imageManifest: JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] }),
    }),
  );
  const remove = (...imageIds: object[]) => ecr.send(new BatchDeleteImageCommand({ repositoryName, imageIds }));

  expect((await remove({ imageTag: 'extra' })).imageIds).toEqual([
    { imageDigest: child.imageDigest, imageTag: 'extra' },
  ]);
  const held = await remove({ imageTag: 'amd64' }, { imageDigest: child.imageDigest }, { imageTag: 'nowhere' });
  expect(held.imageIds).toEqual([]);
  expect(held.failures?.map((failure) => failure.failureCode)).toEqual([
    'ImageReferencedByManifestList',
    'ImageReferencedByManifestList',
    'ImageNotFound',
  ]);
  expect((await remove({ imageTag: 'multi' }, { imageTag: 'amd64' })).failures).toEqual([]);
  expect((await ecr.send(new ListImagesCommand({ repositoryName }))).imageIds).toEqual([]);
});

test('ListImageReferrers shows what refers to an image', async () => {
  const repositoryName = await newRepository();
  const subject = await putImage(ecr, repositoryName, 'subject', 'x');
  const signature = await putImage(ecr, repositoryName, 'signature', undefined, {
    artifactType: 'application/x.signature',
    subject: { mediaType: mediaTypes.ociManifest, digest: subject.imageDigest, size: subject.imageManifest.length },
  });
  const { referrers } = await ecr.send(
    new ListImageReferrersCommand({ repositoryName, subjectId: { imageDigest: subject.imageDigest } }),
  );
  expect(referrers).toMatchObject([
    { digest: signature.imageDigest, artifactType: 'application/x.signature', artifactStatus: 'ACTIVE' },
  ]);
});
