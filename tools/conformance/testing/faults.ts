import type { Fault, Told } from './broken-front.ts';

export const isBlob = (url: URL): boolean => /\/blobs\/sha(?:256|512):/.test(url.pathname);
const isManifest = (url: URL): boolean => url.pathname.includes('/manifests/');
export const isTagList = (url: URL): boolean => url.pathname.endsWith('/tags/list');
const isReferrers = (url: URL): boolean => url.pathname.includes('/referrers/');
const isUpload = (url: URL): boolean => url.pathname.includes('/blobs/uploads/');

/** Changes what is told in JSON. */
function edit(told: Told, change: (value: Record<string, unknown>) => void): void {
  if (told.status !== 200) return;
  const value = JSON.parse(told.body.toString()) as Record<string, unknown>;
  change(value);
  told.body = Buffer.from(JSON.stringify(value));
}

/** The tags of a list, changed. */
const editTags = (change: (tags: string[]) => string[]): Fault => ({
  told: (told, { url }) => {
    if (isTagList(url)) edit(told, (list) => (list['tags'] = change((list['tags'] as string[] | null) ?? [])));
  },
});

/** What an operator's front, or a registry, can do wrong; which groups to ask; and the case that must notice, with its reason. */
export const faults: Readonly<Record<string, readonly [fault: Fault, group: string, caught: string, because: RegExp]>> =
  {
    'strips Docker-Content-Digest': [
      { told: ({ headers }) => void delete headers['docker-content-digest'] },
      'image',
      'image/head/manifest-head-by-digest',
      /no Docker-Content-Digest/,
    ],
    'strips Content-Length from HEAD': [
      { told: ({ headers }, { method }) => void (method === 'HEAD' && delete headers['content-length']) },
      'image',
      'image/head/blob-head',
      /no Content-Length/,
    ],
    'names another digest': [
      {
        told: ({ headers }, { url }) => {
          if (isBlob(url) && headers['docker-content-digest']) headers['docker-content-digest'] = ['sha256:0'];
        },
      },
      'image',
      'image/pull/blob-get',
      /Docker-Content-Digest is 'sha256:0'/,
    ],
    'answers 404 for referrers': [
      { told: (told, { url }) => void (isReferrers(url) && (told.status = 404)) },
      'artifacts-with-subject',
      'artifacts-with-subject/referrers',
      /answered 404, not 200/,
    ],
    'says it looked at the type of referrers, but did not': [
      { asked: ({ url }) => void (isReferrers(url) && url.searchParams.delete('artifactType')), told: claimFilter },
      'artifacts-with-subject',
      'artifacts-with-subject/referrers',
      /lists a referrer of type/,
    ],
    'loses annotations of referrers': [
      {
        told: (told, { url }) => {
          if (isReferrers(url))
            edit(told, (list) => {
              for (const entry of list['manifests'] as { annotations?: unknown }[]) delete entry.annotations;
            });
        },
      },
      'index-with-subject',
      'index-with-subject/referrers',
      /there is no \{/,
    ],
    'strips OCI-Subject': [
      { told: ({ headers }) => void delete headers['oci-subject'] },
      'missing-subject',
      'missing-subject/push/manifest-by-digest',
      /no OCI-Subject/,
    ],
    'strips OCI-Tag': [
      { told: ({ headers }) => void delete headers['oci-tag'] },
      'tag-param-sha256',
      'tag-param-sha256/push/manifest-by-digest',
      /OCI-Tag does not name/,
    ],
    'answers bad ranges with the whole blob': [
      { asked: ({ headers }) => void (/=500-0|=5000/.test(headers['range'] ?? '') && delete headers['range']) },
      'sha256 blobs',
      'sha256 blobs/range requests/range 500-0',
      /200 with the whole blob/,
    ],
    'sends a part that begins one byte late': [
      {
        told: (told) => {
          if (told.status === 206) told.body = Buffer.concat([told.body.subarray(1), Buffer.from('x')]);
        },
      },
      'sha256 blobs',
      'sha256 blobs/range requests/range 500-',
      /other bytes than were pushed/,
    ],
    'drops Content-Range of chunks': [
      { asked: ({ headers }) => void delete headers['content-range'] },
      'sha256 blobs',
      'sha256 blobs/chunked out-of-order/blob-patch-chunked',
      /not 416/,
    ],
    'forgets an upload after a wrong chunk': [
      { told: (told, { method, url }) => void (method === 'GET' && isUpload(url) && (told.status = 404)) },
      'sha256 blobs',
      'sha256 blobs/chunked out-of-order and put chunk/blob-patch-chunked',
      /answered 404, not 204/,
    ],
    'takes blobs with a wrong digest': [
      { told: (told, { url }) => void (isUpload(url) && told.status === 400 && (told.status = 201)) },
      'sha512 blobs',
      'sha512 blobs/bad digest stream/blob-patch-stream',
      /answered 201, not 400/,
    ],
    'will not mount': [
      { asked: ({ url }) => url.searchParams.delete('mount') },
      'sha256 blobs',
      'sha256 blobs/mount anonymous/blob-mount-anonymous',
      /nothing was mounted/,
    ],
    'mounts what is not there': [
      { told: (told, { url }) => void (url.searchParams.has('mount') && told.status === 202 && (told.status = 201)) },
      'sha256 blobs',
      'sha256 blobs/mount missing/blob-mount',
      /answered 204, not 200/,
    ],
    'keeps serving what was deleted': [
      { told: (told, { method }) => void (method === 'HEAD' && told.status === 404 && (told.status = 200)) },
      'image',
      'image/delete/blob-delete',
      /answered 200, not 404/,
    ],
    'loses a field that it does not know': [
      {
        told: (told, { method, url }) => {
          if (method === 'GET' && isManifest(url))
            edit(told, (manifest) => {
              for (const name of Object.keys(manifest)) if (name.startsWith('org.')) delete manifest[name];
            });
        },
      },
      'custom-fields',
      'custom-fields/pull/manifest-by-digest',
      /bytes came, not/,
    ],
    'takes a manifest with a wrong digest': [
      { told: (told, { url }) => void (isManifest(url) && told.status === 400 && (told.status = 201)) },
      'bad-digest-image',
      'bad-digest-image/push/manifest-by-digest',
      /answered 201, not 400/,
    ],
    'loses a tag': [
      editTags((tags) => tags.filter((tag) => tag !== 'image')),
      'image',
      'image/tag-list',
      /'image' is not listed/,
    ],
    'ignores last': [
      { asked: ({ url }) => void (isTagList(url) && url.searchParams.delete('last')) },
      'tag-param-sha256',
      'tag-param-sha256/tag-list',
      /' is listed/,
    ],
    'turns tags around': [
      editTags((tags) => tags.toReversed()),
      'further',
      'further/tags are listed in order, under the name of the repository',
      /not in order/,
    ],
    'lists everything for n=0': [
      {
        asked: ({ url }) => {
          if (isTagList(url) && url.searchParams.get('n') === '0') url.searchParams.delete('n');
        },
      },
      'further',
      'further/n=0 lists nothing, without a Link',
      /lists \d+ tags/,
    ],
    'leaves a tag out between pages': [
      {
        told: (told, { url }) => {
          if (isTagList(url) && url.searchParams.has('last'))
            edit(told, (list) => (list['tags'] = (list['tags'] as string[]).slice(1)));
        },
      },
      'further',
      'further/pages of two have every tag once',
      /the pages have/,
    ],
    'dates its warnings': [
      { told: ({ headers }) => void (headers['warning'] = ['299 - "slow" "Sun, 06 Nov 1994 08:49:37 GMT"']) },
      'further',
      'further/warnings and waiting times of all answers',
      /without a date/,
    ],
    'answers errors with codes of its own': [
      {
        told: (told) => {
          if (told.status === 404) told.body = Buffer.from(told.body.toString().replaceAll('_UNKNOWN', '_LOST'));
        },
      },
      'further',
      'further/errors in JSON have codes of the specification',
      /no error code/,
    ],
    'does not answer at all': [
      {
        told: (_, { method, url }) => {
          if (method === 'GET' && isBlob(url)) throw new Error('cut');
        },
      },
      'image',
      'image/pull/blob-get',
      /no answer/,
    ],
  };

function claimFilter({ headers }: Told, { url }: { readonly url: URL }): void {
  if (isReferrers(url)) headers['oci-filters-applied'] = ['artifactType'];
}
