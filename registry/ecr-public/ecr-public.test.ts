import { DescribeRepositoriesCommand as DescribePrivateCommand } from '@aws-sdk/client-ecr';
import * as sdk from '@aws-sdk/client-ecr-public';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient } from '../testing/docker-client.ts';
import { pushImage } from '../testing/push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

let registry: ServedRegistry;
let client: sdk.ECRPUBLICClient;
const repositoryName = 'open/app';
const resourceArn = `arn:aws:ecr-public::${account}:repository/${repositoryName}`;

beforeAll(async () => {
  registry = await serveRegistry();
  client = new sdk.ECRPUBLICClient({
    endpoint: registry.url,
    region,
    credentials: registry.credentials,
    maxAttempts: 1,
  });
});

afterAll(async () => {
  client.destroy();
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

test('CreateRepository makes a repository that describes itself', async () => {
  const catalogData = { description: 'for everybody', architectures: ['x86-64'], operatingSystems: ['Linux'] };
  const { repository, ...made } = await client.send(
    new sdk.CreateRepositoryCommand({ repositoryName, catalogData, tags: [{ Key: 'a', Value: 'b' }] }),
  );
  expect(repository).toEqual({
    repositoryArn: resourceArn,
    registryId: account,
    repositoryName,
    repositoryUri: `${registry.host}/${repositoryName}`,
    createdAt: expect.any(Date),
  });
  expect(made.catalogData).toEqual(catalogData);
  const { repositories } = await client.send(new sdk.DescribeRepositoriesCommand({}));
  expect(repositories).toEqual([repository]);
  await client.send(
    new sdk.PutRepositoryCatalogDataCommand({ repositoryName, catalogData: { description: 'changed' } }),
  );
  const read = await client.send(new sdk.GetRepositoryCatalogDataCommand({ repositoryName }));
  expect(read.catalogData).toEqual({ description: 'changed' });
  await client.send(new sdk.TagResourceCommand({ resourceArn, tags: [{ Key: 'c', Value: 'd' }] }));
  await client.send(new sdk.UntagResourceCommand({ resourceArn, tagKeys: ['a'] }));
  const { tags } = await client.send(new sdk.ListTagsForResourceCommand({ resourceArn }));
  expect(tags).toEqual([{ Key: 'c', Value: 'd' }]);
});

test('images are pushed by this API and pulled by anybody without an account; nothing else is open', async () => {
  const bytes = Buffer.from('{"open":true}');
  const layerDigest = sha256(bytes);
  const { uploadId } = await client.send(new sdk.InitiateLayerUploadCommand({ repositoryName }));
  await client.send(
    new sdk.UploadLayerPartCommand({
      repositoryName,
      uploadId,
      partFirstByte: 0,
      partLastByte: bytes.length - 1,
      layerPartBlob: bytes,
    }),
  );
  await client.send(new sdk.CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [layerDigest] }));
  const check = await client.send(
    new sdk.BatchCheckLayerAvailabilityCommand({ repositoryName, layerDigests: [layerDigest] }),
  );
  expect(check.layers).toMatchObject([{ layerAvailability: 'AVAILABLE' }]);
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: layerDigest, size: bytes.length },
    layers: [],
  });
  await client.send(new sdk.PutImageCommand({ repositoryName, imageManifest, imageTag: 'v1' }));
  const described = await client.send(new sdk.DescribeImagesCommand({ repositoryName }));
  expect(described.imageDetails).toMatchObject([{ imageTags: ['v1'], imageSizeInBytes: bytes.length }]);
  const tags = await client.send(new sdk.DescribeImageTagsCommand({ repositoryName }));
  expect(tags.imageTagDetails).toMatchObject([{ imageTag: 'v1', imageDetail: { imageDigest: sha256(imageManifest) } }]);

  const anonymous = (method: string, path: string, body?: string) =>
    fetch(`${registry.url}/v2/${path}`, { method, ...(body === undefined ? {} : { body }) });
  expect(await (await anonymous('GET', `${repositoryName}/manifests/v1`)).text()).toBe(imageManifest);
  expect(await (await anonymous('GET', `${repositoryName}/blobs/${layerDigest}`)).text()).toBe('{"open":true}');
  expect((await anonymous('PUT', `${repositoryName}/manifests/v2`, imageManifest)).status).toBe(401);
  expect((await anonymous('DELETE', `${repositoryName}/manifests/v1`)).status).toBe(401);
  const ecr = ecrClient(registry);
  await pushImage(registry, ecr, 'closed/app', 'private', 'v1');
  expect((await anonymous('GET', 'closed/app/manifests/v1')).status).toBe(401);
  expect((await ecr.send(new DescribePrivateCommand({ repositoryNames: ['closed/app'] }))).repositories).toHaveLength(
    1,
  );
  ecr.destroy();
});

test('a repository that is not public is not there for this API', async () => {
  for (const command of [
    new sdk.DescribeRepositoriesCommand({ repositoryNames: ['closed/app'] }),
    new sdk.DescribeImagesCommand({ repositoryName: 'closed/app' }),
    new sdk.DeleteRepositoryCommand({ repositoryName: 'closed/app', force: true }),
  ])
    await expect(client.send(command as sdk.DescribeImagesCommand)).rejects.toMatchObject({
      name: 'RepositoryNotFoundException',
    });
});

test('policies, the registry itself, tokens and removal', async () => {
  const policyText = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'ecr:BatchGetImage',
        Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.1' } },
      },
    ],
  });
  await client.send(new sdk.SetRepositoryPolicyCommand({ repositoryName, policyText }));
  expect((await client.send(new sdk.GetRepositoryPolicyCommand({ repositoryName }))).policyText).toBe(policyText);
  // A policy of its own closes what is open otherwise; pulls may go by what they knew for a second.
  await expect
    .poll(async () => (await fetch(`${registry.url}/v2/${repositoryName}/manifests/v1`)).status, { timeout: 60_000 })
    .toBe(401);
  await client.send(new sdk.DeleteRepositoryPolicyCommand({ repositoryName }));
  const { registries } = await client.send(new sdk.DescribeRegistriesCommand({}));
  expect(registries).toMatchObject([{ registryId: account, registryUri: registry.host, aliases: [] }]);
  await client.send(new sdk.PutRegistryCatalogDataCommand({ displayName: 'Ours' }));
  const read = await client.send(new sdk.GetRegistryCatalogDataCommand({}));
  expect(read.registryCatalogData).toEqual({ displayName: 'Ours' });
  const { authorizationData } = await client.send(new sdk.GetAuthorizationTokenCommand({}));
  expect(Buffer.from(authorizationData?.authorizationToken ?? '', 'base64').toString()).toMatch(/^AWS:./);
  const removed = await client.send(
    new sdk.BatchDeleteImageCommand({ repositoryName, imageIds: [{ imageTag: 'v1' }] }),
  );
  expect(removed.imageIds).toMatchObject([{ imageTag: 'v1' }]);
  const { repository } = await client.send(new sdk.DeleteRepositoryCommand({ repositoryName }));
  expect(repository?.repositoryName).toBe(repositoryName);
});
