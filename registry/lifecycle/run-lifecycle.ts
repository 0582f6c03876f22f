import type { Digest } from '@slipway/storage/blobs';
import { scan } from '@slipway/storage/records';
import {
  everyRepository,
  type Images,
  ImagesError,
  keys,
  registryPartition,
  type RepositoryRecord,
} from '../images/index.ts';
import { evaluate } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';
import { imagesOf } from './repository-images.ts';

export interface LifecycleOptions {
  readonly images: Images;
  /** Digests that running tasks, or task definitions a service may go back to, name: they are kept. */
  readonly imagesInUse: () => Promise<ReadonlySet<string>>;
  /** How long ago a repository must have been looked at to be due again, milliseconds. Default 1 hour. */
  readonly every?: number;
}

/** What one run did to one repository. */
export interface LifecycleReport {
  readonly repository: string;
  readonly expired: readonly { readonly digest: string; readonly tags: readonly string[]; readonly priority: number }[];
  /** Images that went into the archive class. */
  readonly archived: readonly {
    readonly digest: string;
    readonly tags: readonly string[];
    readonly priority: number;
  }[];
  /** Images a rule meant, and why they are still there. */
  readonly kept: readonly {
    readonly digest: string;
    readonly priority: number;
    readonly reason: 'in-use' | 'changed';
  }[];
}

/** Who removes images by rule, as events and the audit line name it. */
export const lifecycleActor = 'ecr.lifecycle';

/**
 * Acts on the lifecycle policies of an account, one repository after the other, and yields what it did. Run by one leader;
 * a run that breaks off is gone on with by the next, because each repository notes when it was looked at.
 */
export async function* runLifecycle(
  options: LifecycleOptions,
  account: string,
  signal?: AbortSignal,
): AsyncGenerator<LifecycleReport> {
  const { images } = options;
  const inUse = await options.imagesInUse();
  await removeOrphans(images, account, inUse);
  const due = images.ports.clock.now() - (options.every ?? 3_600_000);
  for await (const repository of everyRepository(images, account)) {
    if (signal?.aborted) return;
    if (repository.lifecyclePolicy === undefined || (repository.lifecycleEvaluatedAt ?? 0) > due) continue;
    yield await applyTo(images, account, repository, inUse);
  }
}

async function applyTo(
  images: Images,
  account: string,
  repository: RepositoryRecord,
  inUse: ReadonlySet<string>,
): Promise<LifecycleReport> {
  const now = images.ports.clock.now();
  const rules = parseLifecyclePolicy(repository.lifecyclePolicy ?? '');
  const expired: LifecycleReport['expired'][number][] = [];
  const kept: LifecycleReport['kept'][number][] = [];
  const archived: LifecycleReport['archived'][number][] = [];
  for (const { image, action, priority } of evaluate(rules, await imagesOf(images, account, repository.name), now)) {
    const { digest, tags } = image;
    if (inUse.has(digest)) {
      kept.push({ digest, priority, reason: 'in-use' });
      continue;
    }
    // Tags that came or went since the decision make it another image, which the next run looks at anew.
    const request = { account, repository: repository.name, digest, actor: lifecycleActor, onlyWithTags: tags };
    const done = await attempt(() =>
      action === 'expire'
        ? images.manifests.removeIf(request)
        : images.manifests.changeStorageClass({ ...request, target: 'archive' }),
    );
    if (done) (action === 'expire' ? expired : archived).push({ digest, tags, priority });
    else kept.push({ digest, priority, reason: 'changed' });
  }
  await attempt(() =>
    images.repositories.update(account, repository.name, (current) => ({ ...current, lifecycleEvaluatedAt: now })),
  );
  return { repository: repository.name, expired, archived, kept };
}

/** Signatures and other referrers follow a subject that was removed, once their time is over, unless somebody tagged them. */
async function removeOrphans(images: Images, account: string, inUse: ReadonlySet<string>): Promise<void> {
  const { records, clock } = images.ports;
  const partition = registryPartition(account);
  for await (const { key } of scan(records, partition, { prefix: keys.orphans, limit: 100 })) {
    const [, due, repository, subject] = key.split('|') as [string, string, string, Digest];
    if (Number(due) > clock.now()) return;
    const back = await images.manifests.listOne(account, repository, subject);
    if (back === undefined) await removeReferrers(images, account, repository, subject, inUse);
    await records.commit(partition, { remove: [key] });
  }
}

async function removeReferrers(
  images: Images,
  account: string,
  repository: string,
  subject: Digest,
  inUse: ReadonlySet<string>,
): Promise<void> {
  const prefix = keys.referrersOf(repository, subject);
  for await (const { key } of scan(images.ports.records, registryPartition(account), { prefix, limit: 100 })) {
    const digest = key.slice(prefix.length) as Digest;
    if (inUse.has(digest)) continue;
    await attempt(() =>
      images.manifests.removeIf({ account, repository, digest, actor: lifecycleActor, onlyWithTags: [] }),
    );
  }
}

/** False when somebody else's change made the work pointless. */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof ImagesError) return false;
    throw error;
  }
}
