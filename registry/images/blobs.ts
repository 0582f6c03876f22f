import type { BlobSource, Digest, SealedBlob } from '@slipway/storage/blobs';
import { type Json, scan, transact, type Transaction } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import type { RepositoryName } from './names.ts';
import type { BlobRecord, LinkRecord, RepositoryRecord } from './records.ts';

/** A blob that a repository may serve. */
export interface FoundBlob extends BlobRecord {
  readonly digest: Digest;
  /** Whether the answer "it is here" must be backed by a new lease before a pusher may rely on it. */
  readonly leaseDue: boolean;
}

export interface Mount {
  readonly target: RepositoryName;
  readonly digest: Digest;
  /** Without it, any repository will do. */
  readonly from?: RepositoryName;
  /** Whether the caller may pull from a repository; asked before anything is given away. */
  readonly mayPull: (repository: RepositoryRecord) => Promise<boolean>;
}

export interface Blobs {
  /** What the repository and its blob are, in one read. A blob is undefined unless this repository may serve it. */
  look(
    account: string,
    repository: string,
    digest: Digest,
  ): Promise<{ readonly repository?: RepositoryRecord; readonly blob?: FoundBlob }>;
  /** @throws BlobMissing when the bytes are gone although the records have them */
  open(blob: Pick<FoundBlob, 'digest' | 'generation'>): Promise<BlobSource>;
  /** Renews the lease of a blob that a pusher was told about. False: it is gone, the bytes are needed again. */
  renew(account: string, repository: RepositoryRecord, digest: Digest): Promise<boolean>;
  /** Gives `target` a blob that another repository has and the caller may pull. False: not possible, upload it. */
  mount(account: string, mount: Mount): Promise<boolean>;
  /**
   * Takes a blob from a repository.
   * @throws ImagesError `BlobNotFound`, `BlobInUse` while a manifest there needs it
   */
  remove(account: string, repository: string, digest: Digest): Promise<void>;
}

export const blobNotFound = (digest: Digest, repository: string): ImagesError =>
  new ImagesError('BlobNotFound', `The blob ${digest} does not exist in the repository '${repository}'`, { digest });

export function createBlobs(ports: ImagesPorts): Blobs {
  const { records, blobs, clock, limits } = ports;

  const look: Blobs['look'] = async (account, name, digest) => {
    const { repository, value } = await ports.reads.with(account, name, keys.link(digest, name));
    const link = usable(value as LinkRecord | undefined, repository);
    if (repository === undefined) return {};
    if (link === undefined) return { repository };
    const leaseDue = link.leaseUntil - clock.now() < limits.lease / 2;
    return { repository, blob: { digest, generation: link.generation, size: link.size, leaseDue } };
  };

  const mountFrom = (account: string, source: string, { target, digest }: Mount): Promise<boolean> =>
    transact(records, registryPartition(account), async (tx) => {
      const found = await records.getMany<RepositoryRecord | LinkRecord>(registryPartition(account), [
        keys.repository(source),
        keys.repository(target),
        keys.link(digest, source),
      ]);
      const repository = found.get(keys.repository(target))?.value as RepositoryRecord | undefined;
      const link = usable(
        found.get(keys.link(digest, source))?.value as LinkRecord | undefined,
        found.get(keys.repository(source))?.value as RepositoryRecord | undefined,
      );
      if (repository === undefined || link === undefined) return false;
      // The source's right is what makes the mount lawful: it must still hold when the commit happens.
      tx.require({ key: keys.link(digest, source), exists: true });
      return linkExisting(ports, tx, repository, digest);
    });

  return {
    look,
    open: ({ digest, generation }) => blobs.open({ digest, generation }),
    renew: (account, repository, digest) =>
      transact(records, registryPartition(account), async (tx) => {
        const link = await tx.get<LinkRecord>(keys.link(digest, repository.name));
        if (usable(link, repository) === undefined) return false;
        return linkExisting(ports, tx, repository, digest);
      }),
    async mount(account, mount) {
      const partition = registryPartition(account);
      const candidates = mount.from === undefined ? holdersOf(ports, partition, mount.digest) : [mount.from];
      for await (const source of candidates) {
        const { repository, blob } = await look(account, source, mount.digest);
        if (repository === undefined || blob === undefined || !(await mount.mayPull(repository))) continue;
        if (await mountFrom(account, source, mount)) return true;
      }
      return false;
    },
    remove: (account, repository, digest) =>
      transact(records, registryPartition(account), async (tx) => {
        const link = await tx.get<LinkRecord>(keys.link(digest, repository));
        if (link === undefined) throw blobNotFound(digest, repository);
        const prefix = keys.referencesIn(digest, repository);
        const references = await tx.list({ prefix, limit: 1 });
        if (references.records.length > 0) {
          throw new ImagesError(
            'BlobInUse',
            `The blob ${digest} is part of an image in the repository '${repository}'; delete the image first.`,
            { digest },
          );
        }
        tx.require({ prefix, empty: true });
        tx.remove(keys.link(digest, repository));
        tx.put(keys.review(clock.now() + limits.grace, digest), {});
      }),
  };
}

/** A link counts only for the repository it was made for, not for a later one of the same name. */
export function usable(link: LinkRecord | undefined, repository: RepositoryRecord | undefined): LinkRecord | undefined {
  return link !== undefined && repository !== undefined && link.repositoryId === repository.id ? link : undefined;
}

/**
 * The collector's *Ack*: within the transaction, states that the repository has the blob and gives it a new lease. The row of
 * the blob is required to be as it was read, and it is never rewritten, so this conflicts with nothing but its removal.
 * @returns false when there is no such blob (or its removal has begun)
 */
export async function linkExisting(
  ports: ImagesPorts,
  tx: Transaction,
  repository: RepositoryRecord,
  digest: Digest,
): Promise<boolean> {
  const blob = await tx.peek<BlobRecord>(keys.blob(digest));
  if (blob === undefined) return false;
  tx.require({ key: keys.blob(digest), equals: blob.value as unknown as Json });
  putLink(ports, tx, repository, digest, blob.value);
  return true;
}

/** *Ack* after an upload: as {@link linkExisting}, but the blob's row is made when there is none. Says which copy counts. */
export async function linkSealed(
  ports: ImagesPorts,
  tx: Transaction,
  repository: RepositoryRecord,
  sealed: SealedBlob,
): Promise<BlobRecord> {
  const present = await tx.peek<BlobRecord>(keys.blob(sealed.digest));
  const blob: BlobRecord = present?.value ?? { generation: sealed.generation, size: sealed.size };
  if (present === undefined) {
    tx.require({ key: keys.blob(sealed.digest), exists: false });
    tx.put(keys.blob(sealed.digest), blob as unknown as Json);
  } else {
    tx.require({ key: keys.blob(sealed.digest), equals: present.value as unknown as Json });
  }
  putLink(ports, tx, repository, sealed.digest, blob);
  return blob;
}

function putLink(
  ports: ImagesPorts,
  tx: Transaction,
  repository: RepositoryRecord,
  digest: Digest,
  blob: BlobRecord,
): void {
  const leaseUntil = ports.clock.now() + ports.limits.lease;
  const link: LinkRecord = { generation: blob.generation, size: blob.size, repositoryId: repository.id, leaseUntil };
  tx.require({ key: keys.repository(repository.name), exists: true });
  tx.put(keys.link(digest, repository.name), link as unknown as Json);
  tx.put(keys.review(leaseUntil, digest), {});
}

/** Names of the repositories that have a blob, oldest names first. */
async function* holdersOf(ports: ImagesPorts, partition: string, digest: Digest): AsyncGenerator<string> {
  const prefix = keys.linksOf(digest);
  for await (const { key } of scan(ports.records, partition, { prefix, limit: 100 })) yield key.slice(prefix.length);
}
