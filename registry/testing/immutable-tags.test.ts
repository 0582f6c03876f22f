import {
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCommand,
  type ECRClient,
  PutImageCommand,
  PutReplicationConfigurationCommand,
  StartReplicationBackfillCommand,
  UpdateImageStorageClassCommand,
} from '@aws-sdk/client-ecr';
import { ECRPUBLICClient, PutImageCommand as PutPublicImageCommand } from '@aws-sdk/client-ecr-public';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from './docker-client.ts';
import { imageOf, push, putManifest } from './playground.ts';
import { eventually } from './push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from './serve-registry.ts';

/**
 * P14: a tag that must not move does not, whichever way a push comes in; tags that the repository excludes from the rule do.
 * `registry` is the one whose tags are fought for; `other` is its upstream, and replicates into it.
 */
let registry: ServedRegistry;
let other: ServedRegistry;
let ecr: ECRClient;
let otherEcr: ECRClient;
let http: Fetch;
let otherHttp: Fetch;
let repository: string;
let round = 0;

const destination = { region: 'eu-west-1', registryId: account };
const config = '{"immutable":true}';
const manifest = (seed: string): string => imageOf(sha256(config), config.length, { annotations: { seed } });
const first = manifest('first');
const second = manifest('second');

beforeAll(async () => {
  // Two that need each other's address: the upstream is reached by a name, whose address is filled in once it is known.
  const hosts: Record<string, string> = {};
  const secrets: Record<string, { username: string; accessToken: string }> = {};
  registry = await serveRegistry({ upstreams: { hosts, secrets, freshFor: 0 } });
  other = await serveRegistry({
    targets: [{ ...destination, url: registry.url, signingRegion: region, ...registry.credentials }],
  });
  hosts['upstream.test'] = other.url;
  secrets['ecr-pullthroughcache/upstream'] = { username: 'AWS', accessToken: await passwordOf(other) };
  [ecr, otherEcr] = [ecrClient(registry), ecrClient(other)];
  [http, otherHttp] = [await loggedIn(registry), await loggedIn(other)];
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({
      ecrRepositoryPrefix: 'hub',
      upstreamRegistryUrl: 'upstream.test',
      upstreamRegistry: 'docker-hub',
      credentialArn: `arn:aws:secretsmanager:us-east-1:${account}:secret:ecr-pullthroughcache/upstream-AbCdEf`,
    }),
  );
  await replicate(true);
});
afterAll(async () => {
  for (const client of [ecr, otherEcr]) client.destroy();
  await other[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** Makes a repository whose tags stay, but for those that begin with `dev-`, with both tags at the first image. */
async function prepare(name: string): Promise<void> {
  repository = name;
  await ecr.send(
    new CreateRepositoryCommand({
      repositoryName: name,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
    }),
  );
  await push(http, name, config);
  for (const tag of ['v1', 'dev-1']) expect((await putManifest(http, name, tag, first)).status).toBe(201);
}

const digestAt = async (tag: string): Promise<string | undefined> =>
  (await registry.images.resolve(account, repository, tag))?.digest;

/** Whether what is pushed into the other registry under `copied/` comes here. */
async function replicate(on: boolean): Promise<void> {
  const repositoryFilters = [{ filter: 'copied', filterType: 'PREFIX_MATCH' as const }];
  const rules = on ? [{ destinations: [destination], repositoryFilters }] : [];
  await otherEcr.send(new PutReplicationConfigurationCommand({ replicationConfiguration: { rules } }));
}

/** Waits for the second image, which is copied either way: with the tag, or without. */
const arrived = (): Promise<unknown> =>
  eventually(
    () => registry.images.resolve(account, repository, sha256(second)),
    (found) => found !== undefined,
  );

/** A push into the other registry, of the second image. */
async function pushElsewhere(name: string, tag: string): Promise<void> {
  await push(otherHttp, name, config);
  expect((await putManifest(otherHttp, name, tag, second)).status).toBe(201);
}

interface Path {
  /** The source file that hands the push to the one commit path. */
  readonly file: string;
  readonly repository?: string;
  /** Tries to move a tag to the second image. */
  readonly move: (tag: string) => Promise<unknown>;
}

const putByDigest = (tags: readonly string[]): Promise<Response> =>
  putManifest(http, repository, `${sha256(second)}?${tags.map((tag) => `tag=${tag}`).join('&')}`, second);

const paths: Readonly<Record<string, Path>> = {
  'PUT of a manifest by tag': {
    file: 'distribution/manifests.ts',
    move: (tag) => putManifest(http, repository, tag, second),
  },
  'PUT of a manifest by digest with ?tag=': {
    file: 'distribution/manifests.ts',
    move: (tag) => putByDigest([tag]),
  },
  'PUT by digest with the tag among others': {
    file: 'distribution/manifests.ts',
    move: (tag) => putByDigest(['new-1', tag, 'new-2']),
  },
  PutImage: {
    file: 'ecr/images.ts',
    move: (imageTag) =>
      ecr.send(new PutImageCommand({ repositoryName: repository, imageManifest: second, imageTag })).catch(() => {}),
  },
  'PutImage with the digest': {
    file: 'ecr/images.ts',
    move: (imageTag) =>
      ecr
        .send(
          new PutImageCommand({
            repositoryName: repository,
            imageManifest: second,
            imageManifestMediaType: mediaTypes.ociManifest,
            imageDigest: sha256(second),
            imageTag,
          }),
        )
        .catch(() => {}),
  },
  'PutImage of an image that is archived': {
    file: 'ecr/images.ts',
    move: async (imageTag) => {
      const repositoryName = repository;
      await putManifest(http, repository, 'dev-archived', second);
      const imageId = { imageDigest: sha256(second) };
      await ecr.send(new UpdateImageStorageClassCommand({ repositoryName, imageId, targetStorageClass: 'ARCHIVE' }));
      await ecr.send(new PutImageCommand({ repositoryName, imageManifest: second, imageTag })).catch(() => {});
      await ecr.send(new UpdateImageStorageClassCommand({ repositoryName, imageId, targetStorageClass: 'STANDARD' }));
    },
  },
  'PutImage of the ECR Public API': {
    file: 'ecr/images.ts',
    move: async (imageTag) => {
      await registry.images.repositories.update(account, repository, (row) => ({ ...row, public: { catalog: {} } }));
      const client = new ECRPUBLICClient({ endpoint: registry.url, region, credentials: registry.credentials });
      await client
        .send(new PutPublicImageCommand({ repositoryName: repository, imageManifest: second, imageTag }))
        .catch(() => {});
      client.destroy();
    },
  },
  'a pull through a cache whose upstream moved the tag': {
    file: 'upstreams/importer.ts',
    repository: 'hub/',
    move: async (tag) => {
      await pushElsewhere(repository.slice('hub/'.length), tag);
      await (await http('GET', `/v2/${repository}/manifests/${tag}`)).text();
      await registry.upstreams.settled();
    },
  },
  'replication of what another registry was pushed': {
    file: 'distribution/manifests.ts',
    repository: 'copied/',
    move: async (tag) => {
      await pushElsewhere(repository, tag);
      await arrived();
    },
  },
  'a replication backfill': {
    file: 'distribution/manifests.ts',
    repository: 'copied/',
    move: async (tag) => {
      await replicate(false);
      await pushElsewhere(repository, tag);
      await replicate(true);
      await otherEcr.send(new StartReplicationBackfillCommand({ destination }));
      await arrived();
    },
  },
};

describe.each(Object.entries(paths))('%s', (_, path) => {
  beforeEach(() => prepare(`${path.repository ?? ''}team/app-${++round}`));

  test('does not move a tag that must not move', async () => {
    await path.move('v1');
    expect(await digestAt('v1')).toBe(sha256(first));
    // Nor anything else that was asked for in the same breath.
    expect([await digestAt('new-1'), await digestAt('new-2')]).toEqual([undefined, undefined]);
  });

  test('moves one that the repository excludes from the rule', async () => {
    await path.move('dev-1');
    await expect.poll(() => digestAt('dev-1'), { timeout: 60_000 }).toBe(sha256(second));
  });
});

test('there is no other way: what puts manifests, and what writes tags, are these files', () => {
  const root = join(import.meta.dirname, '..');
  const files = globSync('**/*.ts', {
    cwd: root,
    exclude: ['dist/**', '**/testing/**', '**/*.test.ts', 'node_modules/**'],
  });
  const containing = (text: RegExp): string[] =>
    files.filter((file) => text.test(readFileSync(join(root, file), 'utf8'))).toSorted();
  // Bills of materials are put without a tag.
  const putting = [...new Set(Object.values(paths).map(({ file }) => file)), 'scanning/sbom.ts'].toSorted();
  expect(containing(/\bmanifests\.put\(/)).toEqual(putting);
  expect(containing(/=> putManifest\(ports/)).toEqual(['images/manifests.ts']);
  // The second only marks where a tag points as archived, or not.
  expect(containing(/\.put\(keys\.tag\(/)).toEqual(['images/put-manifest.ts', 'images/storage-class.ts']);
});
