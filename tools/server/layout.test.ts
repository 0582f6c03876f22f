import * as sdk from '@aws-sdk/client-ecr';
import { account, ecrClient, loggedIn, pushImage, serveRegistry } from '@slipway/registry/testing';
import { checkLayout, ownerOf, scan, scanPartitions } from '@slipway/storage/records';
import { expect, test } from 'vitest';
import { layout } from './layout.ts';

test('no two rooms claim a record, and no two patterns a partition', () => {
  expect(checkLayout(layout)).toEqual([]);
});

test('every record that a registry at work leaves behind has a room that owns it', async () => {
  const destination = { region: 'eu-west-1', registryId: account };
  const nowhere = { ...destination, url: 'http://127.0.0.1:9', accessKeyId: 'A', secretAccessKey: 'S' };
  await using registry = await serveRegistry({
    targets: [nowhere],
    upstreams: { hosts: { 'upstream.test': 'http://127.0.0.1:9' } },
  });
  const ecr = ecrClient(registry);
  const name = 'layout/app';
  await pushImage(registry, ecr, name, 'a seed', 'v1');
  const docker = await loggedIn(registry);
  expect((await docker('GET', `/v2/${name}/manifests/v1`)).status).toBe(200);
  expect((await docker('POST', `/v2/${name}/blobs/uploads/`)).status).toBe(202);
  const rule = { rules: [{ destinations: [destination] }] };
  const lifecycle = {
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
        action: { type: 'expire' },
      },
    ],
  };
  await ecr.send(
    new sdk.CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'upstream.test' }),
  );
  await ecr.send(new sdk.CreateRepositoryCreationTemplateCommand({ prefix: 'hub', appliedFor: ['CREATE_ON_PUSH'] }));
  await ecr.send(new sdk.PutRegistryScanningConfigurationCommand({ scanType: 'BASIC', rules: [] }));
  await ecr.send(new sdk.StartImageScanCommand({ repositoryName: name, imageId: { imageTag: 'v1' } }));
  await ecr.send(new sdk.PutReplicationConfigurationCommand({ replicationConfiguration: rule }));
  await ecr.send(new sdk.StartReplicationBackfillCommand({ destination }));
  await ecr.send(
    new sdk.StartLifecyclePolicyPreviewCommand({
      repositoryName: name,
      lifecyclePolicyText: JSON.stringify(lifecycle),
    }),
  );
  await registry.images.pulls.flush();
  ecr.destroy();

  const owners = new Set<string>();
  const unowned: string[] = [];
  for await (const partition of scanPartitions(registry.records))
    for await (const { key } of scan(registry.records, partition)) {
      const owner = ownerOf(layout, partition, key);
      if (owner === undefined) unowned.push(`${partition}: ${key}`);
      else owners.add(owner);
    }
  expect(unowned).toEqual([]);
  for (const room of ['images', 'scanning', 'templates', 'upstreams', 'replication'])
    expect(owners).toContain(`registry/${room}`);
});
