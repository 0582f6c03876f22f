import type { Digest } from '@slipway/storage/blobs';
import { scanPages } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ImagesPorts } from './ports.ts';
import {
  manifestNotFound,
  type RemovedManifest,
  type RemoveManifest,
  removeManifest,
  type RemoveTag,
  removeTag,
} from './delete-manifest.ts';
import { type ImagePage, type ListedImage, listImages, listOneImage } from './list-images.ts';
import { keys, registryPartition } from './keys.ts';
import { annotationsLength } from './manifest.ts';
import type { Reference, RepositoryName } from './names.ts';
import { inOwnMemory } from './own-memory.ts';
import { putManifest, type PutManifest, type PutManifestResult } from './put-manifest.ts';
import { type ChangeStorageClass, changeStorageClass } from './storage-class.ts';
import type { ManifestRecord, ReferrerRecord, RepositoryRecord, TagRecord } from './records.ts';

/** A manifest that is there, without its bytes. */
export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** It is in the archive class: it cannot be pulled until it is restored. */
  readonly archived?: true;
}

export interface Manifests {
  put(request: PutManifest): Promise<PutManifestResult>;
  /** What the repository is and what the reference points at, in one read. */
  look(
    account: string,
    repository: string,
    reference: Reference,
  ): Promise<{ readonly repository?: RepositoryRecord; readonly manifest?: FoundManifest }>;
  /** The exact bytes; from memory when they were read before, because what a digest names never changes. */
  content(account: string, repository: string, digest: Digest): Promise<Buffer>;
  /** Which of these manifests are in the archive class. */
  archivedAmong(account: string, repository: string, digests: readonly Digest[]): Promise<ReadonlySet<Digest>>;
  /** Whether a blob belongs to images of the repository, all of which are in the archive class. */
  isArchivedBlob(account: string, repository: string, digest: Digest): Promise<boolean>;
  /** Archives or restores. @throws ImagesError `ManifestNotFound`, `ManifestInUse` while an active index lists it */
  changeStorageClass(request: ChangeStorageClass): Promise<ManifestRecord>;
  /** @throws ImagesError `ManifestNotFound`, `ManifestInUse` */
  remove(account: string, repository: string, digest: Digest, actor: string): Promise<RemovedManifest>;
  /** As {@link remove}, with conditions. */
  removeIf(request: RemoveManifest): Promise<RemovedManifest>;
  /** @throws ImagesError `ManifestNotFound`, `ManifestInUse` */
  removeTag(request: RemoveTag): Promise<Digest>;
  /** Images with their tags and last pulls, ordered by digest. */
  list(
    account: string,
    repository: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<ImagePage>;
  listOne(account: string, repository: string, digest: Digest): Promise<ListedImage | undefined>;
  /** Tags in the order of their bytes. */
  tags(
    account: string,
    repository: RepositoryName,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<{ readonly tags: readonly string[]; readonly more: boolean }>;
  /**
   * Manifests that name a subject, ordered by digest. The subject itself need not be there. `next` is where to go on, and absent at the
   * end of the list; a page before that may have fewer than were asked for, or none that the filter wants.
   */
  referrers(
    account: string,
    repository: RepositoryName,
    subject: Digest,
    page: { readonly after?: string; readonly limit: number; readonly artifactTypes?: readonly string[] },
  ): Promise<{ readonly referrers: readonly ReferrerRecord[]; readonly next?: string }>;
}

export function createManifests(ports: ImagesPorts): Manifests {
  const { records } = ports;
  const contents = new LRUCache<Digest, Buffer>({
    maxSize: ports.limits.cacheBytes,
    sizeCalculation: (bytes) => bytes.length + 200,
  });

  return {
    put: (request) => putManifest(ports, request),
    async look(account, name, reference) {
      const target = reference.kind === 'tag' ? keys.tag(name, reference.tag) : keys.manifest(name, reference.digest);
      const { repository, value } = await ports.reads.with(account, name, target);
      const row = value as TagRecord | ManifestRecord | undefined;
      if (repository === undefined) return {};
      if (row === undefined) return { repository };
      const digest = reference.kind === 'tag' ? (row as TagRecord).digest : reference.digest;
      const archived = reference.kind === 'tag' ? (row as TagRecord).archived : (row as ManifestRecord).archivedAt;
      return {
        repository,
        manifest: {
          digest,
          mediaType: row.mediaType,
          size: row.size,
          ...(archived === undefined ? {} : { archived: true }),
        },
      };
    },
    async content(account, name, digest) {
      const known = contents.get(digest);
      ports.meter.looked(known !== undefined);
      if (known !== undefined) return known;
      const text = await records.get<string>(registryPartition(account), keys.content(name, digest));
      if (text === undefined) throw manifestNotFound(name, digest);
      const bytes = inOwnMemory(text.value);
      contents.set(digest, bytes);
      return bytes;
    },
    async archivedAmong(account, repository, digests) {
      const found = await records.getMany<ManifestRecord>(
        registryPartition(account),
        digests.map((digest) => keys.manifest(repository, digest)),
      );
      return new Set(
        digests.filter((digest) => found.get(keys.manifest(repository, digest))?.value.archivedAt !== undefined),
      );
    },
    async isArchivedBlob(account, repository, digest) {
      const prefix = keys.referencesIn(digest, repository);
      let any = false;
      for await (const page of scanPages(records, registryPartition(account), { prefix, limit: 100 })) {
        const found = await records.getMany<ManifestRecord>(
          registryPartition(account),
          page.records.map(({ key }) => keys.manifest(repository, key.slice(prefix.length) as Digest)),
        );
        if (found.values().some(({ value }) => value.archivedAt === undefined)) return false;
        any ||= page.records.length > 0;
      }
      return any;
    },
    changeStorageClass: (request) => changeStorageClass(ports, request),
    remove: (account, repository, digest, actor) => removeManifest(ports, { account, repository, digest, actor }),
    removeIf: (request) => removeManifest(ports, request),
    removeTag: (request) => removeTag(ports, request),
    list: (account, repository, page) => listImages(ports, account, repository, page),
    listOne: (account, repository, digest) => listOneImage(ports, account, repository, digest),
    async tags(account, repository, { after, limit }) {
      const prefix = keys.tags(repository);
      const page = await records.list(registryPartition(account), {
        prefix,
        limit,
        ...(after === undefined ? {} : { after: prefix + after }),
      });
      return { tags: page.records.map((record) => record.key.slice(prefix.length)), more: page.more };
    },
    async referrers(account, repository, subject, { after, limit, artifactTypes }) {
      const prefix = keys.referrersOf(repository, subject);
      const referrers: ReferrerRecord[] = [];
      const pages = scanPages<ReferrerRecord>(records, registryPartition(account), {
        prefix,
        // Without a filter every record that is read is one that is wanted.
        limit: artifactTypes ? 1000 : limit,
        characters: referrersCharacters,
        ...(after === undefined ? {} : { after: prefix + after }),
      });
      let looked = 0;
      let characters = 0;
      for await (const page of pages) {
        for (const [position, { key, value }] of page.records.entries()) {
          if (artifactTypes && !artifactTypes.includes(value.artifactType ?? '')) continue;
          referrers.push(value);
          characters += 300 + annotationsLength(value.annotations);
          const more = page.more || position + 1 < page.records.length;
          if (referrers.length < limit && characters <= referrersCharacters) continue;
          return { referrers, ...(more ? { next: key.slice(prefix.length) } : {}) };
        }
        const last = page.records.at(-1)?.key;
        // Annotations are copied into the list, so a page ends by size as well as by count; and what a filter leaves out is work, too.
        if (page.more && last !== undefined && (++looked === mostReferrerPages || artifactTypes === undefined))
          return { referrers, next: last.slice(prefix.length) };
        await nextTurn();
      }
      return { referrers };
    },
  };
}

/** Characters of entries after which a list of referrers ends. */
const referrersCharacters = 4 * 1024 * 1024;
/** Pages of records that one list looks through for those that its filter wants. */
const mostReferrerPages = 10;
