import type { Check } from './check.ts';
import type { ManifestData } from './data-set.ts';
import type { Answer, AskOptions } from './exchange.ts';
import { acceptManifests } from './media-types.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';

export const blobPath = (repository: string, digest: string): string => `/v2/${repository}/blobs/${digest}`;
export const manifestPath = (repository: string, reference: string): string =>
  `/v2/${repository}/manifests/${reference}`;

export const accepting = { headers: { accept: acceptManifests } };

const nothing = Buffer.alloc(0);

export const headBlob = (
  suite: Suite,
  parent: Result,
  repository: string,
  digest: string,
  bytes: Buffer,
): Promise<boolean> =>
  suite.run(parent, 'blob-head', {
    rows: ['Blob head'],
    check: async (check) => {
      const answer = await suite.ask('HEAD', blobPath(repository, digest));
      if (!check.status(answer, 200)) return;
      check.header(answer, 'Content-Length', String(bytes.length));
      check.body(answer, nothing);
      check.digest(answer, digest, suite.dev);
    },
  });

export const getBlob = (
  suite: Suite,
  parent: Result,
  repository: string,
  digest: string,
  bytes: Buffer,
): Promise<boolean> =>
  suite.run(parent, 'blob-get', {
    rows: ['Blob get'],
    check: async (check) => {
      const answer = await suite.ask('GET', blobPath(repository, digest));
      if (!check.status(answer, 200)) return;
      check.header(answer, 'Content-Length', String(bytes.length));
      check.body(answer, bytes);
      check.digest(answer, digest, suite.dev);
    },
  });

/** A blob that is deleted is gone at once. That there is none is as good as a deletion. */
export const deleteBlob = (suite: Suite, parent: Result, repository: string, digest: string): Promise<boolean> =>
  suite.run(
    parent,
    'blob-delete',
    {
      rows: ['Blob delete'],
      check: (check) => deletes(suite, check, blobPath(repository, digest), [405]),
    },
    { rows: ['Blob delete atomic'], check: (check) => isGone(suite, check, blobPath(repository, digest)) },
  );

export const deleteTag = (suite: Suite, parent: Result, repository: string, tag: string): Promise<boolean> =>
  suite.run(
    parent,
    'tag-delete',
    {
      rows: ['Tag delete'],
      check: (check) => deletes(suite, check, manifestPath(repository, tag), [400, 405]),
    },
    { rows: ['Tag delete atomic'], check: (check) => isGone(suite, check, manifestPath(repository, tag)) },
  );

export const deleteManifest = (suite: Suite, parent: Result, repository: string, digest: string): Promise<boolean> =>
  suite.run(
    parent,
    'manifest-delete',
    {
      rows: ['Manifest delete'],
      check: (check) => deletes(suite, check, manifestPath(repository, digest), [400, 405]),
    },
    { rows: ['Manifest delete atomic'], check: (check) => isGone(suite, check, manifestPath(repository, digest)) },
  );

async function deletes(suite: Suite, check: Check, path: string, refusals: readonly number[]): Promise<void> {
  const answer = await suite.ask('DELETE', path);
  if (refusals.includes(answer.status)) check.unsupported(`${answer.what}: answered ${answer.status}`);
  else check.status(answer, 202, 404);
}

async function isGone(suite: Suite, check: Check, path: string): Promise<void> {
  check.status(await suite.ask('HEAD', path, accepting), 404);
}

/** Asks for a manifest by digest or tag, and compares everything that comes with what was pushed. */
export const lookAtManifest = (
  suite: Suite,
  parent: Result,
  repository: string,
  method: 'GET' | 'HEAD',
  manifest: ManifestData,
  tag?: string,
): Promise<boolean> => {
  const by = tag === undefined ? 'digest' : 'tag';
  return suite.run(parent, method === 'GET' ? `manifest-by-${by}` : `manifest-head-by-${by}`, {
    rows: [`Manifest ${method === 'GET' ? 'get' : 'head'} by ${by}`],
    check: async (check) => {
      const answer = await suite.ask(method, manifestPath(repository, tag ?? manifest.digest), accepting);
      if (!check.status(answer, 200)) return;
      check.header(answer, 'Content-Type', manifest.mediaType);
      check.header(answer, 'Content-Length', String(manifest.bytes.length));
      check.body(answer, method === 'GET' ? manifest.bytes : nothing);
      check.digest(answer, manifest.digest, suite.dev);
    },
  });
};

/** Sends a manifest; unless told otherwise without a length, as one that is made while it is sent. */
export function putManifest(
  suite: Suite,
  path: string,
  { bytes, mediaType }: Pick<ManifestData, 'bytes' | 'mediaType'>,
  options: Pick<AskOptions, 'streamed' | 'hesitant'> = { streamed: true },
): Promise<Answer> {
  return suite.ask('PUT', path, { headers: { 'content-type': mediaType }, body: bytes, ...options });
}

/** Looks at the answer to the push of a manifest, and at what its new address serves. */
export async function manifestTaken(suite: Suite, check: Check, answer: Answer, manifest: ManifestData): Promise<void> {
  if (manifest.spoiled) return void check.status(answer, 400);
  if (!check.status(answer, 201)) return;
  if (manifest.subject !== undefined) check.header(answer, 'OCI-Subject', manifest.subject);
  check.digest(answer, manifest.digest, false);
  const at = check.location(answer);
  if (at === undefined) return;
  const served = await suite.ask('GET', at, accepting);
  if (!check.status(served, 200)) return;
  check.header(served, 'Content-Type', manifest.mediaType);
  check.header(served, 'Content-Length', String(manifest.bytes.length));
  check.body(served, manifest.bytes);
}
