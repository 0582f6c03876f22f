import * as sdk from '@aws-sdk/client-ecr';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { openEventLog } from '@slipway/storage/events';
import { openLeases } from '@slipway/storage/leases';
import type { EventSource, RecordStore } from '@slipway/storage/records';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Advisories, openAdvisories, updateAdvisories } from '../advisories/index.ts';
import { parseRepositoryName } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { createScanning, embeddedScanner, type Scanning } from '../scanning/index.ts';
import { debianRelease, dpkgStanza, gzip, pieces, tarOf } from '../scanning/testing/archives.ts';
import { osv, vectors } from '../scanning/testing/open-scanning.ts';

let served: ServedRegistry;
let ecr: sdk.ECRClient;
let scanning: Scanning;
let advisories: Advisories;

beforeAll(async () => {
  served = await serveRegistry();
  ecr = ecrClient(served);
  const file = join(served.folder, 'advisories.sqlite');
  const source = join(served.folder, 'osv');
  mkdirSync(source);
  for (let at = 0; at < 7; at++)
    writeFileSync(
      join(source, `${at}.json`),
      JSON.stringify(osv(`CVE-2024-100${at}`, 'Debian:12', 'zlib', '2', at === 0 ? vectors.critical : vectors.low)),
    );
  await updateAdvisories({ file, sources: [source], now: Date.now() });
  advisories = openAdvisories(file);
  const records = served.records as RecordStore & EventSource;
  scanning = createScanning({
    images: served.images,
    events: openEventLog(records, systemClock, Math.random),
    leases: openLeases(records, systemClock, Math.random),
    scanner: embeddedScanner({ advisories }),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    rescanEvery: 100,
  });
  scanning.start();
});

afterAll(async () => {
  await scanning.stop();
  advisories.close();
  ecr.destroy();
  await served[Symbol.asyncDispose]();
});

async function push(repositoryName: string, imageTag: string, seed: string): Promise<sdk.ImageIdentifier> {
  const put = async (bytes: Buffer, mediaType: string) => {
    const digest = sha256(bytes);
    await served.images.uploads.whole(account, parseRepositoryName(repositoryName), digest, pieces(bytes));
    return { mediaType, digest, size: bytes.length };
  };
  const layer = gzip(
    tarOf([
      { path: 'etc/os-release', content: debianRelease },
      { path: 'var/lib/dpkg/status', content: dpkgStanza('zlib', '1.2') + dpkgStanza(seed, '1') },
    ]),
  );
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await put(Buffer.from(JSON.stringify({ seed })), 'application/vnd.oci.image.config.v1+json'),
    layers: [await put(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')],
  });
  const { image } = await ecr.send(new sdk.PutImageCommand({ repositoryName, imageManifest, imageTag }));
  return { imageDigest: image?.imageId?.imageDigest };
}

const makeRepository = (repositoryName: string, scanOnPush = false) =>
  ecr.send(new sdk.CreateRepositoryCommand({ repositoryName, imageScanningConfiguration: { scanOnPush } }));

const describe = (
  repositoryName: string,
  imageId: sdk.ImageIdentifier,
  more: Partial<sdk.DescribeImageScanFindingsCommandInput> = {},
) => ecr.send(new sdk.DescribeImageScanFindingsCommand({ repositoryName, imageId, ...more }));

test("StartImageScan and the SDK's own waiter; findings are paged, worst first, in the shape of ECR", async () => {
  await makeRepository('api/manual');
  const imageId = await push('api/manual', 'v1', 'one');
  await expect(describe('api/manual', imageId)).rejects.toMatchObject({ name: 'ScanNotFoundException' });
  const started = await ecr.send(
    new sdk.StartImageScanCommand({ repositoryName: 'api/manual', imageId: { imageTag: 'v1' } }),
  );
  expect(started).toMatchObject({ imageId: { ...imageId, imageTag: 'v1' }, imageScanStatus: { status: 'PENDING' } });
  await sdk.waitUntilImageScanComplete(
    { client: ecr, maxWaitTime: 50, minDelay: 1, maxDelay: 1 },
    { repositoryName: 'api/manual', imageId },
  );

  const all: sdk.ImageScanFinding[] = [];
  for await (const page of sdk.paginateDescribeImageScanFindings(
    { client: ecr, pageSize: 3 },
    { repositoryName: 'api/manual', imageId },
  )) {
    all.push(...(page.imageScanFindings?.findings ?? []));
    expect(page.imageScanFindings?.findings?.length).toBeLessThanOrEqual(3);
    expect(page.imageScanFindings?.findingSeverityCounts).toEqual({ CRITICAL: 1, LOW: 6 });
  }
  expect(all).toHaveLength(7);
  expect(all[0]).toEqual({
    name: 'CVE-2024-1000',
    description: 'about zlib',
    uri: 'https://osv.dev/vulnerability/CVE-2024-1000',
    severity: 'CRITICAL',
    attributes: [
      { key: 'package_name', value: 'zlib' },
      { key: 'package_version', value: '1.2' },
      { key: 'fixed_in_version', value: '2' },
      { key: 'CVSS3_VECTOR', value: vectors.critical },
      { key: 'CVSS3_SCORE', value: '9.8' },
    ],
  });
  const { imageScanStatus, imageScanFindings } = await describe('api/manual', imageId);
  expect(imageScanStatus).toEqual({ status: 'COMPLETE', description: 'The scan was completed successfully.' });
  expect(imageScanFindings?.imageScanCompletedAt).toBeInstanceOf(Date);
  expect(imageScanFindings?.vulnerabilitySourceUpdatedAt).toBeInstanceOf(Date);
  await expect(
    ecr.send(new sdk.StartImageScanCommand({ repositoryName: 'api/manual', imageId })),
  ).rejects.toMatchObject({ name: 'LimitExceededException' });
});

/** A blob that is the config of something. */
async function configOf(repositoryName: string) {
  const bytes = Buffer.from('{"name":"chart"}');
  const digest = sha256(bytes);
  await served.images.uploads.whole(account, parseRepositoryName(repositoryName), digest, pieces(bytes));
  return { digest, size: bytes.length };
}

test('refusals have the names of the API model', async () => {
  await makeRepository('api/refused');
  const imageId = await push('api/refused', 'v1', 'two');
  const start = (input: Partial<sdk.StartImageScanCommandInput>) =>
    ecr.send(new sdk.StartImageScanCommand({ repositoryName: 'api/refused', imageId, ...input }));
  await expect(start({ repositoryName: 'api/absent' })).rejects.toMatchObject({ name: 'RepositoryNotFoundException' });
  await expect(start({ imageId: { imageTag: 'absent' } })).rejects.toMatchObject({ name: 'ImageNotFoundException' });
  await expect(start({ imageId: {} })).rejects.toMatchObject({ name: 'InvalidParameterException' });
  await expect(start({ imageId: { imageDigest: 'sha256:nonsense' } })).rejects.toMatchObject({
    name: 'InvalidParameterException',
  });
  await expect(describe('api/refused', { imageTag: 'absent' })).rejects.toMatchObject({
    name: 'ImageNotFoundException',
  });
  const manifest = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: imageId.imageDigest,
    size: (await served.images.manifests.content(account, 'api/refused', imageId.imageDigest as never)).length,
  };
  const { image } = await ecr.send(
    new sdk.PutImageCommand({
      repositoryName: 'api/refused',
      imageManifest: JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [manifest],
      }),
      imageTag: 'index',
    }),
  );
  await expect(start({ imageId: { imageDigest: image?.imageId?.imageDigest } })).rejects.toMatchObject({
    name: 'UnsupportedImageTypeException',
    message: expect.stringContaining("'application/vnd.oci.image.index.v1+json', which cannot be scanned; scan"),
  });
  const chart = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { ...manifest, mediaType: 'application/vnd.cncf.helm.config.v1+json', ...(await configOf('api/refused')) },
    layers: [],
  };
  const { image: put } = await ecr.send(
    new sdk.PutImageCommand({ repositoryName: 'api/refused', imageManifest: JSON.stringify(chart), imageTag: 'chart' }),
  );
  await expect(start({ imageId: { imageDigest: put?.imageId?.imageDigest } })).rejects.toMatchObject({
    name: 'UnsupportedImageTypeException',
    message: expect.stringContaining("of the type 'application/vnd.cncf.helm.config.v1+json', which cannot be scanned"),
  });
});

test('the scanning configuration of the registry is read back, decides what a push does, and is checked', async () => {
  const get = () => ecr.send(new sdk.GetRegistryScanningConfigurationCommand({}));
  const put = (input: sdk.PutRegistryScanningConfigurationCommandInput) =>
    ecr.send(new sdk.PutRegistryScanningConfigurationCommand(input));
  expect(await get()).toMatchObject({ registryId: account, scanningConfiguration: { scanType: 'BASIC', rules: [] } });
  const rules: sdk.RegistryScanningRule[] = [
    { scanFrequency: 'SCAN_ON_PUSH', repositoryFilters: [{ filter: 'rule/*', filterType: 'WILDCARD' }] },
  ];
  expect((await put({ scanType: 'BASIC', rules })).registryScanningConfiguration).toEqual({ scanType: 'BASIC', rules });
  expect((await get()).scanningConfiguration).toEqual({ scanType: 'BASIC', rules });

  await makeRepository('rule/web');
  await makeRepository('other/own', true);
  await makeRepository('other/web');
  const batch = await ecr.send(
    new sdk.BatchGetRepositoryScanningConfigurationCommand({
      repositoryNames: ['rule/web', 'other/own', 'other/web', 'absent'],
    }),
  );
  expect(batch.scanningConfigurations).toMatchObject([
    {
      repositoryName: 'rule/web',
      repositoryArn: `arn:aws:ecr:us-east-1:${account}:repository/rule/web`,
      scanOnPush: true,
      scanFrequency: 'SCAN_ON_PUSH',
      appliedScanFilters: rules[0]?.repositoryFilters,
    },
    { repositoryName: 'other/own', scanOnPush: true, scanFrequency: 'SCAN_ON_PUSH', appliedScanFilters: [] },
    { repositoryName: 'other/web', scanOnPush: false, scanFrequency: 'MANUAL', appliedScanFilters: [] },
  ]);
  expect(batch.failures).toMatchObject([{ repositoryName: 'absent', failureCode: 'REPOSITORY_NOT_FOUND' }]);

  const imageId = await push('rule/web', 'v1', 'three');
  await expect
    .poll(async () => (await describe('rule/web', imageId).catch(() => undefined))?.imageScanStatus?.status, {
      timeout: 30_000,
    })
    .toBe('COMPLETE');

  const wrong: sdk.PutRegistryScanningConfigurationCommandInput[] = [
    { scanType: 'BASIC', rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [] }] },
    { scanType: 'NONE' as never },
    { rules: [{ scanFrequency: 'SCAN_ON_PUSH', repositoryFilters: [{ filter: 'UPPER', filterType: 'WILDCARD' }] }] },
    { rules: [...rules, ...rules] },
    { rules: [...rules, ...rules, ...rules] },
  ];
  for (const input of wrong) await expect(put(input)).rejects.toMatchObject({ name: 'InvalidParameterException' });
  expect((await get()).scanningConfiguration).toEqual({ scanType: 'BASIC', rules });
});

test('enhanced scanning: ACTIVE while it is continuous, findings in the enhanced shape, no scans by hand', async () => {
  await ecr.send(
    new sdk.PutRegistryScanningConfigurationCommand({
      scanType: 'ENHANCED',
      rules: [
        { scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [{ filter: 'enhanced', filterType: 'WILDCARD' }] },
      ],
    }),
  );
  await makeRepository('enhanced/web');
  const imageId = await push('enhanced/web', 'v1', 'four');
  await expect
    .poll(async () => (await describe('enhanced/web', imageId).catch(() => undefined))?.imageScanStatus?.status, {
      timeout: 30_000,
    })
    .toBe('ACTIVE');
  const { imageScanFindings } = await describe('enhanced/web', imageId, { maxResults: 1 });
  expect(imageScanFindings?.findings).toBeUndefined();
  expect(imageScanFindings?.enhancedFindings).toMatchObject([
    {
      awsAccountId: account,
      title: 'CVE-2024-1000 - zlib',
      severity: 'CRITICAL',
      type: 'PACKAGE_VULNERABILITY',
      fixAvailable: 'YES',
      score: 9.8,
      packageVulnerabilityDetails: {
        vulnerabilityId: 'CVE-2024-1000',
        vulnerablePackages: [{ name: 'zlib', version: '1.2', packageManager: 'OS', fixedInVersion: '2' }],
      },
      resources: [
        {
          type: 'AWS_ECR_CONTAINER_IMAGE',
          details: {
            awsEcrContainerImage: { imageHash: imageId.imageDigest, imageTags: ['v1'], platform: 'debian 12' },
          },
        },
      ],
    },
  ]);
  await expect(
    ecr.send(new sdk.StartImageScanCommand({ repositoryName: 'enhanced/web', imageId })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
  expect(served.failures).toEqual([]);
});
