import { quoted } from './described.ts';
import { invalidArgument } from './errors.ts';
import { answerXml, type Asked, bucketOf, type ObjectOperation, onBucket, type Scene } from './scene.ts';
import { type Entry, list, type Listing } from './store/index.ts';
import { countOf } from './upload-operations.ts';
import type { Written } from './xml.ts';
import { encodedNames, ownerOf } from './written.ts';

const mayList = (action: string) =>
  onBucket(action, ({ query }: Asked) => ({
    's3:prefix': query.get('prefix') ?? '',
    's3:delimiter': query.get('delimiter') ?? '',
    's3:max-keys': query.get('max-keys') ?? undefined,
  }));

/** Lists of a bucket's objects. */
export const listOperations: readonly ObjectOperation[] = [
  { name: 'ListObjectsV2', access: mayList('ListBucket'), handle: second },
  { name: 'ListObjects', access: mayList('ListBucket'), handle: first },
  { name: 'ListObjectVersions', access: mayList('ListBucketVersions'), handle: versions },
];

interface Page {
  readonly listing: Listing;
  readonly most: number;
  readonly named: (name: string) => string;
  /** Whose the bucket is, and all in it. */
  readonly owner: Written;
  /** What all lists say. */
  readonly common: { readonly [name: string]: Written };
  /** Of the last entry; undefined when there is no further page. */
  readonly next: string | undefined;
}

async function pageOf(scene: Scene, after: string): Promise<Page> {
  const { api, bucket, query } = scene;
  const { account } = await bucketOf(scene);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const most = countOf(query.get('max-keys'));
  const named = encodedNames(query);
  const listing = await list(api.options.records, bucket, { prefix, delimiter, after, limit: most });
  return {
    listing,
    most,
    named,
    owner: ownerOf(account),
    next: listing.more ? listing.entries.at(-1)?.key : undefined,
    common: {
      Name: bucket,
      Prefix: named(prefix),
      ...(delimiter === '' ? {} : { Delimiter: named(delimiter) }),
      MaxKeys: most,
      ...(query.get('encoding-type') === null ? {} : { EncodingType: 'url' }),
      IsTruncated: listing.more,
      CommonPrefixes: listing.entries
        .filter(({ object }) => object === undefined)
        .map(({ key }) => ({ Prefix: named(key) })),
    },
  };
}

function contents({ listing, named, owner }: Page, withOwner: boolean): readonly Written[] {
  return objectsOf(listing).map(({ key, object }) => ({
    Key: named(key),
    LastModified: new Date(object.modifiedAt).toISOString(),
    ETag: quoted(object.etag),
    ...(object.checksum === undefined
      ? {}
      : { ChecksumAlgorithm: object.checksum.algorithm, ChecksumType: object.checksum.type }),
    Size: object.size,
    ...(withOwner ? { Owner: owner } : {}),
    StorageClass: 'STANDARD',
  }));
}

const objectsOf = ({ entries }: Listing) =>
  entries.filter((entry): entry is Extract<Entry, { readonly object: object }> => entry.object !== undefined);

async function second(scene: Scene): Promise<void> {
  const { query } = scene;
  const token = query.get('continuation-token');
  const start = query.get('start-after') ?? '';
  const page = await pageOf(scene, token === null ? start : readToken(token));
  answerXml(scene, 'ListBucketResult', {
    ...page.common,
    ...(token === null ? {} : { ContinuationToken: token }),
    ...(page.next === undefined ? {} : { NextContinuationToken: Buffer.from(page.next).toString('base64url') }),
    KeyCount: page.listing.entries.length,
    ...(start === '' ? {} : { StartAfter: page.named(start) }),
    Contents: contents(page, query.get('fetch-owner') === 'true'),
  });
}

/** A place in the list: what may be listed is asked for with each page. @throws InvalidArgument */
function readToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString('utf8');
  if (token === '' || Buffer.from(key).toString('base64url') !== token)
    throw invalidArgument('The continuation token provided is incorrect');
  return key;
}

async function first(scene: Scene): Promise<void> {
  const marker = scene.query.get('marker') ?? '';
  const page = await pageOf(scene, marker);
  answerXml(scene, 'ListBucketResult', {
    ...page.common,
    Marker: page.named(marker),
    // S3 says it with a delimiter only; it is as right without.
    ...(page.next === undefined ? {} : { NextMarker: page.named(page.next) }),
    Contents: contents(page, true),
  });
}

/** Each object has one version, which is `null`. */
async function versions(scene: Scene): Promise<void> {
  const marker = scene.query.get('key-marker') ?? '';
  const page = await pageOf(scene, marker);
  answerXml(scene, 'ListVersionsResult', {
    ...page.common,
    KeyMarker: page.named(marker),
    VersionIdMarker: scene.query.get('version-id-marker') ?? '',
    ...(page.next === undefined ? {} : { NextKeyMarker: page.named(page.next), NextVersionIdMarker: 'null' }),
    Version: objectsOf(page.listing).map(({ key, object }) => ({
      Key: page.named(key),
      VersionId: 'null',
      IsLatest: true,
      LastModified: new Date(object.modifiedAt).toISOString(),
      ETag: quoted(object.etag),
      Size: object.size,
      StorageClass: 'STANDARD',
      Owner: page.owner,
    })),
  });
}
