import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEventLog } from '@slipway/storage/events';
import { openLeases } from '@slipway/storage/leases';
import { openAdvisories, updateAdvisories } from '../../advisories/index.ts';
import { type Images, mediaTypes, parseRepositoryName, parseTag } from '../../images/index.ts';
import { account, actor, openTestImages, pushBlob, type TestImages } from '../../images/testing/index.ts';
import { readScan } from '../scan-store.ts';
import { createScanning, type Scanning, type ScanningOptions } from '../scanning.ts';
import { embeddedScanner } from '../scanners/embedded.ts';
import type { ScanRecord } from '../records.ts';

export interface TestScanning extends AsyncDisposable {
  readonly registry: TestImages;
  readonly images: Images;
  readonly scanning: Scanning;
  /** Errors that scanning logged. */
  readonly logged: unknown[];
  /** Imports OSV records. */
  advise(...records: object[]): Promise<void>;
}

/** Scanning over a real database, real files and a real event log. */
export async function openTestScanning(options: Partial<ScanningOptions> = {}): Promise<TestScanning> {
  const registry = await openTestImages();
  const { images, records, clock, folder } = registry;
  const file = join(folder, 'advisories.sqlite');
  const advisories = openAdvisories(file);
  const logged: unknown[] = [];
  let sources = 0;
  const scanning = createScanning({
    images,
    events: openEventLog(records, clock, Math.random),
    leases: openLeases(records, clock, Math.random),
    scanner: embeddedScanner({ advisories, limits: { time: 20_000 } }),
    log: { info: () => {}, warn: () => {}, error: (fields) => void logged.push(fields) },
    rescanEvery: 50,
    ...options,
  });
  scanning.start();
  return {
    registry,
    images,
    scanning,
    logged,
    async advise(...list) {
      const source = join(folder, `source-${++sources}`);
      mkdirSync(source);
      for (const [at, record] of list.entries()) writeFileSync(join(source, `${at}.json`), JSON.stringify(record));
      await updateAdvisories({ file, sources: [source], now: Date.now() });
    },
    async [Symbol.asyncDispose]() {
      await scanning.stop();
      advisories.close();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** Pushes an image of these layers. */
export async function pushLayers(
  images: Images,
  repository: string,
  layers: readonly Buffer[],
  tags: readonly string[] = ['latest'],
) {
  const config = await pushBlob(
    images,
    repository,
    JSON.stringify({ made: Math.random() }),
    'application/vnd.oci.image.config.v1+json',
  );
  const descriptors = [];
  for (const layer of layers) descriptors.push(await pushBlob(images, repository, layer));
  return images.manifests.put({
    account,
    repository: parseRepositoryName(repository),
    bytes: Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: descriptors }),
    ),
    tags: tags.map(parseTag),
    actor,
  });
}

/** Waits until a scan is as it should be. */
export async function scanOf(
  images: Images,
  image: { readonly repository: string; readonly digest: string; readonly account?: string },
  wanted: (scan: ScanRecord | undefined) => boolean = (scan) =>
    scan !== undefined && scan.status !== 'PENDING' && scan.status !== 'IN_PROGRESS',
): Promise<ScanRecord | undefined> {
  const address = { account, ...image } as Parameters<typeof readScan>[1];
  for (let waited = 0; ; waited += 20) {
    const scan = await readScan(images.ports.records, address);
    if (wanted(scan)) return scan;
    if (waited > 40_000) throw new Error(`the scan stays ${JSON.stringify(scan)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** An advisory in OSV's format. */
export const osv = (id: string, ecosystem: string, name: string, fixed: string, vector?: string) => ({
  id,
  aliases: [],
  summary: `about ${name}`,
  affected: [
    { package: { ecosystem, name }, ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed }] }] },
  ],
  ...(vector === undefined ? {} : { severity: [{ type: 'CVSS_V3', score: vector }] }),
});

export const vectors = {
  critical: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
  high: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N',
  low: 'CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N',
} as const;
