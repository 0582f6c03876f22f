import {
  deleteBlob,
  deleteManifest,
  deleteTag,
  getBlob,
  headBlob,
  lookAtManifest,
  manifestPath,
  manifestTaken,
  putManifest,
} from './content.ts';
import type { DataSet, ManifestData } from './data-set.ts';
import { checkReferrers } from './referrers.ts';
import type { Api, Result } from './results.ts';
import type { Suite } from './suite.ts';
import { checkTagList } from './tag-list.ts';
import { pushAny } from './ways.ts';

/** The whole life of some content: pushed, listed, looked at, pulled, referred to and deleted. */
export async function checkDataSet(suite: Suite, group: Result, set: DataSet): Promise<void> {
  const [repository] = suite.settings.repositories;
  const tagged = await push(suite, group.child('push'), repository, set);
  await checkTagList(suite, group, repository, set.tags);
  for (const method of ['HEAD', 'GET'] as const) {
    const part = group.child(method === 'HEAD' ? 'head' : 'pull');
    const look = (manifest: ManifestData, tag?: string): Promise<boolean> | false =>
      !manifest.spoiled && lookAtManifest(suite, part, repository, method, manifest, tag);
    for (const [tag, digest] of set.tags)
      for (const manifest of set.manifests) if (manifest.digest === digest) await look(manifest, tag);
    for (const manifest of set.manifests) await look(manifest);
    for (const [digest, bytes] of set.blobs)
      await (method === 'HEAD' ? headBlob : getBlob)(suite, part, repository, digest, bytes);
  }
  if (set.referrers.size > 0) await checkReferrers(suite, group, repository, set.referrers);
  await remove(suite, group.child('delete'), repository, set, tagged);
}

/** @returns the tags that were pushed */
async function push(suite: Suite, group: Result, repository: string, set: DataSet): Promise<ReadonlySet<string>> {
  const tagged = new Set<string>();
  for (const [digest, bytes] of set.blobs) await pushAny(suite, group, { repository, digest, bytes });
  for (const manifest of set.manifests)
    for (const tag of await pushByDigest(suite, group, repository, manifest, set)) tagged.add(tag);
  for (const [tag, digest] of set.tags) {
    const manifest = set.manifests.find((other) => other.digest === digest);
    if (manifest === undefined || tagged.has(tag)) continue;
    const passed = await suite.run(group, 'manifest-by-tag', {
      rows: ['Manifest put by tag', ...aboutSubject(manifest)],
      check: async (check) => {
        const answer = await putManifest(suite, manifestPath(repository, tag), manifest, {});
        await manifestTaken(suite, check, answer, manifest);
      },
    });
    if (passed) tagged.add(tag);
  }
  return tagged;
}

/** @returns the tags beside the digest that were taken */
async function pushByDigest(
  suite: Suite,
  group: Result,
  repository: string,
  manifest: ManifestData,
  set: DataSet,
): Promise<readonly string[]> {
  const asked = set.tagParameters ? [...set.tags].filter(([, to]) => to === manifest.digest).map(([tag]) => tag) : [];
  let taken: readonly string[] = [];
  await suite.run(group, 'manifest-by-digest', {
    rows: [
      'Manifest put by digest',
      ...aboutSubject(manifest),
      ...(set.tagParameters ? (['Manifest put with tag params'] as const) : []),
    ],
    check: async (check) => {
      const query = new URLSearchParams(asked.map((tag) => ['tag', tag])).toString();
      const path = manifestPath(repository, manifest.digest);
      const answer = await putManifest(suite, query === '' ? path : `${path}?${query}`, manifest);
      await manifestTaken(suite, check, answer, manifest);
      if (check.failed) return;
      const listed = new Set(
        (answer.headers['oci-tag'] ?? []).flatMap((line) => line.split(',')).map((tag) => tag.trim()),
      );
      taken = asked.filter((tag) => listed.has(tag));
      for (const tag of asked)
        if (!listed.has(tag)) check.unsupported(`${answer.what}: OCI-Tag does not name '${tag}'`);
    },
  });
  return taken;
}

const aboutSubject = ({ subject }: ManifestData): readonly Api[] =>
  subject === undefined ? [] : ['Manifest put with subject'];

/** Tags first, then manifests, those that list others before these; blobs last. */
async function remove(
  suite: Suite,
  group: Result,
  repository: string,
  set: DataSet,
  tagged: ReadonlySet<string>,
): Promise<void> {
  for (const tag of set.tags.keys()) if (tagged.has(tag)) await deleteTag(suite, group, repository, tag);
  for (const { digest } of set.manifests.toReversed()) await deleteManifest(suite, group, repository, digest);
  for (const digest of set.blobs.keys()) await deleteBlob(suite, group, repository, digest);
}
