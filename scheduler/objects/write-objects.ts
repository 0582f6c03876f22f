import { AwsError, type Call } from '@slipway/auth/contract';

import { checksumHeader } from './checksums.ts';
import { copySource } from './copy-source.ts';
import { conditionsOf, describedBy, expectationOf, quoted, unquoted } from './described.ts';
import { accessDenied, invalidRequest, malformedXml, notServed, preconditionFailed } from './errors.ts';
import { checkKey } from './names.ts';
import { checkVersion, conditionState, objectOf } from './read-objects.ts';
import {
  answerEmpty,
  answerXml,
  type Asked,
  bucketOf,
  mayAlso,
  type ObjectOperation,
  onObject,
  resourceOf,
  type Scene,
} from './scene.ts';
import { Content, type ObjectRecord, receive, type Received } from './store/index.ts';
import { tagsOfXml, writtenTags } from './tags.ts';
import { childrenOf, textOf, type Written } from './xml.ts';

/** Bytes of an object that comes in one request, or of a part. */
export const mostAtOnce = 5 * 1024 ** 3;
const mostDeleted = 1000;

/** Objects that are put, copied and removed. */
export const writeOperations: readonly ObjectOperation[] = [
  { name: 'PutObject', access: mayPut, handle: put },
  { name: 'CopyObject', access: mayCopy, handle: copy },
  {
    name: 'DeleteObject',
    access: onObject('DeleteObject'),
    handle: async (scene) => {
      checkVersion(scene.query.get('versionId'));
      await bucketOf(scene);
      await scene.api.objects.remove(scene.bucket, scene.key, { ifMatch: conditionsOf(scene.headers).ifMatch });
      answerEmpty(scene);
    },
  },
  {
    name: 'DeleteObjects',
    // Each key is asked for when it is known.
    access: 'authenticated',
    handle: removeMany,
  },
  {
    name: 'GetObjectTagging',
    access: onObject('GetObjectTagging'),
    handle: async (scene) => answerXml(scene, 'Tagging', writtenTags((await objectOf(scene)).tags)),
  },
  {
    name: 'PutObjectTagging',
    access: onObject('PutObjectTagging'),
    handle: async (scene) => {
      const tags = tagsOfXml(await scene.api.documents.readXml(scene, 'Tagging', 128 * 1024), 'object');
      await changeTags(scene, tags);
      answerEmpty(scene, 200);
    },
  },
  {
    name: 'DeleteObjectTagging',
    access: onObject('DeleteObjectTagging'),
    handle: async (scene) => {
      await changeTags(scene, {});
      answerEmpty(scene);
    },
  },
];

async function changeTags(scene: Scene, tags: Readonly<Record<string, string>>): Promise<void> {
  await objectOf(scene);
  await scene.api.objects.change(scene.bucket, scene.key, (object) => ({ ...object, tags }));
}

export async function mayPut(asked: Asked, call: Call) {
  const resources = [await resourceOf(asked, call.principal, asked.bucket, asked.key)];
  const put = { action: 's3:PutObject', resources };
  return asked.headers['x-amz-tagging'] === undefined
    ? ([put] as const)
    : ([put, { action: 's3:PutObjectTagging', resources }] as const);
}

export async function mayCopy(asked: Asked, call: Call) {
  const source = copySource(asked.headers);
  const read = await resourceOf(asked, call.principal, source.bucket, source.key);
  return [...(await mayPut(asked, call)), { action: 's3:GetObject', resources: [read] }] as const;
}

async function put(scene: Scene): Promise<void> {
  const { api, bucket, key, headers, ctx, call } = scene;
  if (headers['x-amz-write-offset-bytes'] !== undefined)
    throw notServed('Appending to an object', 'put the whole object anew.');
  checkKey(key);
  await bucketOf(scene);
  const described = describedBy(headers);
  const conditions = conditionsOf(headers);
  const expected = expectationOf(headers, mostAtOnce);
  const received = await receive(api.options, scene.body, expected, call.signal);
  const object = objectOfBytes(received, expected.checksum?.algorithm, described, api.options.clock.now());
  await keeping(scene, received, () => api.objects.put(bucket, key, object, conditions));
  ctx.set('ETag', quoted(object.etag));
  if (object.checksum !== undefined) {
    ctx.set(checksumHeader(object.checksum.algorithm), object.checksum.value);
    ctx.set('x-amz-checksum-type', object.checksum.type);
  }
  answerEmpty(scene, 200);
}

function objectOfBytes(
  { blob, size, md5, checksum }: Received,
  algorithm: NonNullable<ObjectRecord['checksum']>['algorithm'] | undefined,
  described: Pick<ObjectRecord, 'headers' | 'metadata' | 'tags'>,
  now: number,
): ObjectRecord {
  return {
    ...described,
    size,
    etag: md5.toString('hex'),
    modifiedAt: now,
    ...(blob === undefined ? {} : { blob }),
    ...(algorithm === undefined || checksum === undefined
      ? {}
      : { checksum: { algorithm, value: checksum, type: 'FULL_OBJECT' as const } }),
  };
}

/** Refers to bytes that were received. Once it is sure that nothing does, they go. */
export async function keeping<T>(
  { api }: Pick<Scene, 'api'>,
  { blob }: Pick<Received, 'blob'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AwsError && blob !== undefined) await api.options.blobs.remove(blob);
    throw error;
  }
}

async function copy(scene: Scene): Promise<void> {
  const { api, bucket, key, headers, call } = scene;
  checkKey(key);
  await bucketOf(scene);
  const { source, from } = await sourceOf(scene);
  const isNew = directive(scene, 'x-amz-metadata-directive') === 'REPLACE';
  const said = describedBy(headers);
  if (from.bucket === bucket && from.key === key && !isNew && headers['x-amz-tagging-directive'] !== 'REPLACE')
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  const areTagsNew = directive(scene, 'x-amz-tagging-directive') === 'REPLACE';
  const keepsTags = !areTagsNew && Object.keys(source.tags).length > 0;
  if (
    keepsTags &&
    !(
      (await mayAlso(scene, 'GetObjectTagging', from.bucket, from.key)) &&
      (await mayAlso(scene, 'PutObjectTagging', bucket, key))
    )
  )
    throw notServed('Copying tags that you may not read, or not set', 'send x-amz-tagging-directive: REPLACE.');
  const bytes = new Content(api.options, api.uploads, from.bucket, source).stream({ start: 0, end: source.size - 1 });
  const body = { length: source.size, sha256: undefined, bytes, trailers: new Map() };
  const algorithm = source.checksum?.type === 'FULL_OBJECT' ? source.checksum.algorithm : undefined;
  const expected = { most: mostAtOnce, ...(algorithm && { checksum: { algorithm, given: false } }) };
  const received = await receive(api.options, body, expected, call.signal);
  const described = {
    headers: isNew ? said.headers : source.headers,
    metadata: isNew ? said.metadata : source.metadata,
    tags: areTagsNew ? said.tags : source.tags,
  };
  const object = objectOfBytes(received, algorithm, described, api.options.clock.now());
  await keeping(scene, received, () => api.objects.put(bucket, key, object, {}));
  answerXml(scene, 'CopyObjectResult', {
    LastModified: new Date(object.modifiedAt).toISOString(),
    ETag: quoted(object.etag),
  });
}

/** What is copied, and from where. @throws NoSuchKey, PreconditionFailed; AccessDenied when its bucket is not of whom the caller expects */
export async function sourceOf(scene: Scene) {
  const from = copySource(scene.headers);
  // Whose the two buckets are is said apart.
  const { 'x-amz-source-expected-bucket-owner': owner } = scene.headers;
  const headers = { ...scene.headers, 'x-amz-expected-bucket-owner': owner };
  const source = await objectOf({ ...scene, ...from, headers });
  if (conditionState(scene.headers, source, 'x-amz-copy-source-') !== 'met') throw preconditionFailed();
  return { source, from };
}

function directive({ headers }: Scene, name: string): string {
  const value = headers[name] ?? 'COPY';
  if (value !== 'COPY' && value !== 'REPLACE') throw invalidRequest(`${name} is COPY or REPLACE.`);
  return value;
}

async function removeMany(scene: Scene): Promise<void> {
  const { api, bucket, call } = scene;
  await bucketOf(scene);
  const root = await api.documents.readXml(scene, 'Delete', 8 * 1024 * 1024);
  const objects = childrenOf(root, 'Object');
  if (objects.length === 0 || objects.length > mostDeleted) throw malformedXml();
  const isQuiet = textOf(root, 'Quiet') === 'true';
  const Deleted: Written[] = [];
  const failed: Written[] = [];
  for (const one of objects) {
    const Key = textOf(one, 'Key') ?? '';
    if (Key === '') throw malformedXml();
    call.signal.throwIfAborted();
    try {
      checkKey(Key);
      checkVersion(textOf(one, 'VersionId'));
      if (!(await mayAlso(scene, 'DeleteObject', bucket, Key))) throw accessDenied();
      const etag = textOf(one, 'ETag');
      await api.objects.remove(bucket, Key, { ifMatch: etag === undefined ? undefined : unquoted(etag) });
      if (!isQuiet) Deleted.push({ Key });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      failed.push({ Key, Code: error.code, Message: error.message });
    }
  }
  answerXml(scene, 'DeleteResult', { Deleted, Error: failed });
}
