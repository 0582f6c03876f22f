import {
  BatchGetImageCommand,
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCommand,
  CreateRepositoryCreationTemplateCommand,
  DescribeImageReplicationStatusCommand,
  type ECRClient,
  GetDownloadUrlForLayerCommand,
  PutReplicationConfigurationCommand,
  TagResourceCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { changeScan, completeScan, policyTags } from '../scanning/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from './docker-client.ts';
import { push, putManifest } from './playground.ts';
import { eventually } from './push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from './serve-registry.ts';
import { newUser } from './users.ts';

const destination = { region: 'eu-west-1', registryId: account };
const credentialArn = `arn:aws:secretsmanager:us-east-1:${account}:secret:ecr-pullthroughcache/upstream-AbCdEf`;

let other: ServedRegistry;
let registry: ServedRegistry;
let ecr: ECRClient;
let docker: Fetch;

beforeAll(async () => {
  other = await serveRegistry();
  const credentials = await newUser(other, 'replicator', [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }]);
  registry = await serveRegistry({
    targets: [{ ...destination, url: other.url, signingRegion: region, ...credentials }],
    upstreams: {
      hosts: { 'upstream.test': other.url },
      secrets: { 'ecr-pullthroughcache/upstream': { username: 'AWS', accessToken: await passwordOf(other) } },
      freshFor: 0,
    },
  });
  ecr = ecrClient(registry);
  docker = await loggedIn(registry);
});

afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

let made = 0;

/** A repository under a rule (or none), with an image of one layer that nobody has scanned, and a URL of that layer from before the rule. */
async function repositoryUnder(rule: string | undefined, to = { docker, ecr }) {
  const name = `rules/app-${++made}`;
  const { repository } = await to.ecr.send(new CreateRepositoryCommand({ repositoryName: name }));
  const config = JSON.stringify({ made });
  const layer = `layer ${made}`;
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await push(to.docker, name, config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: await push(to.docker, name, layer),
        size: layer.length,
      },
    ],
  });
  expect((await putManifest(to.docker, name, 'latest', body)).status).toBe(201);
  const { downloadUrl = '' } = await to.ecr.send(
    new GetDownloadUrlForLayerCommand({ repositoryName: name, layerDigest: sha256(layer) }),
  );
  if (rule !== undefined)
    await to.ecr.send(
      new TagResourceCommand({
        resourceArn: repository?.repositoryArn,
        tags: [{ Key: policyTags.pulls, Value: rule }],
      }),
    );
  return { name, digest: sha256(body), config: sha256(config), layer: sha256(layer), downloadUrl };
}

type Image = Awaited<ReturnType<typeof repositoryUnder>>;
const refused = (response: Response): string =>
  response.status === 403 ? 'refused' : response.ok ? 'given' : `status ${response.status}`;

/** Every way by which an image, or a part of it, gets out. */
const ways: readonly [string, (image: Image) => Promise<string>][] = [
  ['GET of a tag', async ({ name }) => refused(await docker('GET', `/v2/${name}/manifests/latest`))],
  ['HEAD of a tag', async ({ name }) => refused(await docker('HEAD', `/v2/${name}/manifests/latest`))],
  ['GET by digest', async ({ name, digest }) => refused(await docker('GET', `/v2/${name}/manifests/${digest}`))],
  ['GET of the layer', async ({ name, layer }) => refused(await docker('GET', `/v2/${name}/blobs/${layer}`))],
  ['GET of the config', async ({ name, config }) => refused(await docker('GET', `/v2/${name}/blobs/${config}`))],
  [
    'BatchGetImage',
    async ({ name }) => {
      const input = { repositoryName: name, imageIds: [{ imageTag: 'latest' }] };
      const { images = [], failures = [] } = await ecr.send(new BatchGetImageCommand(input));
      return failures[0]?.failureCode === 'ImageInaccessible' && images.length === 0 ? 'refused' : 'given';
    },
  ],
  [
    'GetDownloadUrlForLayer',
    async ({ name, layer }) =>
      ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName: name, layerDigest: layer })).then(
        () => 'given',
        (error: Error) => (error.name === 'LayerInaccessibleException' ? 'refused' : error.name),
      ),
  ],
  ['a URL from before the rule', async ({ downloadUrl }) => refused(await fetch(downloadUrl))],
  [
    'a mount into another repository',
    async ({ name, layer }) => {
      const { status } = await docker('POST', `/v2/rules/elsewhere/blobs/uploads/?mount=${layer}&from=${name}`);
      return status === 202 ? 'refused' : status === 201 ? 'given' : `status ${status}`;
    },
  ],
  [
    'replication',
    async ({ name }) => {
      const repositoryFilters = [{ filter: name, filterType: 'PREFIX_MATCH' as const }];
      const replicationConfiguration = { rules: [{ destinations: [destination], repositoryFilters }] };
      await ecr.send(new PutReplicationConfigurationCommand({ replicationConfiguration }));
      // A further tag is a push that is copied.
      const body = await (await docker('GET', `/v2/${name}/manifests/latest`)).text();
      const bytes = body.includes('"errors"') ? await contentOf(name) : body;
      expect((await putManifest(docker, name, 'again', bytes)).status).toBe(201);
      const input = { repositoryName: name, imageId: { imageTag: 'again' } };
      const [status] = await eventually(
        async () => (await ecr.send(new DescribeImageReplicationStatusCommand(input))).replicationStatuses ?? [],
        ([first]) => first?.status === 'COMPLETE' || first?.status === 'FAILED',
      );
      return status?.status === 'COMPLETE' ? 'given' : status?.failureCode === 'ImageRefused' ? 'refused' : 'failed';
    },
  ],
];

async function contentOf(name: string): Promise<string> {
  const found = await registry.images.resolve(account, name, 'latest');
  return (await registry.images.manifests.content(account, name, found?.digest ?? sha256(''))).toString();
}

test.each(ways)('%s: an image that nobody has scanned, under rules', async (_way, tried) => {
  expect(await tried(await repositoryUnder(undefined))).toBe('given');
  expect(await tried(await repositoryUnder('none'))).toBe('given');
  expect(await tried(await repositoryUnder('CRITICAL'))).toBe('given');
  expect(await tried(await repositoryUnder('CRITICAL+unscannable'))).toBe('given');
  expect(await tried(await repositoryUnder('CRITICAL+unscanned'))).toBe('refused');
  expect(await tried(await repositoryUnder('a word'))).toBe('refused');
});

test.each(ways)('%s: an image with a finding, and one whose scan came to no verdict', async (_way, tried) => {
  const { records } = registry;
  const scanned = async (rule: string, result: object): Promise<Image> => {
    const image = await repositoryUnder(rule);
    const address = { account, repository: image.name, digest: image.digest };
    const outcome = { status: 'COMPLETE' as const, description: '', scanner: 'test', completedAt: 1 };
    await completeScan(records, address, { ...outcome, ...result });
    return image;
  };
  const about = { description: '', uri: '', package: { name: 'a', version: '1' } };
  const high = { result: { id: 'a', findings: [{ ...about, name: 'CVE-1', severity: 'HIGH' as const }] } };
  expect(await tried(await scanned('CRITICAL+unscanned', high))).toBe('given');
  expect(await tried(await scanned('HIGH', high))).toBe('refused');
  for (const status of ['FAILED', 'UNSUPPORTED_IMAGE']) {
    expect(await tried(await scanned('HIGH', { status }))).toBe('given');
    expect(await tried(await scanned('HIGH+unscannable', { status }))).toBe('refused');
    expect(await tried(await scanned('HIGH+unscanned', { status }))).toBe('refused');
  }
});

test('a layer that an image needs which may be pulled may be pulled, whatever else needs it', async () => {
  const image = await repositoryUnder('HIGH+unscanned');
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: image.layer,
    size: `layer ${made}`.length,
  };
  const config = '{"other":1}';
  const digest = await push(docker, image.name, config);
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [layer],
  });
  expect((await putManifest(docker, image.name, 'clean', body)).status).toBe(201);
  expect((await docker('GET', `/v2/${image.name}/blobs/${image.layer}`)).status).toBe(403);
  const address = { account, repository: image.name, digest: sha256(body) };
  await changeScan(registry.records, address, () => ({
    next: { status: 'COMPLETE', description: '', cause: 'push', requestedAt: 1, counts: {} },
  }));
  expect((await docker('GET', `/v2/${image.name}/blobs/${image.layer}`)).status).toBe(200);
  expect((await docker('GET', `/v2/${image.name}/blobs/${image.config}`)).status).toBe(403);
});

test('what nobody has scanned is not pulled through a cache either, the first time included', async () => {
  const otherEcr = ecrClient(other);
  const source = await repositoryUnder(undefined, { docker: await loggedIn(other), ecr: otherEcr });
  otherEcr.destroy();
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({
      ecrRepositoryPrefix: 'hub',
      upstreamRegistryUrl: 'upstream.test',
      upstreamRegistry: 'docker-hub',
      credentialArn,
    }),
  );
  await ecr.send(
    new CreateRepositoryCreationTemplateCommand({
      prefix: 'hub',
      appliedFor: ['PULL_THROUGH_CACHE'],
      resourceTags: [{ Key: policyTags.pulls, Value: 'HIGH+unscanned' }],
    }),
  );
  for (const path of ['manifests/latest', `manifests/${source.digest}`, `blobs/${source.layer}`])
    for (let attempt = 1; attempt <= 2; attempt++)
      expect(refused(await docker('GET', `/v2/hub/${source.name}/${path}`)), `${path}, attempt ${attempt}`).toBe(
        'refused',
      );
});
