import type { Digest } from '@slipway/storage/blobs';
import { definePartition, type OwnedRows } from '@slipway/storage/records';

/**
 * Where each record lies in an account's partition. `|` separates the parts because no name, tag or digest can hold it; so a
 * prefix that ends in `|` never takes in a longer name (`a` and `a-b` and `a/b` stay apart).
 *
 * Two rules keep the collector's argument short: everything that keeps a blob alive lies under a prefix that starts with the
 * blob's digest (`link|<digest>|`, `reference|<digest>|`), so "nobody needs it" is the condition "this prefix is empty"; and
 * the blob's own row is never rewritten, so that pushes sharing a base layer do not conflict.
 */
export const keys = {
  registry: 'registry',
  signingKey: 'signing-key',
  repositories: 'repository|',
  repository: (name: string): string => `repository|${name}`,

  manifests: (repository: string): string => `manifest|${repository}|`,
  manifest: (repository: string, digest: Digest): string => `manifest|${repository}|${digest}`,
  /** The exact bytes; apart from the facts, so that listing images does not read them. */
  content: (repository: string, digest: Digest): string => `content|${repository}|${digest}`,

  tags: (repository: string): string => `tag|${repository}|`,
  tag: (repository: string, tag: string): string => `tag|${repository}|${tag}`,
  /** The other way round: which tags point at a digest. */
  allTagged: (repository: string): string => `tagged|${repository}|`,
  tagsOf: (repository: string, digest: Digest): string => `tagged|${repository}|${digest}|`,
  tagged: (repository: string, digest: Digest, tag: string): string => `tagged|${repository}|${digest}|${tag}`,

  allParents: (repository: string): string => `parent|${repository}|`,
  /** Indexes that list a manifest. */
  parentsOf: (repository: string, child: Digest): string => `parent|${repository}|${child}|`,
  parent: (repository: string, child: Digest, index: Digest): string => `parent|${repository}|${child}|${index}`,
  referrersOf: (repository: string, subject: Digest): string => `referrer|${repository}|${subject}|`,
  referrer: (repository: string, subject: Digest, digest: Digest): string =>
    `referrer|${repository}|${subject}|${digest}`,
  /** Subjects that went away before their referrers, in the order in which those are due to follow. */
  orphans: 'orphan|',
  orphan: (due: number, repository: string, subject: Digest): string =>
    `orphan|${String(due).padStart(15, '0')}|${repository}|${subject}`,
  /** The newest preview of a lifecycle policy, and its results in parts. */
  preview: (repository: string): string => `preview|${repository}`,
  previewParts: (repository: string): string => `preview-part|${repository}|`,
  previewPart: (repository: string, id: string, part: number): string =>
    `preview-part|${repository}|${id}|${String(part).padStart(6, '0')}`,
  /** How much is in a repository (or, for `*`, in the registry), in shards. */
  counts: (scope: string): string => `count|${scope}|`,
  count: (scope: string, shard: string): string => `count|${scope}|${shard}`,

  /** How far the copying of an image to other registries is. */
  replicatedTo: (repository: string, digest: Digest): string => `replicated|${repository}|${digest}|`,
  replicated: (repository: string, digest: Digest, region: string, registryId: string): string =>
    `replicated|${repository}|${digest}|${region}|${registryId}`,

  pulls: (repository: string): string => `pulled|${repository}|`,
  pulled: (repository: string, digest: Digest): string => `pulled|${repository}|${digest}`,

  blobs: 'blob|',
  blob: (digest: Digest): string => `blob|${digest}`,
  /** A repository that may serve the blob, with its lease. */
  linksOf: (digest: Digest): string => `link|${digest}|`,
  link: (digest: Digest, repository: string): string => `link|${digest}|${repository}`,
  /** A manifest that needs the blob. */
  referencesIn: (digest: Digest, repository: string): string => `reference|${digest}|${repository}|`,
  reference: (digest: Digest, repository: string, manifest: Digest): string =>
    `reference|${digest}|${repository}|${manifest}`,
  /** The collector's journal, in the order in which entries fall due. */
  reviews: 'review|',
  review: (due: number, digest: Digest): string => `review|${String(due).padStart(15, '0')}|${digest}`,
  /** A generation that is being removed for good. */
  sweeps: 'sweep|',
  sweep: (digest: Digest, generation: string): string => `sweep|${digest}|${generation}`,

  uploads: 'upload|',
  uploadsIn: (repository: string): string => `upload|${repository}|`,
  upload: (repository: string, id: string): string => `upload|${repository}|${id}`,
} as const;

/** The partition of one account's registry: the unit of atomicity. */
export const registries = definePartition('registry/<account>', "one account's registry");
export const registryPartition = registries.name;

/** What a commit about an image or a repository changes; other rooms put theirs beside it. */
export const imageRows: OwnedRows = {
  partition: registries,
  owner: 'registry/images',
  keys: [
    keys.registry,
    keys.signingKey,
    keys.repositories,
    'manifest|',
    'content|',
    'tag|',
    'tagged|',
    'parent|',
    'referrer|',
    keys.orphans,
    'preview|',
    'preview-part|',
    'count|',
    'replicated|',
    'pulled|',
    keys.blobs,
    'link|',
    'reference|',
    keys.reviews,
    keys.sweeps,
    keys.uploads,
  ],
};
