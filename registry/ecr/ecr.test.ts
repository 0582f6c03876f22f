import {
  BatchCheckLayerAvailabilityCommand,
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  DeleteLifecyclePolicyCommand,
  DeleteRegistryPolicyCommand,
  DeleteRepositoryCommand,
  DeleteRepositoryPolicyCommand,
  DescribeImagesCommand,
  DescribeRegistryCommand,
  DescribeRepositoriesCommand,
  type ECRClient,
  GetAccountSettingCommand,
  GetAuthorizationTokenCommand,
  GetDownloadUrlForLayerCommand,
  GetLifecyclePolicyCommand,
  GetRegistryPolicyCommand,
  GetRepositoryPolicyCommand,
  InitiateLayerUploadCommand,
  ListImageReferrersCommand,
  ListImagesCommand,
  ListTagsForResourceCommand,
  PutAccountSettingCommand,
  PutImageCommand,
  PutImageScanningConfigurationCommand,
  PutImageTagMutabilityCommand,
  PutLifecyclePolicyCommand,
  PutRegistryPolicyCommand,
  SetRepositoryPolicyCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

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

/** Uploads a layer by the layer API. */
async function upload(repositoryName: string, bytes: Buffer): Promise<string> {
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  await ecr.send(
    new UploadLayerPartCommand({
      repositoryName,
      uploadId,
      partFirstByte: 0,
      partLastByte: bytes.length - 1,
      layerPartBlob: bytes,
    }),
  );
  const { layerDigest } = await ecr.send(
    new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256(bytes)] }),
  );
  return layerDigest as string;
}

async function put(repositoryName: string, seed: string, imageTag?: string, extra: object = {}) {
  const config = Buffer.from(JSON.stringify({ seed }));
  const digest = await upload(repositoryName, config);
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [],
    ...extra,
  });
  const { image } = await ecr.send(new PutImageCommand({ repositoryName, imageManifest, imageTag }));
  return { imageManifest, imageDigest: image?.imageId?.imageDigest as string, config, configDigest: digest };
}

test('CreateRepository, DescribeRepositories, DeleteRepository: defaults and read-back as ECR has them', async () => {
  const repositoryName = 'shop/cart';
  const { repository } = await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  expect(repository).toEqual({
    repositoryArn: `arn:aws:ecr:us-east-1:${account}:repository/shop/cart`,
    registryId: account,
    repositoryName,
    repositoryUri: `${registry.host}/shop/cart`,
    createdAt: expect.any(Date),
    imageTagMutability: 'MUTABLE',
    imageScanningConfiguration: { scanOnPush: false },
    encryptionConfiguration: { encryptionType: 'AES256' },
  });
  await expect(ecr.send(new CreateRepositoryCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryAlreadyExistsException',
    message: `The repository with name 'shop/cart' already exists in the registry with id '${account}'`,
  });
  const { repositories } = await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }));
  expect(repositories).toEqual([repository]);
  await expect(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: ['shop/none'] }))).rejects.toMatchObject({
    name: 'RepositoryNotFoundException',
    message: `The repository with name 'shop/none' does not exist in the registry with id '${account}'`,
  });
  await put(repositoryName, 'a', 'x');
  await expect(ecr.send(new DeleteRepositoryCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryNotEmptyException',
  });
  const gone = await ecr.send(new DeleteRepositoryCommand({ repositoryName, force: true }));
  expect(gone.repository?.repositoryName).toBe(repositoryName);
  await expect(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }))).rejects.toMatchObject({
    name: 'RepositoryNotFoundException',
  });
});

test('DescribeRepositories pages; a token that was tampered with is refused (C4)', async () => {
  for (let count = 0; count < 3; count++) await newRepository();
  const names: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ecr.send(new DescribeRepositoriesCommand({ maxResults: 1, nextToken }));
    names.push(...(page.repositories ?? []).map((repository) => repository.repositoryName));
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  expect(names.length).toBeGreaterThanOrEqual(3);
  expect(names).toEqual(names.toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)));
  const first = await ecr.send(new DescribeRepositoriesCommand({ maxResults: 1 }));
  const forged = `${first.nextToken?.slice(0, -2)}AA`;
  await expect(ecr.send(new DescribeRepositoriesCommand({ maxResults: 1, nextToken: forged }))).rejects.toMatchObject({
    name: 'InvalidParameterException',
  });
  await expect(ecr.send(new DescribeRepositoriesCommand({ maxResults: 1001 }))).rejects.toMatchObject({
    name: 'InvalidParameterException',
  });
});

test('InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload: parts in order, the last may be small', async () => {
  const repositoryName = await newRepository();
  const bytes = Buffer.alloc(6 * 1024 * 1024, 'layer');
  const { uploadId, partSize } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  expect(partSize).toBe(10 * 1024 * 1024);
  const part = (from: number, to: number) =>
    ecr.send(
      new UploadLayerPartCommand({
        repositoryName,
        uploadId,
        partFirstByte: from,
        partLastByte: to - 1,
        layerPartBlob: bytes.subarray(from, to),
      }),
    );
  const half = 5 * 1024 * 1024;
  expect((await part(0, half)).lastByteReceived).toBe(half - 1);
  await expect(part(half + 1, half + 2)).rejects.toMatchObject({
    name: 'InvalidLayerPartException',
    lastValidByteReceived: half - 1,
    uploadId,
  });
  expect((await part(half, bytes.length)).lastByteReceived).toBe(bytes.length - 1);
  await expect(
    ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256('other')] })),
  ).rejects.toMatchObject({ name: 'InvalidLayerException' });
  const done = await ecr.send(
    new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256(bytes)] }),
  );
  expect(done).toMatchObject({ registryId: account, repositoryName, uploadId, layerDigest: sha256(bytes) });
  await expect(part(0, 1)).rejects.toMatchObject({ name: 'UploadNotFoundException' });
  await expect(upload(repositoryName, bytes)).rejects.toMatchObject({ name: 'LayerAlreadyExistsException' });
});

test('CompleteLayerUpload refuses an upload without parts, and one with a small part before the last', async () => {
  const repositoryName = await newRepository();
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  const complete = () =>
    ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256('ab')] }));
  await expect(complete()).rejects.toMatchObject({ name: 'EmptyUploadException' });
  for (const [at, text] of ['a', 'b'].entries()) {
    await ecr.send(
      new UploadLayerPartCommand({
        repositoryName,
        uploadId,
        partFirstByte: at,
        partLastByte: at,
        layerPartBlob: Buffer.from(text),
      }),
    );
  }
  await expect(complete()).rejects.toMatchObject({ name: 'LayerPartTooSmallException' });
});

test('BatchCheckLayerAvailability and GetDownloadUrlForLayer: the URL gives the bytes to whoever has it, and only those', async () => {
  const repositoryName = await newRepository();
  const bytes = Buffer.from('downloadable');
  const layerDigest = await upload(repositoryName, bytes);
  const { layers, failures } = await ecr.send(
    new BatchCheckLayerAvailabilityCommand({
      repositoryName,
      layerDigests: [layerDigest, sha256('absent'), 'nonsense'],
    }),
  );
  expect(layers).toEqual([
    { layerDigest, layerAvailability: 'AVAILABLE', layerSize: bytes.length },
    { layerDigest: sha256('absent'), layerAvailability: 'UNAVAILABLE' },
  ]);
  expect(failures).toEqual([
    { layerDigest: 'nonsense', failureCode: 'InvalidLayerDigest', failureReason: 'Invalid layer digest' },
  ]);
  const { downloadUrl } = await ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest }));
  expect(await (await fetch(downloadUrl as string)).text()).toBe('downloadable');
  expect((await fetch((downloadUrl as string).replace(/..$/, 'AA'))).status).toBe(403);
  await expect(
    ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: sha256('absent') })),
  ).rejects.toMatchObject({ name: 'LayersNotFoundException' });
});

test('PutImage and BatchGetImage: the manifest comes back byte for byte; refusals carry the names of the model', async () => {
  const repositoryName = await newRepository({ imageTagMutability: 'IMMUTABLE' });
  const first = await put(repositoryName, 'a', 'v1');
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
  await expect(put(repositoryName, 'b', 'v1')).rejects.toMatchObject({ name: 'ImageTagAlreadyExistsException' });
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
  const a = await put(repositoryName, 'a', 'one');
  await ecr.send(new PutImageCommand({ repositoryName, imageManifest: a.imageManifest, imageTag: 'two' }));
  await ecr.send(new PutImageCommand({ repositoryName, imageManifest: a.imageManifest, imageTag: 'three' }));
  const b = await put(repositoryName, 'b');
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

test('BatchDeleteImage: by tag the image goes with its last tag, by digest at once, and what an index lists stays', async () => {
  const repositoryName = await newRepository();
  const child = await put(repositoryName, 'child', 'amd64');
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
  const subject = await put(repositoryName, 'subject', 'x');
  const signature = await put(repositoryName, 'signature', undefined, {
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

test('SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy: kept as it was set; no policy, and what locks out, is refused', async () => {
  const repositoryName = await newRepository();
  const policyText = JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: [{ Sid: 'pull', Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage'] }],
    },
    undefined,
    2,
  );
  await expect(ecr.send(new GetRepositoryPolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryPolicyNotFoundException',
  });
  await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText }));
  expect(JSON.parse((await ecr.send(new GetRepositoryPolicyCommand({ repositoryName }))).policyText ?? '')).toEqual(
    JSON.parse(policyText),
  );
  await expect(
    ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: '{"Statement": [}' })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' });
  const lockOut = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:*' }],
  });
  await expect(ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: lockOut }))).rejects.toMatchObject(
    { name: 'InvalidParameterException' },
  );
  await ecr.send(new DeleteRepositoryPolicyCommand({ repositoryName }));
  await expect(ecr.send(new DeleteRepositoryPolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryPolicyNotFoundException',
  });
});

test('a denial in the registry policy holds for every repository, and ends with the policy (PutRegistryPolicy, GetRegistryPolicy, DeleteRegistryPolicy)', async () => {
  const repositoryName = await newRepository();
  await expect(ecr.send(new GetRegistryPolicyCommand({}))).rejects.toMatchObject({
    name: 'RegistryPolicyNotFoundException',
  });
  const arn = `arn:aws:ecr:us-east-1:${account}:repository/${repositoryName}`;
  const policyText = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:ListImages', Resource: arn }],
  });
  await ecr.send(new PutRegistryPolicyCommand({ policyText }));
  const list = () => ecr.send(new ListImagesCommand({ repositoryName }));
  await expect.poll(() => list().catch((error: Error) => error.name), { timeout: 5000 }).toBe('AccessDeniedException');
  expect((await ecr.send(new GetRegistryPolicyCommand({}))).registryId).toBe(account);
  await ecr.send(new DeleteRegistryPolicyCommand({}));
  await expect.poll(async () => (await list().catch(() => undefined))?.imageIds, { timeout: 5000 }).toEqual([]);
});

test('TagResource, UntagResource, ListTagsForResource within the limits of tags', async () => {
  const repositoryName = await newRepository({ tags: [{ Key: 'team', Value: 'a' }] });
  const resourceArn = `arn:aws:ecr:us-east-1:${account}:repository/${repositoryName}`;
  await ecr.send(
    new TagResourceCommand({
      resourceArn,
      tags: [
        { Key: 'team', Value: 'b' },
        { Key: 'tier', Value: '' },
      ],
    }),
  );
  expect((await ecr.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual([
    { Key: 'team', Value: 'b' },
    { Key: 'tier', Value: '' },
  ]);
  await ecr.send(new UntagResourceCommand({ resourceArn, tagKeys: ['team'] }));
  expect((await ecr.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual([{ Key: 'tier', Value: '' }]);
  const many = Array.from({ length: 50 }, (_, number) => ({ Key: `k${number}`, Value: 'v' }));
  await expect(ecr.send(new TagResourceCommand({ resourceArn, tags: many }))).rejects.toMatchObject({
    name: 'TooManyTagsException',
  });
  await expect(
    ecr.send(new TagResourceCommand({ resourceArn, tags: [{ Key: 'aws:x', Value: '' }] })),
  ).rejects.toMatchObject({ name: 'InvalidTagParameterException' });
  await expect(ecr.send(new ListTagsForResourceCommand({ resourceArn: 'arn:aws:s3:::bucket' }))).rejects.toMatchObject({
    name: 'InvalidParameterException',
  });
});

test('PutImageTagMutability and PutImageScanningConfiguration are read back; filters go with the form that has them', async () => {
  const repositoryName = await newRepository();
  const filters = [{ filterType: 'WILDCARD' as const, filter: 'dev-*' }];
  await ecr.send(
    new PutImageTagMutabilityCommand({
      repositoryName,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
    }),
  );
  await ecr.send(
    new PutImageScanningConfigurationCommand({ repositoryName, imageScanningConfiguration: { scanOnPush: true } }),
  );
  const read = async () =>
    (await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }))).repositories?.[0];
  expect(await read()).toMatchObject({
    imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: filters,
    imageScanningConfiguration: { scanOnPush: true },
  });
  await ecr.send(new PutImageTagMutabilityCommand({ repositoryName, imageTagMutability: 'MUTABLE' }));
  expect(await read()).not.toHaveProperty('imageTagMutabilityExclusionFilters');
  await expect(
    ecr.send(new PutImageTagMutabilityCommand({ repositoryName, imageTagMutability: 'MUTABLE_WITH_EXCLUSION' })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' });
});

test('PutLifecyclePolicy, GetLifecyclePolicy, DeleteLifecyclePolicy: kept as it was set, refused with the rule and the member', async () => {
  const repositoryName = await newRepository();
  const rule = {
    rulePriority: 1,
    selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
    action: { type: 'expire' },
  };
  const lifecyclePolicyText = JSON.stringify({ rules: [rule] });
  await expect(ecr.send(new GetLifecyclePolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'LifecyclePolicyNotFoundException',
  });
  await ecr.send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText }));
  expect((await ecr.send(new GetLifecyclePolicyCommand({ repositoryName }))).lifecyclePolicyText).toBe(
    lifecyclePolicyText,
  );
  const wrong = JSON.stringify({ rules: [{ ...rule, selection: { ...rule.selection, countNumber: 0 } }] });
  await expect(
    ecr.send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: wrong })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException', message: expect.stringContaining('countNumber') });
  await ecr.send(new DeleteLifecyclePolicyCommand({ repositoryName }));
  await expect(ecr.send(new DeleteLifecyclePolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'LifecyclePolicyNotFoundException',
  });
});

test('GetAuthorizationToken, DescribeRegistry, GetAccountSetting, PutAccountSetting', async () => {
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  expect(authorizationData?.[0]?.proxyEndpoint).toBe(registry.url);
  expect(Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString()).toMatch(/^AWS:/);
  expect(authorizationData?.[0]?.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 11 * 3_600_000);
  expect(await ecr.send(new DescribeRegistryCommand({}))).toMatchObject({
    registryId: account,
    replicationConfiguration: { rules: [] },
  });
  expect((await ecr.send(new GetAccountSettingCommand({ name: 'BLOB_MOUNTING' }))).value).toBe('ENABLED');
  await ecr.send(new PutAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE', value: 'V1' }));
  expect((await ecr.send(new GetAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE' }))).value).toBe('V1');
  await ecr.send(new PutAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE', value: 'V2' }));
  await expect(
    ecr.send(new PutAccountSettingCommand({ name: 'BASIC_SCAN_TYPE_VERSION', value: 'CLAIR' })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
});
