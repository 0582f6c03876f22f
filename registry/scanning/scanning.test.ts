import { expect, test } from 'vitest';
import { keys, parseRepositoryName, registryPartition } from '../images/index.ts';
import { account, actor, all } from '../images/testing/index.ts';
import { frequencyOf, matchesFilter, readConfiguration, writeConfiguration } from './configuration.ts';
import { scanKeys } from './keys.ts';
import { sbomType } from './sbom.ts';
import { changeScan, readFindings, readInventory } from './scan-store.ts';
import type { Scanner } from './scanners/scanner.ts';
import { createPolicyCheck, policyTags, writePolicy } from './policy.ts';
import { debianRelease, dpkgStanza, gzip, tarOf } from './testing/archives.ts';
import { openTestScanning, osv, pushLayers, scanOf, type TestScanning, vectors } from './testing/open-scanning.ts';

const repository = 'team/web';
const debian = (...packages: [name: string, version: string][]) =>
  gzip(
    tarOf([
      { path: 'etc/os-release', content: debianRelease },
      { path: 'var/lib/dpkg/status', content: packages.map(([name, version]) => dpkgStanza(name, version)).join('') },
    ]),
  );

const makeRepository = ({ images }: TestScanning, scanOnPush = true, tags: Record<string, string> = {}) =>
  images.repositories.create(account, { name: parseRepositoryName(repository), scanOnPush, tags }, actor);

const findingsOf = async ({ images }: TestScanning, digest: string) => {
  const image = { account, repository, digest: digest as `sha256:${string}` };
  const scan = await scanOf(images, image);
  return (scan && (await readFindings(images.ports.records, image, scan, 0, 1000))) ?? [];
};

const policyOf = ({ images }: TestScanning) => createPolicyCheck(images, () => false);

const fixed = (report: () => ReturnType<Scanner['scan']>): Scanner => ({ name: 'fixed', scan: report });

test('a push is scanned, the findings and the bill of materials lie beside the image, and both go with it', async () => {
  await using it = await openTestScanning();
  const { images, registry } = it;
  await it.advise(
    osv('DEBIAN-CVE-2024-1111', 'Debian:12', 'zlib', '1.3-1', vectors.critical),
    osv('CVE-2024-2222', 'Debian:12', 'bash', '5.2-3', vectors.low),
  );
  await makeRepository(it);
  const { digest } = await pushLayers(images, repository, [
    debian(['zlib', '1.2-1'], ['bash', '5.2-1'], ['safe', '1']),
  ]);
  const scan = await scanOf(images, { repository, digest });
  expect(scan).toMatchObject({
    status: 'COMPLETE',
    cause: 'push',
    counts: { CRITICAL: 1, LOW: 1 },
    distribution: { id: 'debian', version: '12' },
  });
  expect((await findingsOf(it, digest)).map((finding) => [finding.name, finding.severity, finding.fixedIn])).toEqual([
    ['CVE-2024-1111', 'CRITICAL', '1.3-1'],
    ['CVE-2024-2222', 'LOW', '5.2-3'],
  ]);

  const { referrers } = await images.manifests.referrers(account, parseRepositoryName(repository), digest, {
    limit: 10,
  });
  expect(referrers).toMatchObject([{ artifactType: sbomType, digest: scan?.sbom }]);
  const manifest = JSON.parse(
    (await images.manifests.content(account, repository, scan?.sbom ?? digest)).toString(),
  ) as { layers: { digest: string }[] };
  const { blob } = await images.blobs.look(account, repository, manifest.layers[0]?.digest as `sha256:${string}`);
  const bom = JSON.parse(
    Buffer.concat(await all((await images.blobs.open(blob as NonNullable<typeof blob>)).stream())).toString(),
  ) as { components: { purl?: string }[] };
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
  expect(bom.components.map((component) => component.purl)).toContain(
    'pkg:deb/debian/zlib@1.2-1?arch=amd64&distro=debian-12',
  );

  await images.manifests.remove(account, repository, digest, actor);
  await scanOf(images, { repository, digest }, (scan) => scan === undefined);
  const left = await registry.records.list(registryPartition(account), { prefix: 'scan' });
  expect(left.records.map((record) => record.key).filter((key) => key !== scanKeys.pass)).toEqual([]);
  await expect.poll(() => images.resolve(account, repository, scan?.sbom ?? '')).toBeUndefined();
  expect(it.logged).toEqual([]);
});

test('what no rule means is not scanned; a tag more on a scanned image does not scan it again', async () => {
  await using it = await openTestScanning();
  await it.advise(osv('CVE-2024-1111', 'Debian:12', 'zlib', '2'));
  await makeRepository(it);
  await it.images.repositories.create(account, { name: parseRepositoryName('team/quiet') }, actor);
  const quiet = await pushLayers(it.images, 'team/quiet', [debian(['a', '1'])]);
  const loud = await pushLayers(it.images, repository, [debian(['b', '1'])]);
  const first = await scanOf(it.images, { repository, digest: loud.digest });
  const bytes = await it.images.manifests.content(account, repository, loud.digest);
  await it.images.manifests.put({
    account,
    repository: parseRepositoryName(repository),
    bytes,
    tags: ['again' as never],
    actor,
  });
  const last = await pushLayers(it.images, repository, [debian(['c', '1'])]);
  await scanOf(it.images, { repository, digest: last.digest });
  expect(await scanOf(it.images, { repository, digest: loud.digest })).toEqual(first);
  expect(await scanOf(it.images, { repository: 'team/quiet', digest: quiet.digest }, () => true)).toBeUndefined();
});

test('new advisories judge images again without reading a layer, where they are scanned continuously', async () => {
  await using it = await openTestScanning();
  const { images, registry } = it;
  await it.advise(osv('CVE-2024-1111', 'Debian:12', 'other', '2'));
  await makeRepository(it, false);
  await writeConfiguration(registry.records, account, {
    scanType: 'ENHANCED',
    rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [{ filter: 'team', filterType: 'WILDCARD' }] }],
  });
  const { digest } = await pushLayers(images, repository, [debian(['zlib', '1.2-1'])]);
  const before = await scanOf(images, { repository, digest });
  expect(before).toMatchObject({ status: 'COMPLETE', counts: {} });
  // The layers are gone: whoever reads them now fails.
  for await (const blob of registry.blobs.list()) await registry.blobs.remove(blob);
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1', vectors.high));
  const after = await scanOf(images, { repository, digest }, (scan) => (scan?.counts?.HIGH ?? 0) > 0);
  expect(after).toMatchObject({ status: 'COMPLETE', counts: { HIGH: 1 }, firstCompletedAt: before?.completedAt });
});

test('without advisories a scan fails and says what to do; once there are some, the image is judged', async () => {
  await using it = await openTestScanning();
  await makeRepository(it);
  const { digest } = await pushLayers(it.images, repository, [debian(['zlib', '1.2-1'])]);
  expect(await scanOf(it.images, { repository, digest })).toMatchObject({
    status: 'FAILED',
    description: expect.stringContaining('slipway scan update'),
  });
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1', vectors.high));
  expect(await scanOf(it.images, { repository, digest }, (scan) => scan?.status === 'COMPLETE')).toMatchObject({
    counts: { HIGH: 1 },
  });
});

test('an image that cannot be scanned, and one with nothing to scan, are UNSUPPORTED_IMAGE with the reason', async () => {
  await using it = await openTestScanning();
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1'));
  await makeRepository(it);
  const cases: [Buffer, RegExp][] = [
    [gzip(tarOf([{ path: 'zeros', content: Buffer.alloc(64 * 1024 * 1024) }])), /unscannable: a layer grows/],
    [debian(['a', '1']).subarray(0, 100), /unscannable: a layer cannot be decompressed/],
    [gzip(tarOf([{ path: 'bin/true', content: 'x' }])), /package manager are not supported/],
  ];
  for (const [layer, reason] of cases) {
    const { digest } = await pushLayers(it.images, repository, [layer], []);
    expect(await scanOf(it.images, { repository, digest })).toMatchObject({
      status: 'UNSUPPORTED_IMAGE',
      description: expect.stringMatching(reason),
    });
  }
});

test('D6: a scanner that throws, hangs, or reports too much ends as FAILED, and pushes go on meanwhile', async () => {
  const finding = {
    name: 'x',
    severity: 'LOW',
    description: '',
    uri: '',
    package: { name: 'a', version: '1' },
  } as const;
  const scanners: [Scanner, RegExp][] = [
    [fixed(() => Promise.reject(new TypeError('boom'))), /the server's log says more/],
    [fixed(() => new Promise(() => {})), /did not finish within/],
    [fixed(async () => ({ findings: Array.from({ length: 10_001 }, () => finding) })), /reports 10001 findings/],
  ];
  for (const [scanner, reason] of scanners) {
    await using it = await openTestScanning({ scanner, time: 2000 });
    await makeRepository(it);
    const { digest } = await pushLayers(it.images, repository, [debian(['a', '1'])]);
    await pushLayers(it.images, repository, [debian(['b', '1'])], ['other']);
    expect(await scanOf(it.images, { repository, digest })).toMatchObject({
      status: 'FAILED',
      description: expect.stringMatching(reason),
    });
  }
});

test('a scan that fails leaves the verdict of the one before it, so that a rule is not lifted by a broken scanner', async () => {
  let works = true;
  const finding = {
    name: 'x',
    severity: 'CRITICAL',
    description: '',
    uri: '',
    package: { name: 'a', version: '1' },
  } as const;
  const scanner = fixed(() => (works ? Promise.resolve({ findings: [finding] }) : Promise.reject(new Error('broken'))));
  await using it = await openTestScanning({ scanner });
  const record = await makeRepository(it, true, { [policyTags.pulls]: 'HIGH' });
  const { digest } = await pushLayers(it.images, repository, [debian(['a', '1'])]);
  await scanOf(it.images, { repository, digest });
  works = false;
  await changeScan(it.registry.records, { account, repository, digest }, (before) => ({
    next: { ...(before as NonNullable<typeof before>), status: 'PENDING' },
    request: true,
  }));
  await scanOf(it.images, { repository, digest }, (scan) => scan?.status === 'FAILED');
  expect(await policyOf(it).manifest({ account, repository: record, digest, caller: undefined })).toMatchObject({
    reason: expect.stringContaining('1 CRITICAL'),
  });
});

test('the policy refuses pulls and rollouts at a severity, by registry or by repository, and lets the rest through', async () => {
  await using it = await openTestScanning();
  const { images, registry } = it;
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1', vectors.high));
  const record = await makeRepository(it);
  const bad = await pushLayers(images, repository, [debian(['zlib', '1.2-1'])]);
  const good = await pushLayers(images, repository, [debian(['zlib', '1.3-1'])], ['good']);
  await scanOf(images, { repository, digest: good.digest });
  await scanOf(images, { repository, digest: bad.digest });
  const tagged = (value: string) => ({ ...record, tags: { [policyTags.pulls]: value } });
  const remembering = policyOf(it);
  const pull = (of: typeof record, digest = bad.digest) =>
    remembering.manifest({ account, repository: of, digest, caller: undefined });

  expect(await pull(record)).toBeUndefined();
  expect(await pull(tagged('CRITICAL'))).toBeUndefined();
  expect(await pull(tagged('HIGH'))).toMatchObject({ reason: expect.stringContaining('found 1 HIGH') });
  expect(await pull(tagged('HIGH'), good.digest)).toBeUndefined();
  const exempting = createPolicyCheck(images, (caller) => caller === 'scanner');
  const pulled = { account, repository: tagged('HIGH'), digest: bad.digest };
  expect(await exempting.manifest({ ...pulled, caller: 'scanner' })).toBeUndefined();
  expect(await exempting.manifest({ ...pulled, caller: 'somebody' })).toBeDefined();
  expect(await pull(tagged('nonsense'))).toMatchObject({ reason: expect.stringContaining('must be a severity') });

  await writePolicy(registry.records, account, { blockRollouts: { severity: 'HIGH', unscanned: true } });
  await images.repositories.update(account, repository, (before) => ({ ...before, scanOnPush: false }));
  const unknown = await pushLayers(images, repository, [debian(['new', '1'])], ['new']);
  const index = await images.manifests.put({
    account,
    repository: parseRepositoryName(repository),
    bytes: Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [
          {
            mediaType: bad.mediaType,
            digest: bad.digest,
            size: (await images.manifests.content(account, repository, bad.digest)).length,
          },
        ],
      }),
    ),
    tags: ['all' as never],
    actor,
  });
  // The other one still remembers that there was no rule, for some seconds.
  const policy = policyOf(it);
  expect(await policy.rollout(account, repository, 'good')).toBeUndefined();
  expect(await policy.rollout(account, repository, index.digest)).toMatchObject({
    reason: expect.stringContaining('HIGH'),
  });
  expect(await policy.rollout(account, repository, unknown.digest)).toMatchObject({
    reason: expect.stringContaining('has not been scanned'),
  });
  await images.repositories.update(account, repository, (before) => ({
    ...before,
    tags: { [policyTags.rollouts]: 'none' },
  }));
  expect(await policy.rollout(account, repository, unknown.digest)).toBeUndefined();
});

test('signatures and bills of materials are not scanned, and not refused for not having been', async () => {
  await using it = await openTestScanning();
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1'));
  const record = await makeRepository(it, true, { [policyTags.pulls]: 'HIGH+unscanned' });
  const { digest } = await pushLayers(it.images, repository, [debian(['a', '1'])]);
  const scan = await scanOf(it.images, { repository, digest });
  const pulled = { account, repository: record, digest: scan?.sbom ?? digest, caller: undefined };
  expect(await policyOf(it).manifest(pulled)).toBeUndefined();
  expect(await scanOf(it.images, { repository, digest: scan?.sbom ?? '' }, () => true)).toBeUndefined();
});

test('the inventory that was kept is what the image has', async () => {
  await using it = await openTestScanning();
  await it.advise(osv('CVE-2024-9999', 'Debian:12', 'zlib', '1.3-1'));
  await makeRepository(it);
  const many = Array.from({ length: 6000 }, (_, at): [string, string] => [`p${String(at).padStart(5, '0')}`, '1']);
  const { digest } = await pushLayers(it.images, repository, [debian(...many)]);
  const scan = await scanOf(it.images, { repository, digest });
  const inventory = await readInventory(
    it.registry.records,
    { account, repository, digest },
    scan as NonNullable<typeof scan>,
  );
  expect(inventory?.packages.map((pack) => pack.name)).toEqual(many.map(([name]) => name));
  expect(
    (await it.registry.records.get(registryPartition(account), keys.manifest(repository, digest)))?.value,
  ).toBeDefined();
});

test.each([
  ['web', 'team/web-shop', true],
  ['web', 'team/shop', false],
  ['team/*', 'team/web', true],
  ['team/*', 'a/team/web', false],
  ['*web', 'team/web', true],
  ['*web', 'team/webs', false],
  ['t*m/*b', 'team/web', true],
  ['*', 'x', true],
  ['ab*ba', 'aba', false],
])('the filter %s and the repository %s: %s', (filter, name, expected) => {
  expect(matchesFilter(filter, name)).toBe(expected);
});

test('continuous goes before on push; enhanced scanning does without the setting of the repository', async () => {
  await using it = await openTestScanning();
  const rule = (scanFrequency: 'SCAN_ON_PUSH' | 'CONTINUOUS_SCAN', filter: string) => ({
    scanFrequency,
    repositoryFilters: [{ filter, filterType: 'WILDCARD' as const }],
  });
  expect(await readConfiguration(it.registry.records, account)).toEqual({ scanType: 'BASIC', rules: [] });
  const both = { scanType: 'ENHANCED' as const, rules: [rule('SCAN_ON_PUSH', '*'), rule('CONTINUOUS_SCAN', 'web')] };
  expect(frequencyOf(both, { name: 'web', scanOnPush: false }).frequency).toBe('CONTINUOUS_SCAN');
  expect(frequencyOf(both, { name: 'db', scanOnPush: false }).frequency).toBe('SCAN_ON_PUSH');
  expect(frequencyOf({ scanType: 'ENHANCED', rules: [] }, { name: 'db', scanOnPush: true }).frequency).toBe('MANUAL');
  expect(frequencyOf({ scanType: 'BASIC', rules: [] }, { name: 'db', scanOnPush: true }).frequency).toBe(
    'SCAN_ON_PUSH',
  );
});
