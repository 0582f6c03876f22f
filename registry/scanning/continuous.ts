import type { Digest } from '@slipway/storage/blobs';
import type { HeldLease } from '@slipway/storage/leases';
import { type Json, scanPages, transact } from '@slipway/storage/records';
import { registryPartition } from '../images/index.ts';
import { frequencyOf, readConfiguration } from './configuration.ts';
import { scanKeys } from './keys.ts';
import type { ScanRecord } from './records.ts';
import { completed, type ScanPorts } from './run-scan.ts';
import { newScanId } from './scan-id.ts';
import { completeScan, type ImageAddress, readInventory } from './scan-store.ts';
import { ScannerFailed, withinLimits } from './scanners/scanner.ts';

/** How far the newest pass came; the next leader goes on from there. */
interface Pass {
  readonly knowledgeFrom: number;
  /** The last key that is done; absent when the pass is over. */
  readonly after?: string;
  readonly finished: boolean;
}

/**
 * Judges images again when the scanner knows more than it did, from the lists of packages that the first scan kept: no layer is
 * read. Images in repositories that are scanned continuously, and those whose scan failed because there were no advisories.
 * @returns how many images were judged
 */
export async function runContinuousPass(
  ports: ScanPorts,
  account: string,
  lease: Pick<HeldLease, 'name' | 'epoch' | 'lost'>,
  pageSize = 100,
): Promise<number> {
  const { images, scanner } = ports;
  const { records } = images.ports;
  const partition = registryPartition(account);
  const knowledgeFrom = scanner.knowledgeFrom?.();
  if (knowledgeFrom === undefined || scanner.match === undefined) return 0;
  const before = (await records.get<Pass>(partition, scanKeys.pass))?.value;
  if (before !== undefined && before.knowledgeFrom >= knowledgeFrom && before.finished) return 0;
  let after = before?.knowledgeFrom === knowledgeFrom ? before.after : undefined;
  let judged = 0;
  const configuration = await readConfiguration(records, account);
  const save = (pass: Pass): Promise<void> =>
    transact(records, partition, async (tx) => tx.put(scanKeys.pass, pass as unknown as Json), {
      fence: { name: lease.name, epoch: lease.epoch },
    });
  for await (const page of scanPages<ScanRecord>(records, partition, {
    prefix: scanKeys.scans,
    limit: pageSize,
    after,
  })) {
    for (const { key, value } of page.records) {
      lease.lost.throwIfAborted();
      const [repository = '', digest = ''] = key.slice(scanKeys.scans.length).split('|');
      if ((value.knowledgeFrom ?? 0) >= knowledgeFrom || value.packageParts === undefined) continue;
      const record = await images.repositories.find(account, repository);
      if (record === undefined) continue;
      const { frequency } = frequencyOf(configuration, record);
      const waiting = value.status === 'FAILED';
      if (frequency !== 'CONTINUOUS_SCAN' && !waiting) continue;
      if (await judge(ports, { account, repository, digest: digest as Digest }, value)) judged++;
    }
    after = page.records.at(-1)?.key ?? after;
    await save({ knowledgeFrom, finished: !page.more, ...(after === undefined ? {} : { after }) });
  }
  return judged;
}

async function judge(ports: ScanPorts, image: ImageAddress, scan: ScanRecord): Promise<boolean> {
  const { images, scanner, clock, log } = ports;
  const inventory = await readInventory(images.ports.records, image, scan);
  if (inventory === undefined) return false;
  try {
    const report = await scanner.match?.(inventory);
    if (report === undefined) return false;
    const { findings } = withinLimits(report);
    await completeScan(images.ports.records, image, {
      ...completed(report),
      scanner: scanner.name,
      completedAt: clock.now(),
      result: { id: newScanId(images.ports), findings },
    });
    return true;
  } catch (error) {
    if (!(error instanceof ScannerFailed)) throw error;
    // It stays as it was judged before; an older verdict is better than none.
    log.info({ ...image, reason: error.message }, 'an image was not judged again');
    return false;
  }
}
