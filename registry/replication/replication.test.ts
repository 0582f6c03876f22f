import {
  CreateRepositoryCommand,
  CreateRepositoryCreationTemplateCommand,
  DescribeImageReplicationStatusCommand,
  DescribeImagesCommand,
  DescribeRegistryCommand,
  DescribeReplicationBackfillResultsCommand,
  type ECRClient,
  ListReplicationBackfillsCommand,
  PutReplicationConfigurationCommand,
  StartReplicationBackfillCommand,
  StopReplicationBackfillCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ecrClient, loggedIn } from '../testing/docker-client.ts';
import { eventually, pushImage } from '../testing/push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';

const destination = { region: 'eu-west-1', registryId: account };
const away = { region: 'eu-north-1', registryId: account };
const replicationConfiguration = {
  rules: [
    { destinations: [destination], repositoryFilters: [{ filter: 'shop', filterType: 'PREFIX_MATCH' as const }] },
  ],
};

let target: ServedRegistry;
let targetEcr: ECRClient;
let source: ServedRegistry;
let ecr: ECRClient;

beforeAll(async () => {
  target = await serveRegistry();
  targetEcr = ecrClient(target);
  const credentials = await newUser(target, 'replicator', [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }]);
  source = await serveRegistry({
    targets: [
      { ...destination, url: target.url, signingRegion: region, ...credentials },
      { ...away, url: 'http://127.0.0.1:9', ...credentials },
    ],
  });
  ecr = ecrClient(source);
});

afterAll(async () => {
  for (const client of [ecr, targetEcr]) client.destroy();
  await source[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

const statusOf = async (repositoryName: string, imageTag: string) =>
  (await ecr.send(new DescribeImageReplicationStatusCommand({ repositoryName, imageId: { imageTag } })))
    .replicationStatuses ?? [];

test('PutReplicationConfiguration takes only destinations that are known, and says how to make one known', async () => {
  await expect(
    ecr.send(
      new PutReplicationConfigurationCommand({
        replicationConfiguration: { rules: [{ destinations: [{ region: 'ap-south-1', registryId: account }] }] },
      }),
    ),
  ).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('replicationTargets') });
  await pushImage(source, ecr, 'shop/before', 'pushed before there was a rule', 'v0');
  await ecr.send(new PutReplicationConfigurationCommand({ replicationConfiguration }));
  const described = await ecr.send(new DescribeRegistryCommand({}));
  expect(described).toMatchObject({ registryId: account, replicationConfiguration });
});

test('a pushed image arrives whole, in a repository made by the template there, and its status says so', async () => {
  await targetEcr.send(
    new CreateRepositoryCreationTemplateCommand({
      prefix: 'shop',
      appliedFor: ['REPLICATION'],
      resourceTags: [{ Key: 'copy', Value: 'yes' }],
    }),
  );
  const imageDigest = await pushImage(source, ecr, 'shop/cart', 'replicated', 'v1');
  await pushImage(source, ecr, 'other/app', 'not replicated', 'v1');
  const statuses = await eventually(
    () => statusOf('shop/cart', 'v1'),
    (seen) => seen[0]?.status === 'COMPLETE',
  );
  expect(statuses).toEqual([{ ...destination, status: 'COMPLETE' }]);
  const there = await targetEcr.send(new DescribeImagesCommand({ repositoryName: 'shop/cart' }));
  expect(there.imageDetails).toMatchObject([{ imageDigest, imageTags: ['v1'] }]);
  const pull = await loggedIn(target);
  const manifest = (await (await pull('GET', '/v2/shop/cart/manifests/v1')).json()) as { config: { digest: string } };
  expect(await (await pull('GET', `/v2/shop/cart/blobs/${manifest.config.digest}`)).text()).toBe(
    '{"seed":"replicated"}',
  );
  expect((await target.images.repositories.get(account, 'shop/cart')).tags).toEqual({ copy: 'yes' });
  expect(await target.images.repositories.find(account, 'other/app')).toBeUndefined();
  expect(await statusOf('other/app', 'v1')).toEqual([]);
});

test('where a tag must not move, the image arrives without it', async () => {
  await targetEcr.send(new CreateRepositoryCommand({ repositoryName: 'shop/fixed', imageTagMutability: 'IMMUTABLE' }));
  await pushImage(source, ecr, 'shop/fixed', 'one', 'v1');
  await eventually(
    () => statusOf('shop/fixed', 'v1'),
    (seen) => seen[0]?.status === 'COMPLETE',
  );
  const second = await pushImage(source, ecr, 'shop/fixed', 'two', 'v1');
  const arrived = await eventually(
    () => target.images.manifests.listOne(account, 'shop/fixed', second as `sha256:${string}`),
    (seen) => seen !== undefined,
  );
  expect(arrived?.tags).toEqual([]);
});

test('a backfill copies what was pushed before, once, and tells of each image', async () => {
  const { replicationBackfillId } = await ecr.send(new StartReplicationBackfillCommand({ destination }));
  const results = () => ecr.send(new DescribeReplicationBackfillResultsCommand({ replicationBackfillId }));
  const done = await eventually(results, (seen) => seen.endedAt !== undefined);
  expect(done).toMatchObject({ status: 'COMPLETE', destination, progress: { failedReplicationCount: 0 } });
  expect(done.results?.length).toBe(done.progress?.totalReplicationCount);
  expect(done.results?.map((result) => result.repositoryName)).toContain('shop/before');
  expect(await target.images.resolve(account, 'shop/before', 'v0')).toBeDefined();
  const { backfills } = await ecr.send(new ListReplicationBackfillsCommand({}));
  expect(backfills).toMatchObject([{ replicationBackfillId, status: 'COMPLETE' }]);
  await expect(ecr.send(new StopReplicationBackfillCommand({ replicationBackfillId }))).rejects.toMatchObject({
    name: 'ReplicationBackfillInvalidStatusException',
  });
  await expect(ecr.send(new StopReplicationBackfillCommand({ replicationBackfillId: 'none' }))).rejects.toMatchObject({
    name: 'ReplicationBackfillNotFoundException',
  });
});

test('a destination that cannot be reached leaves the image FAILED with a reason, and the image is tried again', async () => {
  await ecr.send(
    new PutReplicationConfigurationCommand({ replicationConfiguration: { rules: [{ destinations: [away] }] } }),
  );
  await pushImage(source, ecr, 'far/app', 'unlucky', 'v1');
  const statuses = await eventually(
    () => statusOf('far/app', 'v1'),
    (seen) => seen[0]?.status === 'FAILED',
  );
  expect(statuses).toEqual([{ ...away, status: 'FAILED', failureCode: 'DestinationUnavailable' }]);
  await ecr.send(
    new PutReplicationConfigurationCommand({ replicationConfiguration: { rules: [{ destinations: [destination] }] } }),
  );
  await eventually(
    () => statusOf('far/app', 'v1'),
    (seen) => seen.some(({ region, status }) => region === destination.region && status === 'COMPLETE'),
  );
});
