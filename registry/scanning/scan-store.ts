import type { Digest } from '@slipway/storage/blobs';
import { type Json, type RecordStore, transact } from '@slipway/storage/records';
import type { Package, Severity } from '../advisories/index.ts';
import { keys, registryPartition } from '../images/index.ts';
import type { Distribution } from './inventory/os-release.ts';
import { findingsPerPart, packagesPerPart, scanKeys, type ScanRecord } from './records.ts';
import type { Finding, ScanReport } from './scanners/scanner.ts';

/** The image that a scan is of. */
export interface ImageAddress {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
}

export const readScan = async (records: RecordStore, image: ImageAddress): Promise<ScanRecord | undefined> =>
  (await records.get<ScanRecord>(registryPartition(image.account), scanKeys.scan(image.repository, image.digest)))
    ?.value;

/**
 * Changes the state of a scan, as long as the image is there. `change` returns undefined to leave it as it is.
 * @returns what is stored now; undefined when the image is gone
 */
export async function changeScan(
  records: RecordStore,
  image: ImageAddress,
  change: (before: ScanRecord | undefined) => { readonly next: ScanRecord; readonly request?: boolean } | undefined,
): Promise<ScanRecord | undefined> {
  return transact(records, registryPartition(image.account), async (tx) => {
    const key = scanKeys.scan(image.repository, image.digest);
    const manifest = keys.manifest(image.repository, image.digest);
    if ((await tx.peek(manifest)) === undefined) return undefined;
    const before = await tx.get<ScanRecord>(key);
    const changed = change(before);
    if (changed === undefined) return before;
    tx.require({ key: manifest, exists: true });
    tx.put(key, changed.next as unknown as Json);
    // The event makes some server do it; whichever has time.
    if (changed.request === true) tx.announce({ topic: 'registry', type: 'scan.requested', data: { ...image } });
    return changed.next;
  });
}

/** What a scan ended with: the record, and the findings in place of earlier ones. Announces `image.scanned`. */
export async function completeScan(
  records: RecordStore,
  image: ImageAddress,
  outcome: {
    readonly record: Omit<
      ScanRecord,
      'cause' | 'requestedAt' | 'firstCompletedAt' | 'packageParts' | 'counts' | 'parts'
    >;
    readonly report?: ScanReport;
    readonly inventory?: NonNullable<ScanReport['inventory']>;
  },
): Promise<ScanRecord | undefined> {
  const { account, repository, digest } = image;
  return transact(records, registryPartition(account), async (tx) => {
    const key = scanKeys.scan(repository, digest);
    const manifest = keys.manifest(repository, digest);
    if ((await tx.peek(manifest)) === undefined) return undefined;
    tx.require({ key: manifest, exists: true });
    const before = await tx.get<ScanRecord>(key);
    const findings = outcome.report?.findings;
    const id = outcome.record.id ?? '';
    const old = await tx.list({ prefix: scanKeys.findings(repository, digest), limit: 1000 });
    for (const { key: part } of old.records) tx.remove(part);
    for (let part = 0; findings !== undefined && part * findingsPerPart < findings.length; part++) {
      const slice = findings.slice(part * findingsPerPart, (part + 1) * findingsPerPart);
      tx.put(scanKeys.findingPart(repository, digest, id, part), slice as unknown as Json);
    }
    const packages = outcome.inventory?.packages;
    for (let part = 0; packages !== undefined && part * packagesPerPart < packages.length; part++) {
      const slice = packages.slice(part * packagesPerPart, (part + 1) * packagesPerPart);
      tx.put(scanKeys.packagePart(repository, digest, part), slice as unknown as Json);
    }
    const packageParts = packages === undefined ? before?.packageParts : Math.ceil(packages.length / packagesPerPart);
    const distribution = outcome.inventory?.distribution ?? before?.distribution;
    const sbom = outcome.record.sbom ?? before?.sbom;
    const firstCompletedAt = before?.firstCompletedAt ?? outcome.record.completedAt;
    const next: ScanRecord = {
      cause: before?.cause ?? 'push',
      requestedAt: before?.requestedAt ?? outcome.record.completedAt ?? 0,
      ...outcome.record,
      ...(findings === undefined
        ? {}
        : { counts: countsOf(findings), parts: Math.ceil(findings.length / findingsPerPart) }),
      ...(packageParts === undefined ? {} : { packageParts }),
      ...(distribution === undefined ? {} : { distribution }),
      ...(sbom === undefined ? {} : { sbom }),
      ...(firstCompletedAt === undefined ? {} : { firstCompletedAt }),
    };
    tx.put(key, next as unknown as Json);
    tx.announce({
      topic: 'registry',
      type: 'image.scanned',
      data: { ...image, status: next.status, counts: next.counts ?? {}, cause: next.cause },
    });
    return next;
  });
}

/** Forgets what is known about an image that is gone. Does nothing when it has come back. */
export async function forgetScan(records: RecordStore, image: ImageAddress): Promise<ScanRecord | undefined> {
  const { account, repository, digest } = image;
  return transact(records, registryPartition(account), async (tx) => {
    const manifest = keys.manifest(repository, digest);
    if ((await tx.peek(manifest)) !== undefined) return undefined;
    tx.require({ key: manifest, exists: false });
    const record = await tx.get<ScanRecord>(scanKeys.scan(repository, digest));
    if (record === undefined) return undefined;
    for (const prefix of [scanKeys.findings(repository, digest), scanKeys.packages(repository, digest)]) {
      const parts = await tx.list({ prefix, limit: 1000 });
      for (const { key } of parts.records) tx.remove(key);
    }
    tx.remove(scanKeys.scan(repository, digest));
    return record;
  });
}

/** Findings from a place on, worst first; undefined when they have been replaced meanwhile. */
export async function readFindings(
  records: RecordStore,
  image: ImageAddress,
  scan: ScanRecord,
  from: number,
  limit: number,
): Promise<readonly Finding[] | undefined> {
  const found: Finding[] = [];
  const parts = scan.parts ?? 0;
  for (let part = Math.floor(from / findingsPerPart); part < parts && found.length < limit; part++) {
    const key = scanKeys.findingPart(image.repository, image.digest, scan.id ?? '', part);
    const stored = await records.get<readonly Finding[]>(registryPartition(image.account), key);
    if (stored === undefined) return undefined;
    found.push(...stored.value.slice(Math.max(0, from - part * findingsPerPart)));
  }
  return found.slice(0, limit);
}

/** The packages found when the image's layers were read; undefined when they never were. */
export async function readInventory(
  records: RecordStore,
  image: ImageAddress,
  scan: ScanRecord,
): Promise<{ packages: readonly Package[]; distribution?: Distribution } | undefined> {
  if (scan.packageParts === undefined) return undefined;
  const packages: Package[] = [];
  for (let part = 0; part < scan.packageParts; part++) {
    const key = scanKeys.packagePart(image.repository, image.digest, part);
    const stored = await records.get<readonly Package[]>(registryPartition(image.account), key);
    if (stored === undefined) return undefined;
    packages.push(...stored.value);
  }
  return { packages, ...(scan.distribution ? { distribution: scan.distribution } : {}) };
}

function countsOf(findings: readonly Finding[]): Partial<Record<Severity, number>> {
  const counts: Partial<Record<Severity, number>> = {};
  for (const { severity } of findings) counts[severity] = (counts[severity] ?? 0) + 1;
  return counts;
}
