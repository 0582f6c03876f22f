import * as sdk from '@aws-sdk/client-ecr';
import type { Call } from '@slipway/auth/contract';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { type LifecycleReport, runLifecycle } from '../lifecycle/index.ts';
import { ecrClient, loggedIn } from '../testing/docker-client.ts';
import { pushImage } from '../testing/push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';
import { createPolicyCheck } from '../scanning/index.ts';
import { createEcr } from './index.ts';

let registry: ServedRegistry;
let ecr: sdk.ECRClient;

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

/** The operations beside the server's own, without a gateway in front. */
const servedHere = () => {
  const { images } = registry;
  return createEcr({
    images,
    region,
    policy: createPolicyCheck(images, () => false),
    authorizer: { authorize: () => Promise.reject(new Error('nobody asks')) },
    issueToken: () => Promise.reject(new Error('nobody asks')),
    principals: { bind: async (text) => text, show: async (text) => text },
  });
};

const modelled = Object.keys(sdk)
  .filter((name) => name.endsWith('Command') && name !== '$Command')
  .map((name) => name.replace(/Command$/, ''));

test('every operation of the API model is in the table of operations, and in the README with its test', async () => {
  const served = servedHere();
  const missing = modelled.filter((name) => !Object.hasOwn(served.operations, name));
  expect(modelled.length).toBe(62);
  expect(missing).toEqual([]);
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const rows = new Map(
    [...readme.matchAll(/^\| `(\w+)` \| `([\w./-]+)` \|/gm)].map(([, name, file]) => [name as string, file as string]),
  );
  expect(modelled.filter((name) => !rows.has(name))).toEqual([]);
  for (const [name, file] of rows) {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
    expect(text, `${name} in ${file}`).toContain(`${name}Command`);
  }
});

async function pushIndex(client: sdk.ECRClient, repositoryName: string, children: string[], imageTag: string) {
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map((digest) => ({ mediaType: mediaTypes.ociManifest, digest, size: 300 })),
  });
  const { image } = await client.send(new sdk.PutImageCommand({ repositoryName, imageManifest, imageTag }));
  return image?.imageId?.imageDigest as string;
}

test('UpdateImageStorageClass: an archived image cannot be pulled until it is restored or pushed again', async () => {
  const repositoryName = 'archive/app';
  const digest = await pushImage(registry, ecr, repositoryName, 'archived', 'v1');
  const http = await loggedIn(registry);
  const pull = async (reference: string) => (await http('GET', `/v2/${repositoryName}/manifests/${reference}`)).status;
  const change = (targetStorageClass: sdk.TargetStorageClass, imageId: sdk.ImageIdentifier = { imageTag: 'v1' }) =>
    ecr.send(new sdk.UpdateImageStorageClassCommand({ repositoryName, imageId, targetStorageClass }));

  expect(await change('ARCHIVE')).toMatchObject({
    registryId: account,
    repositoryName,
    imageId: { imageDigest: digest, imageTag: 'v1' },
    imageStatus: 'ARCHIVED',
  });
  expect([await pull('v1'), await pull(digest)]).toEqual([404, 404]);
  const { failures } = await ecr.send(new sdk.BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag: 'v1' }] }));
  expect(failures).toMatchObject([{ failureCode: 'ImageInaccessible' }]);
  expect((await ecr.send(new sdk.ListImagesCommand({ repositoryName }))).imageIds).toEqual([]);
  expect((await ecr.send(new sdk.DescribeImagesCommand({ repositoryName }))).imageDetails).toEqual([]);
  const described = await ecr.send(
    new sdk.DescribeImagesCommand({ repositoryName, filter: { imageStatus: 'ARCHIVED' } }),
  );
  expect(described.imageDetails).toMatchObject([{ imageStatus: 'ARCHIVED', lastArchivedAt: expect.any(Date) }]);
  expect(await registry.images.resolve(account, repositoryName, 'v1')).toBeUndefined();
  const layerDigest = sha256(JSON.stringify({ seed: 'archived' }));
  const layer = await ecr.send(
    new sdk.BatchCheckLayerAvailabilityCommand({ repositoryName, layerDigests: [layerDigest] }),
  );
  expect(layer.layers).toMatchObject([{ layerDigest, layerAvailability: 'ARCHIVED' }]);
  await expect(ecr.send(new sdk.GetDownloadUrlForLayerCommand({ repositoryName, layerDigest }))).rejects.toMatchObject({
    name: 'LayerInaccessibleException',
  });

  expect(await change('STANDARD')).toMatchObject({ imageStatus: 'ACTIVE' });
  expect([await pull('v1'), await pull(digest)]).toEqual([200, 200]);

  await change('ARCHIVE');
  await pushImage(registry, ecr, repositoryName, 'archived', 'v2');
  expect([await pull('v1'), await pull('v2')]).toEqual([200, 200]);
  await expect(change('ARCHIVE', { imageTag: 'none' })).rejects.toMatchObject({ name: 'ImageNotFoundException' });
});

test('UpdateImageStorageClass: an index takes its images along, and keeps them while it is active', async () => {
  const repositoryName = 'archive/index';
  const child = await pushImage(registry, ecr, repositoryName, 'child');
  const http = await loggedIn(registry);
  const size = Number((await http('HEAD', `/v2/${repositoryName}/manifests/${child}`)).headers.get('content-length'));
  expect(size).toBeGreaterThan(100);
  const index = await pushIndex(ecr, repositoryName, [child], 'multi');
  const change = (imageDigest: string, targetStorageClass: sdk.TargetStorageClass) =>
    ecr.send(new sdk.UpdateImageStorageClassCommand({ repositoryName, imageId: { imageDigest }, targetStorageClass }));
  await expect(change(child, 'ARCHIVE')).rejects.toMatchObject({
    name: 'ImageStorageClassUpdateNotSupportedException',
  });
  await change(index, 'ARCHIVE');
  expect((await http('GET', `/v2/${repositoryName}/manifests/${child}`)).status).toBe(404);
  await change(index, 'STANDARD');
  expect((await http('GET', `/v2/${repositoryName}/manifests/${child}`)).status).toBe(200);
});

test('CreateRepositoryCreationTemplate and its kin: a push into a new repository gets what the nearest template says', async () => {
  const lifecyclePolicy = JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 7 },
        action: { type: 'expire' },
      },
    ],
  });
  const { repositoryCreationTemplate } = await ecr.send(
    new sdk.CreateRepositoryCreationTemplateCommand({
      prefix: 'made/here',
      appliedFor: ['CREATE_ON_PUSH'],
      description: 'as the team wants it',
      imageTagMutability: 'IMMUTABLE',
      resourceTags: [{ Key: 'team', Value: 'blue' }],
      lifecyclePolicy,
    }),
  );
  expect(repositoryCreationTemplate).toEqual({
    prefix: 'made/here',
    appliedFor: ['CREATE_ON_PUSH'],
    description: 'as the team wants it',
    encryptionConfiguration: { encryptionType: 'AES256' },
    imageTagMutability: 'IMMUTABLE',
    resourceTags: [{ Key: 'team', Value: 'blue' }],
    lifecyclePolicy,
    createdAt: expect.any(Date),
    updatedAt: expect.any(Date),
  });
  await ecr.send(
    new sdk.CreateRepositoryCreationTemplateCommand({
      prefix: 'ROOT',
      appliedFor: ['CREATE_ON_PUSH'],
      imageTagMutability: 'MUTABLE',
    }),
  );
  const http = await loggedIn(registry);
  const made = async (name: string) => {
    const digest = sha256(name);
    expect((await http('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: name })).status).toBe(201);
    const { repositories } = await ecr.send(new sdk.DescribeRepositoriesCommand({ repositoryNames: [name] }));
    return repositories?.[0];
  };
  expect(await made('made/here/app')).toMatchObject({ imageTagMutability: 'IMMUTABLE' });
  expect(await made('made/hereafter')).toMatchObject({ imageTagMutability: 'MUTABLE' });
  const policy = await ecr.send(new sdk.GetLifecyclePolicyCommand({ repositoryName: 'made/here/app' }));
  expect(policy.lifecyclePolicyText).toBe(lifecyclePolicy);

  await ecr.send(
    new sdk.UpdateRepositoryCreationTemplateCommand({ prefix: 'made/here/', imageTagMutability: 'MUTABLE' }),
  );
  const described = await ecr.send(new sdk.DescribeRepositoryCreationTemplatesCommand({ prefixes: ['made/here'] }));
  expect(described.repositoryCreationTemplates).toMatchObject([
    { imageTagMutability: 'MUTABLE', description: 'as the team wants it', lifecyclePolicy },
  ]);
  await expect(
    ecr.send(new sdk.CreateRepositoryCreationTemplateCommand({ prefix: 'made/here', appliedFor: ['REPLICATION'] })),
  ).rejects.toMatchObject({ name: 'TemplateAlreadyExistsException' });
  await expect(
    ecr.send(
      new sdk.CreateRepositoryCreationTemplateCommand({
        prefix: 'made/kms',
        appliedFor: ['REPLICATION'],
        encryptionConfiguration: { encryptionType: 'KMS' },
      }),
    ),
  ).rejects.toMatchObject({ name: 'KmsException', message: expect.stringMatching(/set encryptionType to AES256/) });
  for (const prefix of ['made/here', 'ROOT'])
    await ecr.send(new sdk.DeleteRepositoryCreationTemplateCommand({ prefix }));
  await expect(ecr.send(new sdk.DeleteRepositoryCreationTemplateCommand({ prefix: 'ROOT' }))).rejects.toMatchObject({
    name: 'TemplateNotFoundException',
  });
});

test('RegisterPullTimeUpdateExclusion: pulls of an excluded user leave the time of the last pull alone', async () => {
  const repositoryName = 'pull/times';
  await pushImage(registry, ecr, repositoryName, 'pulled', 'v1');
  const credentials = await newUser(registry, 'scanner', [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }]);
  const principalArn = `arn:aws:iam::${account}:user/scanner`;
  const first = await ecr.send(new sdk.RegisterPullTimeUpdateExclusionCommand({ principalArn }));
  expect(first).toMatchObject({ principalArn, createdAt: expect.any(Date) });
  await expect(ecr.send(new sdk.RegisterPullTimeUpdateExclusionCommand({ principalArn }))).rejects.toMatchObject({
    name: 'ExclusionAlreadyExistsException',
  });
  const listed = await ecr.send(new sdk.ListPullTimeUpdateExclusionsCommand({}));
  expect(listed.pullTimeUpdateExclusions).toEqual([principalArn]);
  const pulledAt = async (pull: Awaited<ReturnType<typeof loggedIn>>) => {
    expect((await pull('GET', `/v2/${repositoryName}/manifests/v1`)).status).toBe(200);
    await registry.images.pulls.flush();
    const { imageDetails } = await ecr.send(new sdk.DescribeImagesCommand({ repositoryName }));
    return imageDetails?.[0]?.lastRecordedPullTime;
  };
  const scanner = await loggedIn(registry, credentials);
  expect(await pulledAt(scanner)).toBeUndefined();
  expect(await pulledAt(await loggedIn(registry))).toBeInstanceOf(Date);
  await ecr.send(new sdk.DeregisterPullTimeUpdateExclusionCommand({ principalArn }));
  await expect(ecr.send(new sdk.DeregisterPullTimeUpdateExclusionCommand({ principalArn }))).rejects.toMatchObject({
    name: 'ExclusionNotFoundException',
  });
});

test('BatchGetImage: what a page of the console shows is no pull', async () => {
  const repositoryName = 'pull/shown';
  const imageDigest = await pushImage(registry, ecr, repositoryName, 'shown', 'v1');
  const { BatchGetImage } = servedHere().operations;
  const principal = { type: 'user', account, arn: `arn:aws:iam::${account}:user/admin`, id: 'AIDAADMIN' };
  const shown = async (isBrowser: boolean) => {
    const input = { repositoryName, imageIds: [{ imageDigest }] };
    expect(
      await BatchGetImage?.handle(input as never, { principal, account, isBrowser } as unknown as Call),
    ).toMatchObject({ images: [{ imageId: { imageDigest } }], failures: [] });
    await registry.images.pulls.flush();
    const { imageDetails } = await ecr.send(new sdk.DescribeImagesCommand({ repositoryName }));
    return imageDetails?.[0]?.lastRecordedPullTime;
  };
  registry.images.pulls.counted();
  expect(await shown(true)).toBeUndefined();
  expect(registry.images.pulls.counted()).toEqual([]);
  expect(await shown(false)).toBeInstanceOf(Date);
});

test('PutSigningConfiguration is refused with the reason, so there is never one to read or delete', async () => {
  const rules = [{ signingProfileArn: `arn:aws:signer:us-east-1:${account}:/signing-profiles/mine` }];
  await expect(
    ecr.send(new sdk.PutSigningConfigurationCommand({ signingConfiguration: { rules } })),
  ).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('AWS Signer') });
  for (const command of [new sdk.GetSigningConfigurationCommand({}), new sdk.DeleteSigningConfigurationCommand({})])
    await expect(ecr.send(command)).rejects.toMatchObject({ name: 'SigningConfigurationNotFoundException' });
  const repositoryName = 'signing/app';
  const imageDigest = await pushImage(registry, ecr, repositoryName, 'signed', 'v1');
  const status = await ecr.send(
    new sdk.DescribeImageSigningStatusCommand({ repositoryName, imageId: { imageTag: 'v1' } }),
  );
  expect(status).toMatchObject({ repositoryName, imageId: { imageDigest }, signingStatuses: [] });
});

test('what repositories hold is counted as images come and go, and full ones refuse more', async () => {
  await using small = await serveRegistry({ limits: { imagesPerRepository: 2, repositories: 1 } });
  const client = ecrClient(small);
  await pushImage(small, client, 'full/app', 'one', 'a');
  await pushImage(small, client, 'full/app', 'two', 'b');
  expect(await small.images.repositories.count(account, 'full/app')).toEqual({ images: 2, bytes: 28 });
  await expect(pushImage(small, client, 'full/app', 'three', 'c')).rejects.toMatchObject({
    name: 'LimitExceededException',
  });
  await client.send(new sdk.BatchDeleteImageCommand({ repositoryName: 'full/app', imageIds: [{ imageTag: 'a' }] }));
  await pushImage(small, client, 'full/app', 'three', 'c');
  await expect(client.send(new sdk.CreateRepositoryCommand({ repositoryName: 'second/app' }))).rejects.toMatchObject({
    name: 'LimitExceededException',
  });
  await client.send(new sdk.DeleteRepositoryCommand({ repositoryName: 'full/app', force: true }));
  expect(await small.images.repositories.count(account, 'full/app')).toEqual({ images: 0, bytes: 0 });
  await client.send(new sdk.CreateRepositoryCommand({ repositoryName: 'second/app' }));
  client.destroy();
});

test('StartLifecyclePolicyPreview shows what a policy would archive and remove, and a run then does just that', async () => {
  const repositoryName = 'lifecycle/preview';
  const digests = [];
  for (const seed of ['a', 'b', 'c']) digests.push(await pushImage(registry, ecr, repositoryName, seed, `v-${seed}`));
  const lifecyclePolicyText = JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        description: 'only the newest can be pulled',
        selection: { tagStatus: 'tagged', tagPatternList: ['v-*'], countType: 'imageCountMoreThan', countNumber: 1 },
        action: { type: 'transition', targetStorageClass: 'archive' },
      },
    ],
  });
  await ecr.send(new sdk.PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText }));
  await ecr.send(new sdk.StartLifecyclePolicyPreviewCommand({ repositoryName }));
  const preview = await ecr.send(new sdk.GetLifecyclePolicyPreviewCommand({ repositoryName }));
  expect(preview).toMatchObject({
    status: 'COMPLETE',
    lifecyclePolicyText,
    summary: {
      expiringImageTotalCount: 0,
      transitioningImageTotalCounts: [{ targetStorageClass: 'ARCHIVE', imageTotalCount: 2 }],
    },
  });
  expect(preview.previewResults?.map((result) => result.imageDigest).toSorted()).toEqual(
    digests.slice(0, 2).toSorted(),
  );
  expect(preview.previewResults?.[0]).toMatchObject({
    action: { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' },
    appliedRulePriority: 1,
    storageClass: 'STANDARD',
  });
  const reports: LifecycleReport[] = [];
  const options = { images: registry.images, imagesInUse: () => Promise.resolve(new Set<string>()) };
  for await (const report of runLifecycle(options, account)) reports.push(report);
  const report = reports.find(({ repository }) => repository === repositoryName);
  expect(report?.archived.map(({ digest }) => digest).toSorted()).toEqual(digests.slice(0, 2).toSorted());
  const left = await ecr.send(new sdk.DescribeImagesCommand({ repositoryName }));
  expect(left.imageDetails?.map((image) => image.imageDigest)).toEqual([digests[2]]);
});
