import type { Digest } from '@slipway/storage/blobs';
import { scanPages } from '@slipway/storage/records';
import { type BlobRecord, type ImagesPorts, keys, registryPartition } from '../images/index.ts';
import { checkInterlock, checkLoss, type Interlock } from './interlock.ts';
import { lookAtLinks, prune, sweepBegin, sweepEnd } from './steps.ts';

export interface CollectOptions {
  /** Looks and counts, and changes nothing. */
  readonly dryRun?: boolean;
  /** About so many blobs in one run (those under way are ended); more wait for the next. Default 100,000. */
  readonly maximum?: number;
  /** Refuses to collect on records that have gone back. Without it there is no such check. */
  readonly interlock?: Interlock;
  /** Called after each thousand or so; the run goes on when it resolves. */
  readonly onProgress?: (progress: CollectReport) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/** What a run did, or in a dry run would have done, so far. */
export interface CollectReport {
  /** Entries of the journal that were looked at. */
  readonly reviewed: number;
  /** Blobs that stay because an image needs them, or because a pusher was told that they are here. */
  readonly referenced: number;
  readonly leased: number;
  /** Blobs that nothing needs any more, whose time of grace began. */
  readonly released: number;
  readonly removed: number;
  readonly freedBytes: number;
  /** Whether the run ended at its maximum with work left. */
  readonly stoppedAtMaximum: boolean;
}

type Counts = { -readonly [Name in keyof CollectReport]: CollectReport[Name] };

const pageSize = 1000;
/** So many blobs at once: their commits share the syncs of the disk. */
const parallel = 64;

/**
 * Frees the blobs of one account that nothing needs, while pushes and pulls go on. Works through the journal of what was let go,
 * in the order in which entries fall due: its cost is that of the garbage, not of the registry. May run anywhere, also twice at
 * the same time, and may be broken off anywhere.
 * @throws RecordsWentBack
 */
export async function collect(
  ports: ImagesPorts,
  account: string,
  options: CollectOptions = {},
): Promise<CollectReport> {
  const counts: Counts = {
    reviewed: 0,
    referenced: 0,
    leased: 0,
    released: 0,
    removed: 0,
    freedBytes: 0,
    stoppedAtMaximum: false,
  };
  const partition = registryPartition(account);
  if (options.interlock) await checkInterlock(ports.records, partition, options.interlock);
  const maximum = options.maximum ?? 100_000;
  if (options.dryRun !== true) await finishSweeps(ports, account, counts);

  const now = ports.clock.now();
  const upTo = keys.review(now, '~' as Digest);
  const reviews = { prefix: keys.reviews, limit: pageSize };
  for await (const page of scanPages(ports.records, partition, reviews)) {
    if (options.interlock) checkLoss(options.interlock);
    const due = page.records.filter((record) => record.key <= upTo);
    const digests = new Set(due.map((record) => record.key.split('|')[2] as Digest));
    await inParallel(Math.min(parallel, maximum - counts.removed), digests, async (digest) => {
      if (options.signal?.aborted || counts.removed >= maximum) return;
      if (options.dryRun) await lookOnly(ports, account, digest, counts);
      else await reviewOne(ports, account, digest, counts);
    });
    counts.reviewed += due.length;
    counts.stoppedAtMaximum = counts.removed >= maximum;
    if (options.signal?.aborted || counts.stoppedAtMaximum) return report(counts, options);
    // Each step noted what has to be looked at again; what was looked at can go.
    if (options.dryRun !== true && due.length > 0)
      await ports.records.commit(partition, { remove: due.map((record) => record.key) });
    await report(counts, options);
    if (due.length < page.records.length) break;
  }
  if (options.interlock && options.dryRun !== true)
    await options.interlock.write(await ports.records.version(partition));
  return report(counts, options);
}

async function reviewOne(ports: ImagesPorts, account: string, digest: Digest, counts: Counts): Promise<void> {
  const { records, clock } = ports;
  const pruned = await prune(ports, account, digest);
  switch (pruned.state) {
    case 'held':
      if (pruned.leasedUntil === undefined) counts.referenced += 1;
      else {
        counts.leased += 1;
        const due = Math.max(pruned.leasedUntil, clock.now() + 1);
        await records.commit(registryPartition(account), { put: [{ key: keys.review(due, digest), value: {} }] });
      }
      return;
    case 'released':
      counts.released += 1;
      return;
    case 'free': {
      const blob = await sweepBegin(ports, account, digest);
      if (blob === undefined) return;
      await sweepEnd(ports, account, digest, blob.generation);
      counts.removed += 1;
      counts.freedBytes += blob.size;
    }
  }
}

async function lookOnly(ports: ImagesPorts, account: string, digest: Digest, counts: Counts): Promise<void> {
  const { links, idle, leasedUntil } = await lookAtLinks(ports, account, digest);
  if (links.length > 0) {
    if (idle.length === links.length) counts.released += 1;
    else if (leasedUntil === undefined) counts.referenced += 1;
    else counts.leased += 1;
    return;
  }
  const blob = await ports.records.get<BlobRecord>(registryPartition(account), keys.blob(digest));
  if (blob === undefined) return;
  counts.removed += 1;
  counts.freedBytes += blob.value.size;
}

/** Ends removals that an earlier run began: their rows are gone, their bytes may not be. */
async function finishSweeps(ports: ImagesPorts, account: string, counts: Counts): Promise<void> {
  const sweeps = { prefix: keys.sweeps, limit: pageSize };
  for await (const page of scanPages<BlobRecord>(ports.records, registryPartition(account), sweeps)) {
    await inParallel(parallel, page.records, async ({ key, value }) => {
      const [, digest] = key.split('|') as [string, Digest];
      await sweepEnd(ports, account, digest, value.generation);
      counts.removed += 1;
      counts.freedBytes += value.size;
    });
  }
}

async function inParallel<T>(count: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

async function report(counts: Counts, { onProgress }: CollectOptions): Promise<CollectReport> {
  const copy = { ...counts };
  await onProgress?.(copy);
  return copy;
}
