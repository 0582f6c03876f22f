import {
  CreateRepositoryCommand,
  type CreateRepositoryCommandInput,
  DeleteRepositoryCommand,
  DescribeRepositoriesCommand,
  type ECRClient,
  ListTagsForResourceCommand,
  PutImageScanningConfigurationCommand,
  PutImageTagMutabilityCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
  await putImage(ecr, repositoryName, 'a', 'x');
  await expect(ecr.send(new DeleteRepositoryCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryNotEmptyException',
  });
  const gone = await ecr.send(new DeleteRepositoryCommand({ repositoryName, force: true }));
  expect(gone.repository?.repositoryName).toBe(repositoryName);
  await expect(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }))).rejects.toMatchObject({
    name: 'RepositoryNotFoundException',
  });
});

test('a repository is not made with encryption that is not there: KmsException says what to write instead', async () => {
  const repositoryName = 'shop/kms';
  const create = (encryptionConfiguration: CreateRepositoryCommandInput['encryptionConfiguration']) =>
    ecr.send(new CreateRepositoryCommand({ repositoryName, encryptionConfiguration }));
  const kmsKey = `arn:aws:kms:us-east-1:${account}:key/1`;
  for (const asked of [
    { encryptionType: 'KMS' },
    { encryptionType: 'KMS_DSSE' },
    { encryptionType: 'KMS', kmsKey },
    { encryptionType: 'AES256', kmsKey },
  ] as const)
    await expect(create(asked)).rejects.toMatchObject({
      name: 'KmsException',
      message: expect.stringMatching(/encryption_type = "AES256"/),
    });
  await expect(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }))).rejects.toMatchObject({
    name: 'RepositoryNotFoundException',
  });
  expect((await create({ encryptionType: 'AES256' })).repository?.encryptionConfiguration).toEqual({
    encryptionType: 'AES256',
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
