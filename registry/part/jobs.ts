import type { Job } from '@slipway/auth/contract';
import { scan } from '@slipway/storage/records';
import { auditBlobs, type BlobsOfOthers, collect, type CollectReport, interlockOf } from '../collector/index.ts';
import { type Images, keys, registryAccounts, registryPartition, type UploadRecord } from '../images/index.ts';
import { runLifecycle } from '../lifecycle/index.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export interface RegistryJobsOptions {
  readonly images: Images;
  /** Digests that tasks run or a rollback may need: lifecycle rules leave them alone. */
  readonly imagesInUse: (account: string) => Promise<ReadonlySet<string>>;
  readonly blobsOfOthers: BlobsOfOthers;
  /** Why acknowledged records seem to be gone; whatever deletes because nothing refers to it stops then. */
  readonly lossNoticed: () => string | undefined;
  readonly onCollected: (report: CollectReport) => void;
}

/** The registry's upkeep: lifecycle rules, garbage collection, abandoned uploads, and the weekly look for unknown bytes. */
export function registryJobs({
  images,
  imagesInUse,
  blobsOfOthers,
  lossNoticed,
  onCollected,
}: RegistryJobsOptions): readonly Job[] {
  const accounts = (): Promise<readonly string[]> => registryAccounts(images.ports);
  return [
    {
      name: 'lifecycle',
      every: hour,
      run: async (signal) => {
        const totals = { repositories: 0, expired: 0, keptInUse: 0 };
        for (const account of await accounts()) {
          for await (const report of runLifecycle(
            { images, imagesInUse: () => imagesInUse(account) },
            account,
            signal,
          )) {
            totals.repositories += 1;
            totals.expired += report.expired.length;
            totals.keptInUse += report.kept.filter(({ reason }) => reason === 'in-use').length;
          }
        }
        return totals.repositories === 0 ? undefined : totals;
      },
    },
    {
      name: 'abandoned-uploads',
      every: hour,
      run: async () => {
        let dropped = 0;
        for (const account of await accounts()) dropped += await images.uploads.sweep(account);
        if (lossNoticed() !== undefined) return dropped === 0 ? undefined : { dropped };
        // Listed before the sweep looks: an upload that begins later is too young to be swept.
        const open = await openUploads(images);
        const swept = await images.ports.blobs.sweepStaged(2 * day, async (id) => open.has(id));
        return dropped + swept === 0 ? undefined : { dropped, swept };
      },
    },
    {
      name: 'garbage-collection',
      every: 5 * minute,
      run: async (signal) => {
        const totals = { removed: 0, freedBytes: 0 };
        for (const account of await accounts()) {
          const report = await collect(images.ports, account, {
            interlock: interlockOf(images.ports.blobs, account, lossNoticed),
            signal,
          });
          onCollected(report);
          totals.removed += report.removed;
          totals.freedBytes += report.freedBytes;
        }
        return totals.removed === 0 ? undefined : totals;
      },
    },
    {
      name: 'unknown-blobs',
      every: 7 * day,
      run: async (signal) => ({ ...(await auditBlobs(images.ports, blobsOfOthers, { signal, lossNoticed })) }),
    },
  ];
}

/** The staged bytes that some account's open uploads claim. */
async function openUploads(images: Images): Promise<ReadonlySet<string>> {
  const { records } = images.ports;
  const ids = new Set<string>();
  for (const account of await registryAccounts(images.ports)) {
    const uploads = scan<UploadRecord>(records, registryPartition(account), { prefix: keys.uploads });
    for await (const { value } of uploads) if (value.staged) ids.add(value.staged.id);
  }
  return ids;
}
