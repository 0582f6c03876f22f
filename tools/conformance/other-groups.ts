import { randomBytes, randomUUID } from 'node:crypto';
import { accepting, deleteBlob, deleteManifest, manifestPath, putManifest } from './content.ts';
import { DataSet } from './data-set.ts';
import { digestOf } from './digest.ts';
import { referrersPath } from './referrers.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';
import { tagsOf, tagsPath } from './tag-list.ts';
import { pushAny } from './ways.ts';

export const checkPing = (suite: Suite, root: Result): Promise<boolean> =>
  suite.run(root, 'ping', {
    rows: ['Ping'],
    check: async (check) => check.status(await suite.ask('GET', '/v2/'), 200),
  });

/** A repository that has nothing yet, or is not known: no tags, and an empty list of referrers rather than a 404. */
export async function checkEmpty(suite: Suite, group: Result): Promise<void> {
  const [repository] = suite.settings.repositories;
  await suite.run(group, 'tag list', {
    rows: ['Tag listing'],
    check: async (check) => tagsOf(check, await suite.ask('GET', tagsPath(repository))),
  });
  await suite.run(group, 'referrers', {
    rows: ['Referrers'],
    check: async (check) => {
      const unknown = digestOf(randomBytes(32));
      check.descriptors(await suite.ask('GET', referrersPath(repository, unknown)));
    },
  });
}

export async function checkMissingManifest(suite: Suite, group: Result): Promise<void> {
  const [repository] = suite.settings.repositories;
  for (const [by, reference] of [
    ['digest', digestOf(randomBytes(32))],
    ['tag', `missing-${randomUUID()}`],
  ] as const)
    await suite.run(group, `by-${by}`, {
      rows: [`Manifest get by ${by}`],
      check: async (check) => check.status(await suite.ask('GET', manifestPath(repository, reference), accepting), 404),
    });
}

/** A reference that is neither a tag nor a digest, though it tries. */
const malformed = 'sha256:thisisnodigest';

export async function checkMalformedDigest(suite: Suite, group: Result): Promise<void> {
  const [repository] = suite.settings.repositories;
  const set = new DataSet();
  set.addImage({ payload: { kind: 'image', layers: 1, compressed: true } });
  for (const [digest, bytes] of set.blobs) await pushAny(suite, group, { repository, digest, bytes });
  for (const manifest of set.manifests)
    await suite.run(group, 'manifest-put', {
      rows: ['Manifest put by digest'],
      check: async (check) =>
        check.status(await putManifest(suite, manifestPath(repository, malformed), manifest), 400),
    });
  await suite.run(group, 'manifest-get', {
    rows: ['Manifest get by digest'],
    check: async (check) =>
      check.status(await suite.ask('GET', manifestPath(repository, malformed), accepting), 400, 404),
  });
  const tidied = group.child('delete');
  for (const { digest } of set.manifests) await deleteManifest(suite, tidied, repository, digest);
  for (const digest of set.blobs.keys()) await deleteBlob(suite, tidied, repository, digest);
}
