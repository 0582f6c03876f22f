import type { Digest } from '@slipway/storage/blobs';
import { type Json, type RecordStore, removePrefix, transact, type Transaction } from '@slipway/storage/records';
import type { Package, Severity } from '../advisories/index.ts';
import { keys, registryPartition } from '../images/index.ts';
import type { Distribution } from './inventory/os-release.ts';
import { scanKeys } from './keys.ts';
import { findingsPerPart, packagesPerPart, type ScanRecord } from './records.ts';
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

/** The scans of some images of a repository, by digest, in one read; images without a scan are not in the map. */
export async function readScans(
  records: RecordStore,
  account: string,
  repository: string,
  digests: readonly string[],
): Promise<ReadonlyMap<string, ScanRecord>> {
  const keyOf = (digest: string): string => scanKeys.scan(repository, digest);
  const found = await records.getMany<ScanRecord>(registryPartition(account), digests.map(keyOf));
  return new Map(
    digests.flatMap((digest) => {
      const scan = found.get(keyOf(digest))?.value;
      return scan === undefined ? [] : [[digest, scan] as const];
    }),
  );
}

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

/** How a scan ended. */
export interface ScanOutcome {
  readonly status: ScanRecord['status'];
  readonly description: string;
  readonly scanner: string;
  readonly completedAt: number;
  readonly knowledgeFrom?: number;
  readonly sbom?: Digest;
  /** Findings under a new id; absent when the scan came to none. */
  readonly result?: { readonly id: string; readonly findings: readonly Finding[] };
  readonly inventory?: NonNullable<ScanReport['inventory']>;
}

/**
 * Keeps what a scan ended with, new findings in place of earlier ones, and announces `image.scanned`. A scan without findings
 * leaves the earlier ones: a rule that refuses the image must not be lifted by a scanner that fails.
 */
export async function completeScan(
  records: RecordStore,
  image: ImageAddress,
  outcome: ScanOutcome,
): Promise<ScanRecord | undefined> {
  const { account, repository, digest } = image;
  const { status, description, scanner, completedAt, knowledgeFrom, result, inventory } = outcome;
  return transact(records, registryPartition(account), async (tx) => {
    const key = scanKeys.scan(repository, digest);
    const manifest = keys.manifest(repository, digest);
    if ((await tx.peek(manifest)) === undefined) return undefined;
    tx.require({ key: manifest, exists: true });
    const before = await tx.get<ScanRecord>(key);
    const base = {
      ...before,
      cause: before?.cause ?? 'push',
      requestedAt: before?.requestedAt ?? completedAt,
    } as const;
    const sbom = outcome.sbom ?? before?.sbom;
    const distribution = inventory?.distribution ?? before?.distribution;
    const packageParts = inventory
      ? putParts(tx, inventory.packages, packagesPerPart, (part) => scanKeys.packagePart(repository, digest, part))
      : before?.packageParts;
    const next: ScanRecord = {
      ...base,
      status,
      description,
      scanner,
      ...(knowledgeFrom === undefined ? {} : { knowledgeFrom }),
      ...(sbom === undefined ? {} : { sbom }),
      ...(distribution === undefined ? {} : { distribution }),
      ...(packageParts === undefined ? {} : { packageParts }),
      ...(result === undefined ? {} : await replaceFindings(tx, image, result)),
      ...(result === undefined ? {} : { completedAt, firstCompletedAt: before?.firstCompletedAt ?? completedAt }),
    };
    tx.put(key, next as unknown as Json);
    const counts = result ? (next.counts ?? {}) : {};
    tx.announce({ topic: 'registry', type: 'image.scanned', data: { ...image, status, counts, cause: next.cause } });
    return next;
  });
}

async function replaceFindings(
  tx: Transaction,
  { repository, digest }: ImageAddress,
  { id, findings }: { readonly id: string; readonly findings: readonly Finding[] },
): Promise<Pick<ScanRecord, 'id' | 'counts' | 'parts'>> {
  await removePrefix(tx, scanKeys.findings(repository, digest));
  const parts = putParts(tx, findings, findingsPerPart, (part) => scanKeys.findingPart(repository, digest, id, part));
  return { id, counts: countsOf(findings), parts };
}

/** Writes a list as several records; returns how many. */
function putParts(tx: Transaction, items: readonly unknown[], size: number, keyOf: (part: number) => string): number {
  const parts = Math.ceil(items.length / size);
  for (let part = 0; part < parts; part++) {
    tx.put(keyOf(part), items.slice(part * size, (part + 1) * size) as unknown as Json);
  }
  return parts;
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
    for (const prefix of [scanKeys.findings(repository, digest), scanKeys.packages(repository, digest)])
      await removePrefix(tx, prefix);
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
